package checkpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// dequantizable is a model with tensors of all kinds: transposed, larger than a block, of
// three dimensions, vectors, integers, and empty.
func dequantizable() []weight {
	r := rand.New(rand.NewPCG(5, 5))
	return append(model(5),
		random(r, "h.c_fc.weight", "F32", 700, 1300),
		random(r, "wide", "F16", 2, 300_000),
		random(r, "stack", "BF16", 3, 4, 64),
		random(r, "double", "F64", 6, 8),
		random(r, "double.bias", "F64", 6),
		random(r, "ids", "I64", 3, 5),
		random(r, "bytes", "U8", 7),
		random(r, "scalar", "F32"),
		random(r, "empty", "F32", 0, 4),
	)
}

// checkDequantized compares a result with the definition: the floats of ReadRows,
// transposed back and rounded once, and config.json.
func checkDequantized(t *testing.T, q, got *Checkpoint, dtype string) {
	t.Helper()
	if a, b := len(got.Tensors()), len(q.Tensors()); a != b {
		t.Fatalf("%d tensors, want %d", a, b)
	}
	for _, x := range q.Tensors() {
		y, ok := got.Tensor(x.Name)
		if !ok {
			t.Fatalf("there is no %s", x.Name)
		}
		want := dtype
		shape := slices.Clone(x.Shape)
		n := len(shape)
		switch {
		case !x.Float, n < 2 && x.DType == "F64", n < 2 && dtype != "F32" && x.DType != dtype:
			want = x.DType
		case x.Transposed:
			shape[n-1], shape[n-2] = shape[n-2], shape[n-1]
		}
		if y.DType != want || !slices.Equal(y.Shape, shape) || y.Quantized {
			t.Fatalf("%s is %s %v, want %s %v", x.Name, y.DType, y.Shape, want, shape)
		}
		b, err := io.ReadAll(got.dataOf(y).(raw).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if y.DType == x.DType {
			if a, _ := io.ReadAll(q.dataOf(x).(raw).Bytes()); string(a) != string(b) {
				t.Fatalf("%s is not copied as it is", x.Name)
			}
			continue
		}
		values := make([]float64, x.Elements())
		if err := q.dataOf(x).Read64(values, 0); err != nil {
			t.Fatal(err)
		}
		if x.Transposed {
			v := slices.Clone(values)
			rows, cols := x.Rows(), x.Cols()
			for i := range rows {
				for j := range cols {
					values[j*rows+i] = v[i*cols+j]
				}
			}
		}
		f, _ := floatFormat(y.DType)
		if want, _ := rawfloat.Append(nil, values, f); string(want) != string(b) {
			t.Fatalf("%s differs from what ReadRows gives, rounded", x.Name)
		}
	}
}

func TestDequantize(t *testing.T) {
	src := t.TempDir()
	writeFile(t, filepath.Join(src, "model.safetensors"), dequantizable()...)
	os.WriteFile(filepath.Join(src, "config.json"), []byte(sourceConfig), 0o666)
	os.Mkdir(filepath.Join(src, "1_Pooling"), 0o777)
	os.WriteFile(filepath.Join(src, "1_Pooling", "config.json"), []byte("{}"), 0o666)
	c := open(t, src)
	for i, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.NVFP4, datatype.Int6Asym} {
		p := plan(t, c, Options{
			Config: quant.Config{Type: typ},
			Rules:  Rules{Include: []string{"linear", "wide", "stack", "c_fc"}, Transposed: []string{"c_fc"}},
		})
		result := t.TempDir()
		run(t, p, result, RunOptions{})
		q := open(t, result)
		for j, dtype := range []string{"BF16", "F16", "F32"} {
			if i > 0 && i != j+1 {
				continue
			}
			for _, shard := range []int64{0, 300_000} {
				dst := t.TempDir()
				var last Progress
				r, err := Dequantize(context.Background(), q, dst, DequantizeOptions{DType: dtype, ShardSize: shard, Workers: 2, Progress: func(p Progress) { last = p }})
				if err != nil {
					t.Fatal(err)
				}
				if len(r.Items) != len(q.Tensors()) || last.Done != last.Total || (shard > 0) != (len(r.Written) > 1) || (shard > 0) != (r.Index != "") {
					t.Errorf("%d items, progress %+v, %d files, index %q", len(r.Items), last, len(r.Written), r.Index)
				}
				got := open(t, dst)
				checkDequantized(t, q, got, dtype)
				if m := got.Metadata(); m["format"] != "pt" {
					t.Errorf("metadata %v", m)
				}
				config, _ := os.ReadFile(filepath.Join(dst, "config.json"))
				torch := map[string]string{"BF16": "bfloat16", "F16": "float16", "F32": "float32"}[dtype]
				want := strings.NewReplacer(`"float32"`, `"`+torch+`"`, `, "quantization_config": {"quant_method": "fp8"}`, "").Replace(sourceConfig)
				if diff := cmp.Diff(want, string(config)); diff != "" {
					t.Errorf("config.json (-want +got)\n%s", diff)
				}
				if _, err := os.Stat(filepath.Join(dst, "1_Pooling", "config.json")); err != nil {
					t.Error(err)
				}
				if _, err := Verify(context.Background(), got, nil, nil); err != nil {
					t.Error(err)
				}
			}
		}
		file := filepath.Join(t.TempDir(), "f.safetensors")
		if _, err := Dequantize(context.Background(), q, file, DequantizeOptions{}); err != nil {
			t.Fatal(err)
		}
		checkDequantized(t, q, open(t, file), "BF16")
	}
	// A source that is not quantized goes the same way.
	dst := t.TempDir()
	if _, err := Dequantize(context.Background(), c, dst, DequantizeOptions{DType: "F32"}); err != nil {
		t.Fatal(err)
	}
	checkDequantized(t, c, open(t, dst), "F32")
}

