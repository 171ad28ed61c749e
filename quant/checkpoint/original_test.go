package checkpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestVerifyAnotherModel checks that Verify rejects other weights than the original's: of
// another model, of the model after a little more training, or with one weight changed.
func TestVerifyAnotherModel(t *testing.T) {
	const changed = "model.layers.1.mlp.up_proj.weight"
	types := []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.NVFP4, datatype.MXFP4, datatype.Int8, datatype.Int2, datatype.Int4Asym, datatype.NF4}
	for i, typ := range types {
		for _, search := range []bool{false, true} {
			if search && i > 2 {
				continue
			}
			dst := t.TempDir()
			c := openSource(t, model(11)...)
			run(t, plan(t, c, Options{Config: quant.Config{Type: typ, Search: search}}), dst, RunOptions{})
			q := open(t, dst)
			if _, err := Verify(context.Background(), q, c, nil); err != nil {
				t.Errorf("%v: the original: %v", typ, err)
			}
			for _, x := range []struct {
				name string
				ws   []weight
				want int // number of wrong tensors
			}{
				{"another model", model(12), 22},
				{"trained further", nudged(model(11), .02), 12},
				{"one weight", oneChanged(model(11), changed), 1},
			} {
				found, err := Verify(context.Background(), q, openSource(t, x.ws...), nil)
				if !errors.Is(err, ErrOriginal) || !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), fmt.Sprintf("%q", changed)) {
					t.Errorf("%v, search %v, %s: %v", typ, search, x.name, err)
				}
				if n := len(x.ws) - len(found); n < x.want {
					t.Errorf("%v, search %v, %s: %d tensors are wrong, want %d", typ, search, x.name, n, x.want)
				}
			}
		}
	}
}

// nudged changes the F32 and F16 weights of linear layers, most of a model, by a share of
// themselves.
func nudged(ws []weight, share float64) []weight {
	r := rand.New(rand.NewPCG(3, 3))
	for _, w := range ws {
		if !strings.HasSuffix(w.name, "_proj.weight") {
			continue
		}
		for i := range len(w.bytes) / (w.dtype.Bits() / 8) {
			switch w.dtype {
			case "F64":
				x := math.Float64frombits(binary.LittleEndian.Uint64(w.bytes[8*i:]))
				binary.LittleEndian.PutUint64(w.bytes[8*i:], math.Float64bits(x*(1+share*r.NormFloat64())))
			case "F32":
				x := math.Float32frombits(binary.LittleEndian.Uint32(w.bytes[4*i:]))
				binary.LittleEndian.PutUint32(w.bytes[4*i:], math.Float32bits(x*float32(1+share*r.NormFloat64())))
			default: // the last bits of the mantissa
				w.bytes[2*i] ^= byte(1 + r.IntN(7))
			}
		}
	}
	return ws
}

// oneChanged makes one weight the largest of its row.
func oneChanged(ws []weight, name string) []weight {
	i := slices.IndexFunc(ws, func(w weight) bool { return w.name == name })
	binary.LittleEndian.PutUint32(ws[i].bytes[4*17:], math.Float32bits(.5))
	return ws
}

// TestVerifyCalibrated checks that Verify accepts a calibrated result of the original,
// and rejects one of other weights.
func TestVerifyCalibrated(t *testing.T) {
	const rows, cols = 64, 256
	r := rand.New(rand.NewPCG(2, 2))
	w := random(r, "w", "F32", rows, cols)
	other := random(r, "w", "F32", rows, cols)
	h, err := quant.NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, cols)
	for range 64 { // fewer vectors than columns, all similar: most errors have no effect
		for i := range x {
			x[i] = float32(1 + math.Sin(float64(i)/20) + .05*r.NormFloat64())
		}
		h.Add(x)
	}
	source := openSource(t, w)
	floats := floats(t, source, "w")
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int2, datatype.Int8, datatype.NVFP4} {
		for name, c := range map[string]quant.Config{
			"plain":      {Type: typ},
			"feedback":   {Type: typ, Feedback: &quant.Feedback{Hessian: h}},
			"search":     {Type: typ, Search: true},
			"importance": {Type: typ, Search: true, Importance: h.Importance()},
		} {
			m, err := quant.Group(floats, cols, c)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := Save(context.Background(), path, []Entry{{Name: "w", Matrix: m}}, SaveOptions{}); err != nil {
				t.Fatal(err)
			}
			q := open(t, path)
			vs, err := Verify(context.Background(), q, source, nil)
			if err != nil {
				t.Errorf("%v, %s: %v", typ, name, err)
			} else {
				t.Logf("%v, %s: %.1f dB", typ, name, vs[0].Stats.SQNR())
			}
			if _, err := Verify(context.Background(), q, openSource(t, other), nil); !errors.Is(err, ErrOriginal) {
				t.Errorf("%v, %s, of other weights: %v", typ, name, err)
			}
		}
	}
}

// TestVerifyDequantized compares plain floats with their source.
func TestVerifyDequantized(t *testing.T) {
	c := openSource(t, model(3)...)
	for _, dtype := range []string{"BF16", "F16", "F32"} {
		dst := t.TempDir()
		if _, err := Dequantize(context.Background(), c, dst, DequantizeOptions{DType: dtype}); err != nil {
			t.Fatal(err)
		}
		d := open(t, dst)
		if _, err := Verify(context.Background(), d, c, nil); err != nil {
			t.Errorf("%s: %v", dtype, err)
		}
		if _, err := Verify(context.Background(), d, openSource(t, nudged(model(3), .02)...), nil); !errors.Is(err, ErrOriginal) {
			t.Errorf("%s: %v", dtype, err)
		}
	}
}

func TestVerifyQuantizedOriginal(t *testing.T) {
	q := open(t, quantizedModel(t))
	found, err := Verify(t.Context(), q, q, nil)
	if !errors.Is(err, ErrOriginal) || !strings.Contains(err.Error(), "already quantized in the given original, as bitmod4") {
		t.Errorf("a result as its own original: error is %v", err)
	}
	for _, v := range found {
		if v.Quantized {
			t.Errorf("%s is said to be right", v.Name)
		}
	}
}
