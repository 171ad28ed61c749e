package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// checkResult compares a result with quantizing each tensor in memory.
func checkResult(t *testing.T, p *Plan, got *Checkpoint) {
	t.Helper()
	if a, b := len(got.Tensors()), len(p.Items()); a != b {
		t.Fatalf("%d tensors, want %d", a, b)
	}
	for _, it := range p.Items() {
		x, ok := got.Tensor(it.From.Name)
		if !ok {
			t.Fatalf("there is no %s", it.From.Name)
		}
		if diff := cmp.Diff(it.To, x); diff != "" {
			t.Fatalf("%s (-want +got)\n%s", it.From.Name, diff)
		}
		if !x.Quantized {
			a, _ := io.ReadAll(p.source.dataOf(it.From).(raw).Bytes())
			b, _ := io.ReadAll(got.dataOf(x).(raw).Bytes())
			if !bytes.Equal(a, b) {
				t.Fatalf("%s is not copied as it is", x.Name)
			}
			continue
		}
		w := make([]float64, x.Elements())
		if err := p.source.dataOf(it.From).Read64(w, 0); err != nil {
			t.Fatal(err)
		}
		if x.Transposed {
			v := slices.Clone(w)
			rows, cols := x.Rows(), x.Cols()
			for i := range rows {
				for j := range cols {
					w[i*cols+j] = v[j*rows+i]
				}
			}
		}
		want, err := quant.Group(w, x.Cols(), quant.Config{Type: x.Type, GroupSize: x.GroupSize, Search: p.options.Search})
		if err != nil {
			t.Fatal(err)
		}
		m, err := got.Matrix(x.Name)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(want.Storage(), m.Storage()) {
			t.Fatalf("%s: %v differs from the same in memory", x.Name, m)
		}
		dequantized := make([]float32, len(w))
		want.Dequantize(dequantized)
		if !slices.Equal(dequantized, floats(t, got, x.Name)) {
			t.Fatalf("%s: ReadRows differs from the matrix", x.Name)
		}
	}
}

func TestRunEqualsInMemory(t *testing.T) {
	c := openSource(t, model(1)[:10]...) // one layer
	for _, typ := range datatype.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			p := plan(t, c, Options{Config: quant.Config{Type: typ}})
			dst := filepath.Join(t.TempDir(), "out.safetensors")
			r := run(t, p, dst, RunOptions{})
			if len(r.Written) != 1 || len(r.Items) != len(p.Items()) {
				t.Errorf("result %+v", r)
			}
			checkResult(t, p, open(t, dst))
			if _, err := Verify(context.Background(), open(t, dst), c, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSearch checks that a plan with search writes the same as quant.Group, and counts as
// another plan.
func TestSearch(t *testing.T) {
	c := openSource(t, model(1)[:10]...)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.NVFP4} {
		config := quant.Config{Type: typ, Search: true}
		p := plan(t, c, Options{Config: config})
		dst := filepath.Join(t.TempDir(), "out.safetensors")
		run(t, p, dst, RunOptions{})
		checkResult(t, p, open(t, dst))
		config.Search = false
		if plan(t, c, Options{Config: config}).id == p.id {
			t.Error("a plan without search is taken for the same")
		}
	}
}

// TestBlocks quantizes tensors that take several blocks of rows, with the types
// whose blocks depend on the whole tensor among them.
func TestBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	c := openSource(t,
		random(r, "a", "BF16", 900, 1000),
		random(r, "b.transposed", "F16", 1100, 1300),
		random(r, "wide", "F32", 2, 300000),
		random(r, "stack", "F32", 3, 4, 5, 64),
	)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.NVFP4, datatype.MXFP4RaZeR, datatype.Int6Asym} {
		p := plan(t, c, Options{
			Config: quant.Config{Type: typ, Workers: 3},
			Rules:  Rules{Include: []string{"*"}, Transposed: []string{"transposed"}},
		})
		dst := t.TempDir()
		run(t, p, dst, RunOptions{})
		got := open(t, dst)
		checkResult(t, p, got)
		m, err := got.MatrixRows("a", 700, 703)
		if err != nil {
			t.Fatal(err)
		}
		row := make([]float32, 1000)
		m.DequantizeRow(row, 2)
		if all := floats(t, got, "a"); !slices.Equal(row, all[702*1000:703*1000]) {
			t.Error("MatrixRows differs from ReadRows")
		}
	}
}