// TestDequantizeTooLarge checks that overflow is an error rather than an infinity.
func TestDequantizeTooLarge(t *testing.T) {
	w := random(rand.New(rand.NewPCG(1, 1)), "layers.0.up_proj.weight", "F32", 300, 1000)
	binary.LittleEndian.PutUint32(w.bytes[4*(299*1000+17):], math.Float32bits(70_000))
	for _, transposed := range []bool{false, true} {
		rules := Rules{}
		place := "row 299, column 17"
		if transposed {
			rules.Transposed = []string{"up_proj"}
		}
		dst := t.TempDir()
		run(t, plan(t, openSource(t, w), Options{Config: quant.Config{Type: datatype.Int8, GroupSize: 8}, Rules: rules}), dst, RunOptions{})
		q := open(t, dst)
		if _, err := Dequantize(context.Background(), q, t.TempDir(), DequantizeOptions{DType: "BF16"}); err != nil {
			t.Errorf("BF16: %v", err)
		}
		out := t.TempDir()
		_, err := Dequantize(context.Background(), q, out, DequantizeOptions{DType: "F16"})
		if !errors.Is(err, quant.ErrNotFinite) || !strings.Contains(fmt.Sprint(err), place) || !strings.Contains(fmt.Sprint(err), `"layers.0.up_proj.weight"`) {
			t.Errorf("F16: %v", err)
		}
		if ns := dirtest.Names(t, out); len(ns) > 0 {
			t.Errorf("left %v", ns)
		}
	}
	q := openSource(t, model(1)...)
	for _, dtype := range []string{"F64", "I8", "bf16", "bitmod4"} {
		if _, err := Dequantize(context.Background(), q, t.TempDir(), DequantizeOptions{DType: dtype}); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", dtype, err)
		}
	}
	if _, err := Dequantize(context.Background(), q, t.TempDir(), DequantizeOptions{ShardSize: -1}); !errors.Is(err, quant.ErrShape) {
		t.Error(err)
	}
}

// TestDequantizeFaults fills the disk at every operation, cancels, and damages files, and
// resumes each time.
func TestDequantizeFaults(t *testing.T) {
	src := sourceDir(t, 9, map[string]string{"config.json": "{}", "tokenizer.json": "{}"})
	result := t.TempDir()
	run(t, plan(t, open(t, src), Options{}), result, RunOptions{})
	q := open(t, result)
	whole := t.TempDir()
	all := &countingDisk{fail: -1}
	o := DequantizeOptions{ShardSize: 50_000, create: all.create}
	if _, err := Dequantize(context.Background(), q, whole, o); err != nil {
		t.Fatal(err)
	}
	want := tree(t, whole)
	again := func(dst, what string) {
		t.Helper()
		for name, b := range tree(t, dst) {
			if b != want[name] {
				t.Fatalf("%s: %s is left with %d bytes that are not those of an uninterrupted run", what, name, len(b))
			}
		}
		if _, err := Dequantize(context.Background(), q, dst, DequantizeOptions{ShardSize: 50_000}); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, tree(t, dst)); diff != "" {
			t.Fatalf("%s (-want +got)\n%s", what, diff)
		}
	}
	cases := 0
	for k := int64(0); k < all.ops.Load(); k += int64(stride(5)) {
		dst := t.TempDir()
		disk := &countingDisk{fail: k, part: func(n int) int { return n / 2 }}
		o.create = disk.create
		if _, err := Dequantize(context.Background(), q, dst, o); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d: %v", k, err)
		}
		again(dst, fmt.Sprintf("operation %d", k))
		cases++
	}
	t.Logf("%d operations, %d cases", all.ops.Load(), cases)
	o.create = nil
	for stop := range len(q.Tensors()) {
		dst := t.TempDir()
		ctx, cancel := context.WithCancel(context.Background())
		n := 0
		o.Progress = func(Progress) {
			if n++; n > stop {
				cancel()
			}
		}
		if _, err := Dequantize(ctx, q, dst, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("canceled at %d: %v", stop, err)
		}
		again(dst, fmt.Sprintf("canceled at %d", stop))
		cancel()
	}
	dst := t.TempDir()
	copyDamaged(t, whole, dst)
	os.Remove(filepath.Join(dst, "config.json"))
	if _, err := Dequantize(context.Background(), q, dst, DequantizeOptions{ShardSize: 50_000}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, tree(t, dst)); diff != "" {
		t.Errorf("damaged (-want +got)\n%s", diff)
	}
	// Results of another type or another source are not mixed.
	for _, o := range []DequantizeOptions{{ShardSize: 50_000, DType: "F16"}} {
		if _, err := Dequantize(context.Background(), q, dst, o); !errors.Is(err, ErrExists) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	other := t.TempDir()
	run(t, plan(t, openSource(t, model(8)...), Options{}), other, RunOptions{})
	if _, err := Dequantize(context.Background(), open(t, other), dst, DequantizeOptions{ShardSize: 50_000}); !errors.Is(err, ErrExists) {
		t.Errorf("another model: %v", err)
	}
}
