package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// mixedMatrix returns a matrix with rows of several types, and its weights.
func mixedMatrix(t testing.TB, rows, cols int, seed uint64, configs ...quant.Config) (*quant.Matrix, []float32) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	w, of := make([]float32, rows*cols), make([]uint8, rows)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for i := range of {
		of[i] = uint8(r.IntN(len(configs)))
		if i < len(configs) {
			of[i] = uint8(len(configs) - 1 - i)
		}
	}
	m, err := quant.GroupMixed(context.Background(), w, cols, of, configs)
	if err != nil {
		t.Fatal(err)
	}
	if m.Parts() != len(configs) {
		t.Fatalf("%v, want %d parts", m, len(configs))
	}
	return m, w
}

var mixedConfigs = []quant.Config{
	{Type: datatype.BitMoD3}, {Type: datatype.BitMoD4, GroupSize: 32}, {Type: datatype.BitMoD4, GroupSize: 16},
	{Type: datatype.NVFP4}, {Type: datatype.MXFP4RaZeR}, {Type: datatype.Int3Asym, GroupSize: 24},
}

// saveMixed saves matrices with rows of several types, and other entries.
func saveMixed(t testing.TB) (path string, ms map[string]*quant.Matrix, ws map[string][]float32) {
	t.Helper()
	ms, ws = make(map[string]*quant.Matrix), make(map[string][]float32)
	add := func(name string, rows, cols int, configs ...quant.Config) Entry {
		ms[name], ws[name] = mixedMatrix(t, rows, cols, uint64(len(ms)), configs...)
		return Entry{Name: name, Matrix: ms[name]}
	}
	path = filepath.Join(t.TempDir(), "mixed.safetensors")
	entries := []Entry{
		add("all", 40, 50, mixedConfigs...), add("two", 9, 130, quant.Config{}, quant.Config{Type: datatype.Int8}),
		add("one", 3, 20, quant.Config{}), {Name: "floats", Floats: []float32{1, 2}, Shape: []int{2}},
		add("0", 2, 7, quant.Config{}, quant.Config{Type: datatype.Int2}),
	}
	save(t, path, entries...)
	return path, ms, ws
}