func TestShardsAndResume(t *testing.T) {
	c := openSource(t, model(2)...)
	o := Options{ShardSize: 25_000}
	p := plan(t, c, o)
	if len(p.parts) < 4 {
		t.Fatalf("only %d shards", len(p.parts))
	}
	dst := filepath.Join(t.TempDir(), "new", "dir")
	first := run(t, p, dst, RunOptions{})
	if len(first.Written) != len(p.parts) || first.Index == "" {
		t.Errorf("written %v, index %q", first.Written, first.Index)
	}
	opened := open(t, dst)
	checkResult(t, p, opened)
	opened.Close() // Windows does not replace open files

	want := make(map[string][]byte)
	for _, n := range dirtest.Names(t, dst) {
		want[n], _ = os.ReadFile(filepath.Join(dst, n))
	}
	// One file is missing, one is damaged, and a killed process left a half-written one.
	os.Remove(first.Written[1])
	b := slices.Clone(want[filepath.Base(first.Written[2])])
	b[len(b)-1] ^= 1
	os.WriteFile(first.Written[2], b, 0o666)
	os.WriteFile(filepath.Join(dst, "."+filepath.Base(first.Written[1])+".partial-7"), []byte("half"), 0o666)

	var last Progress
	again := run(t, plan(t, c, o), dst, RunOptions{Measure: true, Progress: func(p Progress) {
		if p.Done < last.Done {
			t.Errorf("progress goes from %+v to %+v", last, p)
		}
		last = p
	}})
	if diff := cmp.Diff(first.Written[1:3], again.Written); diff != "" {
		t.Errorf("written again (-want +got)\n%s", diff)
	}
	if last.Done != last.Total {
		t.Errorf("progress ends at %+v", last)
	}
	if len(again.Items) != len(p.Items()) {
		t.Fatalf("%d items, want %d", len(again.Items), len(p.Items()))
	}
	for i, it := range again.Items {
		if it.From.Name != p.Items()[i].From.Name || it.To.Quantized != (it.Stats.Weights > 0) {
			t.Errorf("item %d is %s, measured %d", i, it.From.Name, it.Stats.Weights)
		}
	}
	got := make(map[string][]byte)
	for _, n := range dirtest.Names(t, dst) {
		got[n], _ = os.ReadFile(filepath.Join(dst, n))
	}
	if !reflect.DeepEqual(want, got) {
		t.Error("the second run differs from the first")
	}

	if r := run(t, plan(t, c, o), dst, RunOptions{}); len(r.Items) != len(p.Items()) || len(r.Resumed) != len(p.parts) {
		t.Errorf("third run: %d items, %d resumed", len(r.Items), len(r.Resumed))
	}

	// Results with other settings, or of other weights of the same names, are not mixed.
	other := o
	other.Type = datatype.BitMoD3
	for _, p := range []*Plan{plan(t, c, other), plan(t, openSource(t, model(3)...), o)} {
		if _, err := p.Run(context.Background(), dst, RunOptions{}); !errors.Is(err, ErrExists) {
			t.Errorf("got %v, want ErrExists", err)
		}
	}
	p = plan(t, c, other)
	run(t, p, dst, RunOptions{Overwrite: true})
	checkResult(t, p, open(t, dst))
}

func TestParts(t *testing.T) {
	c := openSource(t, model(4)...)
	for _, parts := range []int{1, 2, 5, 100} {
		o := Options{Parts: parts, ShardSize: 100_000}
		p := plan(t, c, o)
		dst := t.TempDir()
		var sum int64
		for part := range parts {
			left := sum < p.work(allParts)
			if _, err := Merge(context.Background(), dst, nil); left && !errors.Is(err, ErrIncomplete) {
				t.Fatalf("%d parts, %d done: merged with %v", parts, part, err)
			}
			run(t, p, dst, RunOptions{Part: part})
			sum += p.work(part)
		}
		if sum != p.work(allParts) {
			t.Errorf("%d parts have %d of %d bytes", parts, sum, p.work(allParts))
		}
		if _, err := Merge(context.Background(), dst, nil); err != nil {
			t.Fatal(err)
		}
		checkResult(t, p, open(t, dst))
	}
	p := plan(t, c, Options{Parts: 3})
	for part := range 3 {
		if n, all := p.work(part), p.work(allParts); n < all/5 || n > all/2 {
			t.Errorf("part %d of 3 has %d of %d bytes", part, n, all)
		}
	}
	for _, part := range []int{-1, 3} {
		if _, err := p.Run(context.Background(), t.TempDir(), RunOptions{Part: part}); !errors.Is(err, quant.ErrShape) {
			t.Errorf("part %d: %v", part, err)
		}
	}
	if _, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "x.safetensors"), RunOptions{}); !errors.Is(err, quant.ErrShape) {
		t.Errorf("three files as one: %v", err)
	}
}

