package calibrate

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// known returns statistics of two tensors, one of which has two matrices.
func known(t *testing.T, moments bool) *Statistics {
	t.Helper()
	s := &Statistics{Moments: moments}
	x := newChain(0).x
	for _, err := range []error{
		s.Add("a", 0, x[:3*width], width), s.Add("a", 0, x[3*width:], width),
		s.Add("b", 2, x[:2*width], 2*width), s.Add("b", 0, nil, 2*width),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s.Share("c", "a")
	return s
}

func TestStatistics(t *testing.T) {
	x := newChain(0).x
	h, err := quant.NewHessian(width)
	if err == nil {
		err = h.Add(x)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, moments := range []bool{false, true} {
		s := known(t, moments)
		if got := s.Tensors(); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("tensors %q", got)
		}
		for _, name := range []string{"a", "c"} {
			for i, a := range s.Importance(name, 0) {
				if w := h.Importance()[i]; math.Abs(a-w) > 1e-12*w {
					t.Errorf("%s, column %d: mean square %v, want %v", name, i, a, w)
				}
			}
			if got := s.Hessian(name, 0); moments != (got == nil) || !moments && !reflect.DeepEqual(got, h) {
				t.Errorf("moments %v: Hessian of %s %v", moments, name, got)
			}
		}
		for _, at := range []struct {
			name   string
			matrix int
		}{{"b", 0}, {"b", 1}, {"b", 3}, {"b", -1}, {"d", 0}} {
			if a := s.Importance(at.name, at.matrix); a != nil {
				t.Errorf("%+v has importances %v", at, a)
			}
		}

		// A file has the same numbers, rounded.
		path := filepath.Join(t.TempDir(), "statistics.safetensors")
		if err := s.Save(t.Context(), path); err != nil {
			t.Fatal(err)
		}
		read, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(read.Tensors(), s.Tensors()) {
			t.Errorf("tensors %q", read.Tensors())
		}
		for _, at := range []struct {
			name   string
			matrix int
		}{{"a", 0}, {"b", 2}, {"c", 0}} {
			got, want := read.Importance(at.name, at.matrix), s.Importance(at.name, at.matrix)
			if len(got) != len(want) {
				t.Fatalf("%+v: %d columns, want %d", at, len(got), len(want))
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > 1e-6*want[i] {
					t.Errorf("%+v, column %d: %v, want %v", at, i, got[i], want[i])
				}
			}
		}
		read.Rename(func(name string) string { return map[string]string{"a": "z"}[name] })
		if !slices.Equal(read.Tensors(), []string{"z"}) {
			t.Errorf("renamed %q", read.Tensors())
		}
	}
	s := known(t, true)
	for _, x := range []struct {
		err  error
		want error
	}{
		{s.Add("a", 0, make([]float32, 5), 5), quant.ErrShape},
		{s.Add("a", -1, nil, width), quant.ErrShape},
		{s.Add("a", 0, make([]float32, 5), width), quant.ErrShape},
		{s.Add("a", 0, make([]float32, 5), 0), quant.ErrShape},
		{s.Add("n", 0, []float32{float32(math.NaN())}, 1), quant.ErrNotFinite},
		{known(t, false).Add("n", 0, []float32{float32(math.Inf(1))}, 1), quant.ErrNotFinite},
	} {
		if !errors.Is(x.err, x.want) {
			t.Errorf("%v, want %v", x.err, x.want)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	for name, entries := range map[string][]checkpoint.Entry{
		"nothing":   {{Name: "x", Floats: []float32{1}, Shape: []int{1}}},
		"no counts": {{Name: "x.in_sum2", Floats: []float32{1}, Shape: []int{1, 1}}},
		"few":       {{Name: "x.in_sum2", Floats: []float32{1, 2}, Shape: []int{2, 1}}, {Name: "x.counts", Floats: []float32{1}, Shape: []int{1, 1}}},
		"negative":  {{Name: "x.in_sum2", Floats: []float32{-1}, Shape: []int{1, 1}}, {Name: "x.counts", Floats: []float32{1}, Shape: []int{1, 1}}},
		"count":     {{Name: "x.in_sum2", Floats: []float32{1}, Shape: []int{1, 1}}, {Name: "x.counts", Floats: []float32{float32(math.NaN())}, Shape: []int{1, 1}}},
		"triangle":  {{Name: "x.hessian", Floats: []float32{1, 2}, Shape: []int{1, 2}}, {Name: "x.counts", Floats: []float32{1}, Shape: []int{1, 1}}},
		"both":      {{Name: "x.hessian", Floats: []float32{1}, Shape: []int{1, 1}}, {Name: "x.in_sum2", Floats: []float32{1}, Shape: []int{1, 1}}, {Name: "x.counts", Floats: []float32{1}, Shape: []int{1, 1}}},
	} {
		path := filepath.Join(t.TempDir(), "x.safetensors")
		if err := checkpoint.Save(t.Context(), path, entries, checkpoint.SaveOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStatic(t *testing.T) {
	w := newChain(1).of(0)
	w.Tensor = "a"
	for _, moments := range []bool{false, true} {
		s := known(t, moments)
		c := NewStatic(s, GPTQ())
		got, err := c.Quantize(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		config := GPTQ().config(w.Configs[0], s.Hessian("a", 0))
		if moments {
			config.Importance = s.Importance("a", 0)
		}
		want, err := quant.Group(w.Float, width, config)
		if err != nil || !same(got, want) {
			t.Errorf("moments %v: another matrix, %v", moments, err)
		}
		other := w
		other.Tensor = "nothing is known of it"
		got, err = c.Quantize(t.Context(), other)
		if want, _ := w.Group(t.Context()); err != nil || !same(got, want) {
			t.Errorf("moments %v: a tensor that nothing is known of, %v", moments, err)
		}
		again := known(t, moments)
		if NewStatic(again, GPTQ()).Settings() != c.Settings() {
			t.Error("settings differ")
		}
		if err := again.Add("a", 0, make([]float32, width), width); err != nil {
			t.Fatal(err)
		}
		if NewStatic(again, GPTQ()).Settings() == c.Settings() || NewStatic(known(t, moments), Options{}).Settings() == c.Settings() {
			t.Error("settings are the same for other statistics or options")
		}
	}
}

func TestHuggingFaceName(t *testing.T) {
	for from, want := range map[string]string{
		"blk.12.ffn_down.weight":   "model.layers.12.mlp.down_proj.weight",
		"blk.0.attn_q.weight":      "model.layers.0.self_attn.q_proj.weight",
		"output.weight":            "lm_head.weight",
		"blk.0.ffn_up_exps.weight": "blk.0.ffn_up_exps.weight",
		"x":                        "x",
	} {
		if got := HuggingFaceName(from); got != want {
			t.Errorf("%s is %s, want %s", from, got, want)
		}
	}
}

// testdata/imatrix.py writes this importance matrix of llama.cpp.
func TestLoadImatrix(t *testing.T) {
	s, err := Load(filepath.Join("testdata", "imatrix.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	s.Rename(HuggingFaceName)
	for _, x := range []struct {
		tensor string
		matrix int
		want   []float64
	}{
		{"model.layers.0.self_attn.q_proj.weight", 0, []float64{0, .25, .5, .75, 1, 1.25, 1.5, 1.75}},
		{"blk.0.ffn_up_exps.weight", 1, []float64{4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5}},
	} {
		if got := s.Importance(x.tensor, x.matrix); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.tensor, got, x.want)
		}
	}
}
