package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestBits has types chosen for a number of bits: with a text and without, for a language
// model and an encoder, by tensor and by row, and with statistics of activations.
func TestBits(t *testing.T) {
	model, encoder := filepath.Join("..", "..", "internal", "tinylm"), filepath.Join("..", "..", "internal", "tinyembed")
	dir := t.TempDir()
	text, statistics := filepath.Join(dir, "text"), filepath.Join(dir, "s.safetensors")
	data, err := os.ReadFile(filepath.Join("..", "..", "quant", "checkpoint", "FORMAT.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, data[:8000], 0o666); err != nil {
		t.Fatal(err)
	}
	s := calibrate.Statistics{Moments: true}
	source, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	q, _ := source.Tensor("model.layers.0.self_attn.q_proj.weight")
	x := make([]float32, q.Cols())
	for i := range x {
		x[i] = float32(i%5) + 1
	}
	if err := s.Add("model.layers.0.self_attn.q_proj.weight", 0, x, len(x)); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(t.Context(), statistics); err != nil {
		t.Fatal(err)
	}
	samples := []string{"-calibrate", text, "-nsamples", "2", "-length", "60"}
	for i, of := range []struct {
		model string
		bits  float64
		flags []string
		want  string
		exact bool // verify makes it again
	}{
		{model, 4.6, nil, "by the relative errors of weights; with -calibrate", true},
		{model, 4.6, []string{"-by-tensor"}, "by the relative errors of weights; with -calibrate", true},
		{model, 4.6, samples, "by the effect of their errors on predictions", false},
		{model, 4.6, append([]string{"-by-tensor"}, samples...), "by the effect of their errors on predictions", false},
		{model, 4.6, []string{"-calibrate", statistics}, "by the relative errors of outputs", false},
		{encoder, 4.6, nil, "by the relative errors of weights; with -calibrate", true},
		{encoder, 4.6, samples, "by the relative errors of outputs", false},
		{model, 7.4, samples, "by the effect of their errors on predictions", false},
	} {
		dst := filepath.Join(dir, "out", string(rune('a'+i)))
		args := append([]string{"-in", of.model, "-out", dst, "-bits", fmt.Sprint(of.bits)}, of.flags...)
		out := program.Must(t, args...)
		if !strings.Contains(out, fmt.Sprintf(" tensors for %v bits a weight %s", of.bits, of.want)) || !strings.Contains(out, " % of the weights are ") {
			t.Errorf("%q:\n%s", of.flags, out)
		}
		if again := program.Must(t, args...); !strings.Contains(again, "was finished already") {
			t.Errorf("%q again:\n%s", of.flags, again)
		}
		out = program.Must(t, "verify", dst, "-original", of.model)
		if strings.Contains(out, "are calibrated: the original alone does not determine") == of.exact {
			t.Errorf("%q: verify:\n%s", of.flags, out)
		}
		c, err := checkpoint.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		var bytes, weights int64
		types := make(map[checkpoint.Part]bool)
		for _, x := range c.Tensors() {
			if !x.Quantized {
				if x.Role == checkpoint.RoleLinear || x.Role == checkpoint.RoleEmbedding {
					t.Errorf("%q: %s is not quantized", of.flags, x.Name)
				}
				continue
			}
			bytes += x.Bytes
			weights += x.Elements()
			types[checkpoint.Part{Type: x.Type, GroupSize: x.GroupSize}] = true
			for _, p := range x.Parts {
				types[checkpoint.Part{Type: p.Type, GroupSize: p.GroupSize}] = true
			}
		}
		c.Close()
		if b := 8 * float64(bytes) / float64(weights); !(b <= of.bits && b > of.bits-.2) || len(types) < 3 {
			t.Errorf("%q: %.3f bits a weight, of types %v", of.flags, b, types)
		}
	}
}

// Without calibration a tensor is worth its relative error.
func TestRelativeWorths(t *testing.T) {
	source, err := checkpoint.Open(filepath.Join("..", "..", "internal", "tinylm"))
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	o := options{parts: 1}
	tensors, err := o.toShare(source)
	if err != nil {
		t.Fatal(err)
	}
	configs := bitsConfigs(manyBits)
	worths, err := relativeWorths(t.Context(), source, tensors[:3], configs, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, x := range worths {
		w, err := weightsOf(source, tensors[i])
		if err != nil {
			t.Fatal(err)
		}
		for j, c := range configs {
			m, err := quant.Group(w, x.Cols, c)
			if err != nil {
				t.Fatal(err)
			}
			rep, err := quant.Measure(w, m, nil)
			if err != nil {
				t.Fatal(err)
			}
			want := rep.NMSE
			if tensors[i].Role == checkpoint.RoleEmbedding {
				want *= headShare * 2
			}
			if got := tensorChoices(&x)[j]; !(got.Loss > .999*want && got.Loss < 1.001*want) || got.Bytes > m.Bytes() || got.Bytes < m.Bytes()*9/10 {
				t.Errorf("%s: %+v, want %g and %d bytes", x.Tensor, got, want, m.Bytes())
			}
		}
	}
}
