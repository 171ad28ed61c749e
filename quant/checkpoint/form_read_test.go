package checkpoint

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// A formCase is a fixture of testdata/forms.py.
type formCase struct {
	name   string
	file   []byte
	Config json.RawMessage
	Want   map[string]struct {
		Shape  []int
		SHA256 string
	}
}

func formCases(t testing.TB) []formCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/forms/*.safetensors")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	var cases []formCase
	for _, path := range paths {
		var c formCase
		c.name = strings.TrimSuffix(filepath.Base(path), ".safetensors")
		b, err := os.ReadFile(strings.TrimSuffix(path, "safetensors") + "json")
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err == nil {
			c.file, err = os.ReadFile(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// dir writes the model to a directory.
func (f formCase) dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), f.file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), f.Config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func digest(vs []float32) string {
	sum := sha256.Sum256(leBytes(vs))
	return hex.EncodeToString(sum[:])
}

// TestForms reads weights in the forms of other programs, whole, as float64 and in
// pieces. The floats must be those of reference implementations.
func TestForms(t *testing.T) {
	for _, f := range formCases(t) {
		t.Run(f.name, func(t *testing.T) {
			c := open(t, f.dir(t))
			var names []string
			for _, x := range c.Tensors() {
				names = append(names, x.Name)
				want, ok := f.Want[x.Name]
				if !ok || !slices.Equal(want.Shape, x.Shape) || !x.Float {
					t.Errorf("%s: %v, want %v", x.Name, x, want)
					continue
				}
				vs := floats(t, c, x.Name)
				if digest(vs) != want.SHA256 {
					t.Errorf("%s: other floats: %v…", x.Name, vs[:8])
				}
				checkPieces(t, c, x, vs)
			}
			for name := range f.Want {
				if !slices.Contains(names, name) {
					t.Errorf("there is no %s", name)
				}
			}
			for name := range c.LeftOut() {
				if !strings.Contains(name, "scale") || f.Want[name].SHA256 != "" {
					t.Errorf("%s is left out", name)
				}
			}
			if _, err := NewPlan(c, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkPieces compares reads from each element on, of several lengths, with a read of all
// elements.
func checkPieces(t *testing.T, c *Checkpoint, x Tensor, vs []float32) {
	t.Helper()
	d := c.dataOf(x)
	for first := range vs {
		for _, n := range []int{1, 2, 33, x.Cols(), 2*x.Cols() + 1, len(vs)} {
			if first > 40 && first%37 > 0 {
				continue
			}
			n = min(n, len(vs)-first)
			got32, got64 := make([]float32, n), make([]float64, n)
			if err := d.Read(got32, int64(first)); err != nil {
				t.Fatal(err)
			}
			if err := d.Read64(got64, int64(first)); err != nil {
				t.Fatal(err)
			}
			for i, v := range vs[first : first+n] {
				if got32[i] != v || got64[i] != float64(v) {
					t.Fatalf("%s: element %d, read from %d: %v and %v, want %v", x.Name, first+i, first, got32[i], got64[i], v)
				}
			}
		}
	}
}

// scalesOf is a weight with a scale.
func scalesOf(shape []int, dtype safetensors.DType, scale string, sdtype safetensors.DType, sshape ...int) []weight {
	return []weight{blank("l.weight", dtype, shape...), blank("l."+scale, sdtype, sshape...)}
}

// TestWrongScales plans for weights whose scales do not fit, are missing or are
// ambiguous. The error names weight and scale, and the weights cannot be read.
func TestWrongScales(t *testing.T) {
	block := `{"quantization_config": {"quant_method": "fp8", "weight_block_size": [128, 128]}}`
	square := []int{256, 256}
	for i, x := range []struct {
		config string
		ws     []weight
		want   []string
	}{
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F32", 3, 2), []string{`"l.weight"`, `"l.weight_scale_inv"`, "[3 2]", "[256 256]", "blocks of [128 128]"}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F32", 2), []string{`"l.weight_scale_inv"`}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F32", 4, 4), []string{`"l.weight_scale_inv"`}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F32", 0, 2), []string{`"l.weight_scale_inv"`}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F32", 1, 2, 2), []string{`"l.weight_scale_inv"`}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "I32", 2, 2), []string{`"l.weight_scale_inv"`, "I32"}},
		{block, scalesOf(square, "F8_E4M3", "weight_scale_inv", "F8_E4M3", 2, 2), []string{`"l.weight_scale_inv"`, "F8_E4M3"}},
		{"", scalesOf(square, "F8_E4M3", "weight_scale", "F32", 255), []string{`"l.weight_scale"`}},
		{"", scalesOf(square, "F8_E4M3", "weight_scale", "F32", 1, 256), []string{`"l.weight_scale"`}},
		{"", scalesOf(square, "F8_E4M3", "weight_scale", "F32", 256, 8), []string{`"l.weight_scale"`}}, // in groups of 32, but not powers of two
		{"", scalesOf([]int{4, 64, 64}, "F8_E4M3", "weight_scale", "F32", 3), []string{`"l.weight_scale"`}},
		{"", scalesOf([]int{0, 64}, "F8_E4M3", "weight_scale", "F32", 0, 1), []string{`"l.weight_scale"`}},
		{block, []weight{blank("l.weight", "F8_E4M3", 256, 256)}, []string{`"l.weight"`, "without", `"l.weight_scale_inv"`}},
		{"", []weight{blank("l.weight", "F8_E4M3", 256, 256), blank("l.weight_amax_scale", "F32", 1)}, []string{`"l.weight"`, "without"}},
		{"", append(scalesOf(square, "F8_E4M3", "weight_scale", "F32", 1), blank("l.weight_scale_inv", "F32", 2, 2)), []string{`"l.weight"`, `"l.weight_scale"`}},
		{"", append(scalesOf(square, "F8_E4M3", "weight_scale", "F32", 1), blank("l.weight_zero_point", "F32", 1)), []string{`"l.weight"`, `"l.weight_zero_point"`}},
		{"", append(scalesOf(square, "F8_E5M2", "weight_scale", "F32", 1), blank("l.weight_scale_2", "F32", 1)), []string{`"l.weight"`, `"l.weight_scale_2"`}},
		{"", []weight{blank("e.up_blocks", "U8", 2, 8, 3, 16)}, []string{`"e.up_blocks"`, "without", `"e.up_scales"`}},
		{"", []weight{blank("e.up_blocks", "U8", 2, 8, 3, 16), blank("e.up_scales", "U8", 2, 8, 2)}, []string{`"e.up_blocks"`, `"e.up_scales"`, "[2 8 2]"}},
		{"", []weight{blank("e.up_blocks", "U8", 2, 8, 3, 16), blank("e.up_scales", "F32", 2, 8, 3)}, []string{`"e.up_blocks"`, `"e.up_scales"`, "F32"}},
		{"", []weight{blank("e.up_blocks", "U8", 2, 8, 0, 16), blank("e.up_scales", "U8", 2, 8, 0)}, []string{`"e.up_blocks"`, `"e.up_scales"`}},
		{"", []weight{blank("e.up_blocks", "U8", 2, 8, 3, 16), blank("e.up_scales", "U8", 2, 8, 3), blank("e.up", "F32", 2)}, []string{`"e.up_blocks"`, `"e.up"`}},
	} {
		c := openModel(t, x.config, append(x.ws, blank("norm.weight", "F32", 8))...)
		_, err := NewPlan(c, Options{Rules: Rules{Include: []string{"*"}}})
		if !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%d: %v", i, err)
			continue
		}
		for _, want := range x.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%d: %q is without %s", i, err, want)
			}
		}
		first, _ := c.Tensor(x.ws[0].name)
		if len(c.Tensors()) != len(x.ws)+1 || first.Float {
			t.Errorf("%d: %v", i, c.Tensors())
		}
		if err := c.ReadRows(make([]float32, first.Cols()), first.Name, 0, min(1, first.Rows())); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%d: reading: %v", i, err)
		}
	}
	// The error for many weights names one and counts the others.
	var ws []weight
	for i := range 30 {
		ws = append(ws, blank(fmt.Sprintf("l%d.weight", i), "F8_E4M3", 8, 8))
	}
	if _, err := NewPlan(openModel(t, block, ws...), Options{}); err == nil || strings.Count(err.Error(), "\n") != 1 || !strings.Contains(err.Error(), "29 other weights") {
		t.Error(err)
	}
}

// TestScaleValues quantizes weights whose scales are NaN, infinite or zero.
func TestScaleValues(t *testing.T) {
	for _, x := range []struct {
		scale float32
		want  error
	}{{0, nil}, {-1, nil}, {1e-45, nil}, {float32(math.NaN()), quant.ErrNotFinite}, {float32(math.Inf(1)), quant.ErrNotFinite}, {math.MaxFloat32, quant.ErrNotFinite}} {
		w, s := blank("l.weight", "F8_E4M3", 64, 64), blank("l.weight_scale", "F32", 64, 1)
		for i := range w.bytes {
			w.bytes[i] = 0x40 // 2
		}
		copy(s.bytes[4*9:], leBytes([]float32{x.scale}))
		p := plan(t, openModel(t, "", w, s), Options{Rules: Rules{Include: []string{"*"}}})
		_, err := p.Run(context.Background(), t.TempDir(), RunOptions{})
		if !errors.Is(err, x.want) || err != nil && !strings.Contains(err.Error(), `"l.weight"`) {
			t.Errorf("%v: %v", x.scale, err)
		}
		if err != nil && x.scale != math.MaxFloat32 && !strings.Contains(err.Error(), `"l.weight_scale" is `) {
			t.Errorf("%v: %v", x.scale, err)
		}
	}
	// MXFP4's scale byte for NaN.
	b, s := blank("e.up_blocks", "U8", 2, 64, 4, 16), blank("e.up_scales", "U8", 2, 64, 4)
	s.bytes[100] = 0xff
	p := plan(t, openModel(t, "", b, s), Options{Rules: Rules{Include: []string{"*"}}})
	if _, err := p.Run(context.Background(), t.TempDir(), RunOptions{}); !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(err.Error(), `"e.up"`) {
		t.Error(err)
	}
}

// TestFormsInShards has the parts of each weight in different files.
func TestFormsInShards(t *testing.T) {
	for _, f := range formCases(t) {
		dir := t.TempDir()
		file, err := safetensors.New(bytes.NewReader(f.file), int64(len(f.file)))
		if err != nil {
			t.Fatal(err)
		}
		fileOf := make(map[string]string)
		for i, x := range file.Tensors() {
			b, err := io.ReadAll(file.Section(x))
			if err != nil {
				t.Fatal(err)
			}
			fileOf[x.Name] = fmt.Sprintf("model-%05d.safetensors", len(file.Tensors())-i)
			writeFile(t, filepath.Join(dir, fileOf[x.Name]), weight{x.Name, x.DType, x.Shape, b})
		}
		index, err := safetensors.IndexJSON(fileOf, 0, nil)
		if err == nil {
			err = errors.Join(os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), index, 0o666), os.WriteFile(filepath.Join(dir, "config.json"), f.Config, 0o666))
		}
		if err != nil {
			t.Fatal(err)
		}
		c := open(t, dir)
		if len(c.Tensors()) != len(f.Want) {
			t.Errorf("%s: %d tensors, want %d", f.name, len(c.Tensors()), len(f.Want))
		}
		for name, want := range f.Want {
			if digest(floats(t, c, name)) != want.SHA256 {
				t.Errorf("%s: %s", f.name, name)
			}
		}
	}
}

// TestFormsQuantized quantizes every form, verifies the result against the source, and
// compares kept tensors. A plan must also notice changed scales.
func TestFormsQuantized(t *testing.T) {
	for _, f := range formCases(t) {
		dir := f.dir(t)
		c := open(t, dir)
		for _, o := range []Options{
			{Rules: Rules{Include: []string{"*"}, Exclude: []string{"a"}}},
			{Config: quant.Config{Type: datatype.NVFP4}, Rules: Rules{Include: []string{"*"}}},
			{Rules: Rules{Exclude: []string{"*"}}},
		} {
			p := plan(t, c, o)
			dst := filepath.Join(t.TempDir(), "r.safetensors")
			run(t, p, dst, RunOptions{})
			r := open(t, dst)
			if _, err := Verify(context.Background(), r, c, nil); err != nil {
				t.Errorf("%s: %v", f.name, err)
			}
			for _, x := range r.Tensors() {
				if !x.Quantized && digest(floats(t, r, x.Name)) != f.Want[x.Name].SHA256 {
					t.Errorf("%s: %s, kept, is something else", f.name, x.Name)
				}
			}
		}
	}
	b := formCases(t)[0]
	before := plan(t, open(t, b.dir(t)), Options{}).id
	file, _ := safetensors.New(bytes.NewReader(b.file), int64(len(b.file)))
	for _, x := range file.Tensors() {
		if strings.HasSuffix(x.Name, "_scale_inv") {
			b.file[x.Begin] ^= 1
			break
		}
	}
	if plan(t, open(t, b.dir(t)), Options{}).id == before {
		t.Error("another scale is the same plan")
	}
}

// TestFormsCut cuts the files of all forms at every length.
func TestFormsCut(t *testing.T) {
	for _, f := range formCases(t) {
		for n := range f.file {
			if c, err := New(bytes.NewReader(f.file[:n]), int64(n)); !errors.Is(err, quant.ErrFormat) {
				t.Fatalf("%s: %d of %d bytes: %v, %v", f.name, n, len(f.file), c, err)
			}
		}
		// The file is cut after it was opened: a tensor is whole, or an error.
		size := len(f.file)
		r := shrinking{f.file, &size}
		c, err := New(r, int64(len(f.file)))
		if err != nil {
			t.Fatal(err)
		}
		for size = len(f.file) - 1; size > 0; size -= 1 + size/40 {
			for _, x := range c.Tensors() {
				if len(c.unreadable) > 0 { // not readable without its configuration
					continue
				}
				vs := make([]float32, x.Elements())
				if err := c.ReadRows(vs, x.Name, 0, x.Rows()); err == nil && digest(vs) != f.Want[x.Name].SHA256 || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatalf("%s: %s of %d bytes: %v", f.name, x.Name, size, err)
				}
			}
		}
	}
}

// A shrinking is a file that ends early.
type shrinking struct {
	b    []byte
	size *int
}

func (s shrinking) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b[:*s.size]).ReadAt(p, off)
}

// FuzzForms opens files of a few tensors with names, types and shapes from the forms.
// Accepted tensors can be read, whole and in pieces, and planned for.
func FuzzForms(f *testing.F) {
	names := []string{"l.weight", "l.weight_scale_inv", "l.weight_scale", "l.scale", "e.up", "e.up_blocks", "e.up_scales", "e.up_scale_inv", "e.up.blocks", "e.up.scales", "l.input_scale", "l.weight_zero_point", "l.qweight", "l.scales"}
	dtypes := []safetensors.DType{"F8_E4M3", "F8_E5M2", "F8_E8M0", "U8", "I8", "F32", "BF16", "F64", "I32", "F4"}
	f.Add([]byte{0, 0, 2, 130, 4, 1, 5, 2, 2, 1}, []byte("abc"), `{"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]}}`)
	f.Add([]byte{5, 3, 4, 2, 3, 1, 16, 6, 3, 3, 2, 3, 1}, []byte{1, 2, 3, 200}, "")
	f.Add([]byte{0, 0, 3, 2, 5, 7, 2, 6, 3, 2, 1, 7}, []byte{9}, `{"quantization_config":{"config_groups":{"a":{"weights":{"group_size":3,"block_structure":[1e9,4]}}}}}`)
	f.Add([]byte{0, 4, 2, 8, 16, 3, 2, 2, 8, 1}, []byte{9, 127}, "")
	f.Fuzz(func(t *testing.T, spec, fill []byte, config string) {
		next := func() int {
			if len(spec) == 0 {
				return 0
			}
			b := spec[0]
			spec = spec[1:]
			return int(b)
		}
		var ws []weight
		seen := make(map[string]bool)
		for total := 0; len(spec) > 0 && len(ws) < 6; {
			w := weight{name: names[next()%len(names)], dtype: dtypes[next()%len(dtypes)], shape: []int{}}
			n := 1
			for range next() % 5 {
				w.shape = append(w.shape, next())
				n *= w.shape[len(w.shape)-1]
			}
			if seen[w.name] || n > 1<<16 || n*w.dtype.Bits()%8 > 0 || total+n > 1<<17 {
				continue
			}
			seen[w.name] = true
			total += n
			for i := range n * w.dtype.Bits() / 8 {
				b := byte(i)
				if len(fill) > 0 {
					b = fill[i%len(fill)]
				}
				w.bytes = append(w.bytes, b)
			}
			ws = append(ws, w)
		}
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "model.safetensors"), ws...)
		os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666)
		c, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, x := range c.Tensors() {
			vs := make([]float32, x.Elements())
			err := c.ReadRows(vs, x.Name, 0, x.Rows())
			if err != nil && !errors.Is(err, ErrUnsupported) && !errors.Is(err, quant.ErrNotFinite) || (err == nil) != x.Float && !errors.Is(err, quant.ErrNotFinite) {
				t.Fatalf("%v: %v", x, err)
			}
			if err != nil || len(vs) == 0 {
				continue
			}
			first := int64(next()) * int64(len(vs)) / 256
			part := make([]float64, (int64(len(vs))-first+1)/2)
			if err := c.dataOf(x).Read64(part, first); err != nil {
				t.Fatal(err)
			}
			for i, v := range part {
				if w := vs[first+int64(i)]; float32(v) != w && v == v {
					t.Fatalf("%v: element %d is %v and %v", x, first+int64(i), w, v)
				}
			}
		}
		if p, err := NewPlan(c, Options{}); err == nil {
			_, err = p.Measure(context.Background(), nil)
			if err != nil && !errors.Is(err, quant.ErrNotFinite) {
				t.Fatal(err)
			}
		} else if !errors.Is(err, ErrUnsupported) && !errors.Is(err, quant.ErrFormat) {
			t.Fatal(err)
		}
	})
}

// TestFormsLeaveNoTrace makes results and plain copies of a model in another form, and
// checks that no file beside the weights still names that form.
func TestFormsLeaveNoTrace(t *testing.T) {
	f := formCases(t)[slices.IndexFunc(formCases(t), func(f formCase) bool { return f.name == "fp8_tensor" })]
	dir := f.dir(t)
	for name, text := range map[string]string{
		"hf_quant_config.json": `{"quantization": {"quant_algo": "FP8"}}`,
		"config.json":          `{"model_type": "new", "compression_config": {"quant_method": "compressed-tensors"}, "quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}`,
		"LICENSE":              "none",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, dir)
	if err := c.Readable(); err != nil || len(c.LeftOut()) != 5 {
		t.Errorf("%v, left out %v", err, c.LeftOut())
	}
	result, copied := t.TempDir(), t.TempDir()
	r := run(t, plan(t, c, Options{Rules: Rules{Include: []string{"*"}}}), result, RunOptions{})
	if i := slices.IndexFunc(r.Companions, func(x Companion) bool { return x.Name == "hf_quant_config.json" }); i < 0 || !strings.Contains(r.Companions[i].LeftOut, "quantized") {
		t.Errorf("%+v", r.Companions)
	}
	if _, err := Dequantize(context.Background(), c, copied, DequantizeOptions{DType: "F32"}); err != nil {
		t.Fatal(err)
	}
	for _, dst := range []string{result, copied} {
		if names := dirtest.Names(t, dst); slices.Contains(names, "hf_quant_config.json") || !slices.Contains(names, "LICENSE") {
			t.Errorf("%s has %v", dst, names)
		}
		x := open(t, dst)
		if len(x.Tensors()) != len(f.Want) || x.Readable() != nil {
			t.Errorf("%s: %v, %v", dst, x.Tensors(), x.Readable())
		}
	}
	b, err := os.ReadFile(filepath.Join(copied, "config.json"))
	if err != nil || strings.Contains(string(b), "FP8") || strings.Contains(string(b), "compress") {
		t.Errorf("%s, %v", b, err)
	}
	for name, want := range f.Want {
		if digest(floats(t, open(t, copied), name)) != want.SHA256 {
			t.Errorf("%s is another in the copy", name)
		}
	}
}