func save(t testing.TB, path string, entries ...Entry) {
	t.Helper()
	if err := Save(context.Background(), path, entries, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
}

func binaryForm(t testing.TB, m *quant.Matrix) []byte {
	t.Helper()
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMixedRows(t *testing.T) {
	path, ms, ws := saveMixed(t)
	c := open(t, path)
	if n := len(c.Tensors()); n != 5 {
		t.Errorf("%d tensors, want 5: %v", n, c.Tensors())
	}
	for name, want := range ms {
		x, ok := c.Tensor(name)
		if !ok || !x.Quantized || !x.Float || x.Rows() != want.Rows() || x.Cols() != want.Cols() {
			t.Fatalf("%s is %+v", name, x)
		}
		if (x.DType == "mixed") != (want.Parts() > 1) || x.Type.Valid() != (want.Parts() == 1) {
			t.Errorf("%s is %s, of type %v", name, x.DType, x.Type)
		}
		if want.Parts() > 1 {
			var parts []Part
			for i := range want.Parts() {
				p := want.Part(i)
				parts = append(parts, Part{p.Type(), p.GroupSize(), p.Rows()})
			}
			if diff := cmp.Diff(parts, x.Parts); diff != "" || x.GroupSize != 0 {
				t.Errorf("%s has other parts\n%s", name, diff)
			}
		} else if x.Parts != nil {
			t.Errorf("%s has parts %v", name, x.Parts)
		}
		got, err := c.Matrix(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(binaryForm(t, got), binaryForm(t, want)) {
			t.Errorf("%s came back as %v, want %v", name, got, want)
		}
		// Any range of rows.
		all := make([]float32, want.Rows()*want.Cols())
		if err := want.Dequantize(all); err != nil {
			t.Fatal(err)
		}
		for lo := range want.Rows() {
			for hi := lo + 1; hi <= want.Rows(); hi += 1 + lo%3 {
				part, err := c.MatrixRows(name, lo, hi)
				if err != nil {
					t.Fatal(err)
				}
				a, b := make([]float32, (hi-lo)*want.Cols()), make([]float32, (hi-lo)*want.Cols())
				if err := errors.Join(part.Dequantize(a), c.ReadRows(b, name, lo, hi)); err != nil {
					t.Fatal(err)
				}
				if w := all[lo*want.Cols() : hi*want.Cols()]; !slices.Equal(a, w) || !slices.Equal(b, w) {
					t.Fatalf("%s: rows %d to %d differ", name, lo, hi)
				}
			}
		}
		s, err := c.Stats(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		if s.Choices == nil || (len(s.Choices) == 0) != (want.Parts() > 1) {
			t.Errorf("%s: choices %v", name, s.Choices)
		}
	}

	// Verify reports the errors against the originals.
	var originals []Entry
	for name, w := range ws {
		originals = append(originals, Entry{Name: name, Floats: w, Shape: []int{ms[name].Rows(), ms[name].Cols()}})
	}
	originals = append(originals, Entry{Name: "floats", Floats: []float32{1, 2}, Shape: []int{2}})
	original := filepath.Join(t.TempDir(), "original.safetensors")
	save(t, original, originals...)
	vs, err := Verify(context.Background(), c, open(t, original), nil)
	if err != nil || len(vs) != 5 {
		t.Fatalf("%d verified, error %v", len(vs), err)
	}
	for _, v := range vs {
		if v.Quantized {
			rep, err := quant.Measure(ws[v.Name], ms[v.Name], nil)
			if err != nil {
				t.Fatal(err)
			}
			if d := v.Stats.NMSE() / rep.NMSE; !(d > 1-1e-12 && d < 1+1e-12) {
				t.Errorf("%s: NMSE %v, want %v", v.Name, v.Stats.NMSE(), rep.NMSE)
			}
		}
	}
}

// TestMixedCopied takes tensors with rows of several types from one checkpoint to
// another, as they are and as floats, in several files.
func TestMixedCopied(t *testing.T) {
	path, ms, _ := saveMixed(t)
	c := open(t, path)
	cube, _ := mixedMatrix(t, 12, 24, 9, quant.Config{Type: datatype.BitMoD3}, quant.Config{Type: datatype.BitMoD4})
	dst := filepath.Join(t.TempDir(), "model")
	entries := []Entry{{Name: "cube", Matrix: cube, Shape: []int{3, 4, 24}}}
	for _, name := range slices.Sorted(maps.Keys(ms)) {
		entries = append(entries, Entry{Name: "copy." + name, From: c, Source: name}, Entry{Name: "floats." + name, From: c, Source: name, DType: "F32"})
	}
	if err := Save(t.Context(), dst, entries, SaveOptions{ShardSize: 1500}); err != nil {
		t.Fatal(err)
	}
	q := open(t, dst)
	if n := len(q.Files()); n < 3 {
		t.Errorf("%d files", n)
	}
	for name, want := range ms {
		x, _ := q.Tensor("copy." + name)
		y, _ := c.Tensor(name)
		y.Name = x.Name
		if diff := cmp.Diff(y, x); diff != "" {
			t.Errorf("another tensor\n%s", diff)
		}
		m, err := q.Matrix("copy." + name)
		if err != nil || !bytes.Equal(binaryForm(t, m), binaryForm(t, want)) {
			t.Errorf("%s came back as %v, error %v", name, m, err)
		}
		if !slices.Equal(floats(t, q, "floats."+name), floats(t, c, name)) {
			t.Errorf("%s has other floats", name)
		}
	}
	x, _ := q.Tensor("cube")
	m, err := q.Matrix("cube")
	if err != nil || !slices.Equal(x.Shape, []int{3, 4, 24}) || !bytes.Equal(binaryForm(t, m), binaryForm(t, cube)) {
		t.Errorf("%+v came back as %v, error %v", x, m, err)
	}
	if _, err := Verify(t.Context(), q, nil, nil); err != nil {
		t.Error(err)
	}
	plain := t.TempDir()
	if _, err := Dequantize(t.Context(), c, plain, DequantizeOptions{DType: "F32"}); err != nil {
		t.Fatal(err)
	}
	for name := range ms {
		if !slices.Equal(floats(t, open(t, plain), name), floats(t, c, name)) {
			t.Errorf("%s has other floats when dequantized", name)
		}
	}
	if diff := cmp.Diff(contents(t, q), python(t, dst)); diff != "" {
		t.Errorf("Python (+) differs from Go (−)\n%s", diff)
	}
}

// A configuration for other programs names the types of parts by their weights.
func TestMixedConfig(t *testing.T) {
	var tensors []Tensor
	for _, rows := range []int{4, 8} {
		m, _ := mixedMatrix(t, rows, 16, 1, quant.Config{Type: datatype.Int8}, quant.Config{Type: datatype.BitMoD3, GroupSize: 64})
		x, err := matrixTensor("w.weight", m, []int{rows, 16})
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, x)
	}
	n := tensors[0].Parts[0].Rows + tensors[1].Parts[0].Rows
	most := tensors[0].Parts[0]
	other := tensors[0].Parts[1]
	if 2*n < 12 {
		most, other = other, most
	}
	q := newQuantizationConfig(tensors)
	if q == nil || q.Type != most.Type.String() || q.Bits != most.Type.Bits() || q.GroupSize != most.GroupSize || !slices.Equal(q.Others, []string{other.Type.String()}) {
		t.Errorf("%+v, want %v above all, and %v", q, most, other)
	}
}

// TestMixedManyRows has more rows than are counted at a time, and the largest number of
// parts.
func TestMixedManyRows(t *testing.T) {
	var configs []quant.Config
	for i := range maxParts {
		configs = append(configs, quant.Config{GroupSize: 8 + i})
	}
	for _, n := range []int{2, maxParts} {
		m, _ := mixedMatrix(t, 3*rankRows+5, 8, 1, configs[:n]...)
		path := filepath.Join(t.TempDir(), "m.safetensors")
		save(t, path, Entry{Name: "w", Matrix: m})
		c := open(t, path)
		for _, r := range [][2]int{{2 * rankRows, 2*rankRows + 1}, {rankRows - 1, rankRows + 1}, {3 * rankRows, m.Rows()}, {0, m.Rows()}, {rankRows + 7, 3*rankRows - 7}} {
			part, err := c.MatrixRows("w", r[0], r[1])
			if err != nil {
				t.Fatal(err)
			}
			a, b := make([]float32, 8), make([]float32, 8)
			for row := range part.Rows() {
				if err := errors.Join(part.DequantizeRow(a, row), m.DequantizeRow(b, r[0]+row)); err != nil || !slices.Equal(a, b) {
					t.Fatalf("row %d from %d on differs, error %v", row, r[0], err)
				}
			}
		}
	}
}

func TestMixedPython(t *testing.T) {
	path, _, _ := saveMixed(t)
	if diff := cmp.Diff(contents(t, open(t, path)), python(t, path)); diff != "" {
		t.Errorf("Python (+) differs from Go (−)\n%s", diff)
	}
}

// TestMixedDamage cuts a file at every length, and changes every byte of the data.
func TestMixedDamage(t *testing.T) {
	m, _ := mixedMatrix(t, 5, 20, 2, mixedConfigs[:3]...)
	path := filepath.Join(t.TempDir(), "m.safetensors")
	save(t, path, Entry{Name: "w", Matrix: m})
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(data []byte) error {
		f, err := safetensors.New(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return err
		}
		c := &Checkpoint{byName: make(map[string]int), metadata: make(map[string]string)}
		if err := c.addFile(f); err != nil {
			return err
		}
		x, err := c.Matrix("w")
		if err != nil {
			return err
		}
		if bytes.Equal(binaryForm(t, x), binaryForm(t, m)) {
			return nil
		}
		h := c.headers[0]
		for _, x := range f.Tensors() {
			if err := checkSum(context.Background(), f, x, h.sha256[x.Name], new(meter)); err != nil {
				return err
			}
		}
		return nil
	}
	if err := try(data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if err := try(data[:n]); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("cut at %d of %d: %v", n, len(data), err)
		}
	}
	begin := len(data)
	for _, x := range open(t, path).stored[0].Tensors() {
		begin -= int(x.Bytes())
	}
	for i := begin; i < len(data); i++ {
		bad := bytes.Clone(data)
		bad[i] ^= 1
		if err := try(bad); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("byte %d changed: %v", i, err)
		}
	}
}

// TestMixedHostile has descriptions and orders that don't fit.
func TestMixedHostile(t *testing.T) {
	const good = `{"parts":[{"type":"bitmod4","group_size":128,"rows":1},{"type":"int4","group_size":8,"rows":2}],"shape":[3,8]}`
	stored := []safetensors.Tensor{
		{Name: "w.order", DType: "U8", Shape: []int{3}},
		{Name: "w.0.codes", DType: "U8", Shape: []int{1, 4}},
		{Name: "w.0.scales", DType: "U8", Shape: []int{1, 1}},
		{Name: "w.0.row_scales", DType: "F32", Shape: []int{1}},
		{Name: "w.0.special", DType: "U8", Shape: []int{1, 1}},
		{Name: "w.1.codes", DType: "U8", Shape: []int{2, 4}},
		{Name: "w.1.scales", DType: "U8", Shape: []int{2, 1}},
		{Name: "w.1.row_scales", DType: "F32", Shape: []int{2}},
		{Name: "w.1.special", DType: "U8", Shape: []int{2, 0}},
	}
	try := func(tensors string, stored []safetensors.Tensor, order []byte) (*Checkpoint, error) {
		meta := map[string]string{keyVersion: "1", keyTensors: tensors, keySHA256: "{}"}
		var m memory
		w, err := safetensors.NewWriter(&m, stored, meta)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range stored {
			b := make([]byte, x.Elements()*int64(x.DType.Bits()/8))
			if x.Name == "w.order" {
				copy(b, order)
			}
			if err := w.WriteAt(x.Name, b, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Finish(meta); err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.New(bytes.NewReader(m.b), int64(len(m.b)))
		if err != nil {
			t.Fatal(err)
		}
		c := &Checkpoint{byName: make(map[string]int), metadata: make(map[string]string)}
		return c, c.addFile(f)
	}
	w := func(s string) string { return `{"w":` + s + `}` }
	for _, order := range []string{"\x00\x01\x01", "\x01\x00\x01", "\x01\x01\x00"} {
		c, err := try(w(good), stored, []byte(order))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.Matrix("w"); err != nil || m.Parts() != 2 {
			t.Errorf("order %q: %v, error %v", order, m, err)
		}
	}
	for _, order := range []string{"\x00\x00\x01", "\x00\x00\x00", "\x01\x01\x01", "\x00\x01\x02", "\xff\x01\x01"} {
		c, err := try(w(good), stored, []byte(order))
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := c.Matrix("w")
		_, err2 := c.MatrixRows("w", 0, 1)
		_, err3 := c.Stats(context.Background(), "w")
		for i, err := range []error{err1, err2, err3, c.ReadRows(make([]float32, 8), "w", 0, 1)} {
			var at *TensorError
			if !errors.Is(err, quant.ErrFormat) || !errors.As(err, &at) || at.Tensor != "w" || !strings.Contains(err.Error(), "order") {
				t.Errorf("order %q, call %d: %v", order, i, err)
			}
		}
	}
	part := func(n int) string {
		return strings.TrimSuffix(strings.Repeat(`{"type":"int4","group_size":8,"rows":1},`, n), ",")
	}
	for name, tensors := range map[string]string{
		"no parts":          w(`{"parts":[],"shape":[3,8]}`),
		"no parts and type": w(`{"type":"int4","group_size":8,"parts":[],"shape":[3,8]}`),
		"one part":          w(`{"parts":[{"type":"int4","group_size":8,"rows":3}],"shape":[3,8]}`),
		"257 parts":         w(`{"parts":[` + part(257) + `],"shape":[257,8]}`),
		"type besides":      w(strings.Replace(good, `{"parts"`, `{"type":"int4","parts"`, 1)),
		"group besides":     w(strings.Replace(good, `{"parts"`, `{"group_size":8,"parts"`, 1)),
		"no type":           w(strings.Replace(good, `"type":"int4",`, ``, 1)),
		"unknown type":      w(strings.Replace(good, `"int4"`, `"int44"`, 1)),
		"other type":        w(strings.Replace(good, `"int4"`, `"int5"`, 1)),
		"no group":          w(strings.Replace(good, `"group_size":128,`, ``, 1)),
		"small group":       w(strings.Replace(good, `"group_size":128`, `"group_size":7`, 1)),
		"no rows":           w(strings.Replace(good, `,"rows":1`, ``, 1)),
		"fewer rows":        w(strings.Replace(good, `"rows":2`, `"rows":1`, 1)),
		"more rows":         w(strings.Replace(good, `"rows":2`, `"rows":3`, 1)),
		"negative rows":     w(strings.Replace(good, `"rows":1`, `"rows":-1`, 1)),
		"rows overflow":     w(strings.Replace(good, `"rows":1`, `"rows":9223372036854775807`, 1)),
		"other rows":        w(strings.NewReplacer(`"rows":1`, `"rows":2`, `"rows":2`, `"rows":1`).Replace(good)),
		"other shape":       w(strings.Replace(good, `[3,8]`, `[4,8]`, 1)),
		"1-D":               w(strings.Replace(good, `[3,8]`, `[24]`, 1)),
		"shared":            `{"w":` + good + `,"w.0":{"type":"bitmod4","group_size":128,"shape":[1,8]}}`,
		"neither":           w(`{"shape":[3,8]}`),
	} {
		if _, err := try(tensors, stored, []byte{0, 1, 1}); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "w") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i, x := range stored {
		if _, err := try(w(good), slices.Delete(slices.Clone(stored), i, i+1), []byte{0, 1, 1}); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("without %s: %v", x.Name, err)
		}
		wrong := slices.Clone(stored)
		wrong[i].DType = map[safetensors.DType]safetensors.DType{"U8": "I8", "F32": "I32"}[x.DType]
		if _, err := try(w(good), wrong, []byte{0, 1, 1}); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%s as %s: %v", x.Name, wrong[i].DType, err)
		}
	}
}

// TestMixedNames saves tensors whose stored ones would have the same name.
func TestMixedNames(t *testing.T) {
	m, w := mixedMatrix(t, 4, 16, 4, quant.Config{}, quant.Config{Type: datatype.Int8})
	one, err := quant.Group(w, 16, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i, other := range []Entry{
		{Name: "w.order", Floats: []float32{1}, Shape: []int{1}},
		{Name: "w.1.special", Floats: []float32{1}, Shape: []int{1}},
		{Name: "w.1", Matrix: one},
	} {
		path := filepath.Join(dir, fmt.Sprint(i, ".safetensors"))
		if err := Save(context.Background(), path, []Entry{{Name: "w", Matrix: m}, other}, SaveOptions{}); err == nil {
			t.Errorf("w and %s: no error", other.Name)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("w and %s: a file is left", other.Name)
		}
	}
}

// Choices of several types stay empty after further additions.
func TestAddChoices(t *testing.T) {
	a, b := Stats{Choices: []int64{1, 2}}, Stats{Choices: []int64{5}}
	var s Stats
	for i, x := range []struct {
		add  Stats
		want []int64
	}{{Stats{}, nil}, {a, []int64{1, 2}}, {Stats{}, []int64{1, 2}}, {a, []int64{2, 4}}, {b, []int64{}}, {a, []int64{}}, {Stats{}, []int64{}}, {Stats{Choices: []int64{}}, []int64{}}} {
		if s.Add(x.add); !slices.Equal(s.Choices, x.want) || (s.Choices == nil) != (x.want == nil) {
			t.Errorf("after %d additions %v, want %v", i+1, s.Choices, x.want)
		}
	}
}