func TestMergeRefuses(t *testing.T) {
	c := openSource(t, model(5)...)
	o := Options{ShardSize: 100_000}
	dst := t.TempDir()
	r := run(t, plan(t, c, o), dst, RunOptions{})
	whole, _ := os.ReadFile(r.Written[1])

	b := slices.Clone(whole)
	b[len(b)-100] ^= 4
	os.WriteFile(r.Written[1], b, 0o666)
	if _, err := Merge(context.Background(), dst, nil); !errors.Is(err, ErrChecksum) || !errors.Is(err, quant.ErrFormat) {
		t.Errorf("damaged: %v", err)
	}

	other := t.TempDir()
	o.Type = datatype.Int4
	s := run(t, plan(t, c, o), other, RunOptions{})
	b, _ = os.ReadFile(s.Written[1])
	os.WriteFile(r.Written[1], b, 0o666)
	if _, err := Merge(context.Background(), dst, nil); !errors.Is(err, ErrExists) {
		t.Errorf("other settings: %v", err)
	}

	b, _ = os.ReadFile(r.Written[0])
	os.WriteFile(r.Written[1], b, 0o666)
	if _, err := Merge(context.Background(), dst, nil); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("the same shard twice: %v", err)
	}
	os.WriteFile(r.Written[1], whole, 0o666)
	if _, err := Merge(context.Background(), dst, nil); err != nil {
		t.Error(err)
	}
	os.WriteFile(filepath.Join(dst, "model-00001-of-00099.safetensors"), whole, 0o666)
	if _, err := Merge(context.Background(), dst, nil); !errors.Is(err, ErrExists) {
		t.Errorf("two plans: %v", err)
	}
}

func TestMeasure(t *testing.T) {
	c := openSource(t, model(6)...)
	p := plan(t, c, Options{ShardSize: 50_000, Parts: 2})
	r, err := p.Measure(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Items) != len(p.Items()) {
		t.Fatalf("%d items, want %d", len(r.Items), len(p.Items()))
	}
	for _, it := range r.Items {
		if !it.To.Quantized {
			continue
		}
		w := make([]float64, it.To.Elements())
		c.dataOf(it.From).Read64(w, 0)
		m, _ := quant.Group(w, it.To.Cols(), quant.Config{})
		want, _ := quant.Measure(w, m, nil)
		if math.Abs(it.Stats.NMSE()/want.NMSE-1) > 1e-9 || it.Stats.MaxError != want.MaxError || it.Stats.SQNR() < 15 {
			t.Errorf("%s: %+v, want %+v", it.To.Name, it.Stats, want)
		}
		for i, n := range it.Stats.Choices {
			if n != int64(want.Choices[i]) {
				t.Errorf("%s: choices %v, want %v", it.To.Name, it.Stats.Choices, want.Choices)
			}
		}
		var sum int64
		for _, n := range it.Stats.Histogram {
			sum += n
		}
		if sum != int64(len(w)) || it.Stats.Weights != sum {
			t.Errorf("%s: histogram of %d, measured %d, of %d", it.To.Name, sum, it.Stats.Weights, len(w))
		}
	}
}

func TestNotFinite(t *testing.T) {
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
		w := random(rand.New(rand.NewPCG(1, 1)), "w.weight", "F32", 700, 1000)
		copy(w.bytes[(600*1000+17)*4:], []byte{0, 0, 0xc0, 0x7f})
		dst := t.TempDir()
		_, err := plan(t, openSource(t, w), Options{Config: quant.Config{Type: typ}}).Run(context.Background(), dst, RunOptions{})
		var bad *quant.WeightError
		if !errors.Is(err, quant.ErrNotFinite) || !errors.As(err, &bad) || bad.Row != 600 || bad.Col != 17 {
			t.Errorf("%v: %v", typ, err)
		}
		if ns := dirtest.Names(t, dst); len(ns) > 0 {
			t.Errorf("left %v", ns)
		}
	}
}

// TestMeasureZeroed counts groups that become all zero, because their weights are nearer
// to 0 than to a step of their row.
func TestMeasureZeroed(t *testing.T) {
	w := weight{name: "model.layers.0.mlp.up_proj.weight", dtype: "F32", shape: []int{2, 512}}
	for row := range 2 {
		for i := range 512 {
			x := float32(0)
			switch group := i / 128; {
			case group == 1: // near enough
				x = 1e-3 * float32(1+i%3)
			case group == 2 && row == 1: // too small
				x = 1e-6 * float32(1+i%3)
			case i == 0:
				x = 2
			}
			w.bytes = binary.LittleEndian.AppendUint32(w.bytes, math.Float32bits(x))
		}
	}
	r, err := plan(t, openSource(t, w), Options{}).Measure(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.Items[0].Stats.Zeroed; n != 1 {
		t.Errorf("%d groups, want 1", n)
	}
}
