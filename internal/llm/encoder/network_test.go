package encoder

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// calibrateDir quantizes a model with texts and returns the gains.
func calibrateDir(t *testing.T, dir, out string, texts [][]int) []calibrate.Gain {
	t.Helper()
	source, err := checkpoint.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	f, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := f.NewNetwork(texts, true)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	calibration := calibrate.GPTQ()
	var gains []calibrate.Gain
	calibration.Report = func(g calibrate.Gain) { gains = append(gains, g) }
	s := calibrate.NewSequential(n, calibration)
	p, err := checkpoint.NewPlan(source, checkpoint.Options{
		Config: quant.Config{Type: datatype.BitMoD4, GroupSize: 8, Search: true}, Calibrator: s, ShardSize: 4000,
		Rules: checkpoint.Rules{Types: []checkpoint.TypeRule{{Pattern: "embeddings", Type: datatype.Int8, GroupSize: 16}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), out, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return gains
}

// TestNetwork calibrates models of every family, and goes on after an interruption.
func TestNetwork(t *testing.T) {
	for _, dir := range fixtures(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var texts [][]int
			for _, e := range expectations(t, dir) {
				texts = append(texts, e.IDs)
			}
			out := t.TempDir()
			gains := calibrateDir(t, dir, out, texts)
			var plain, calibrated float64
			seen := 0
			for _, g := range gains {
				plain += g.Plain
				calibrated += g.Calibrated
				if g.Vectors > 0 {
					seen++
				}
			}
			t.Logf("errors of outputs: %.4g, calibrated %.4g", plain, calibrated)
			_, m := load(t, out, Options{})
			if !(calibrated < plain) || seen != 6*m.Config.Layers {
				t.Errorf("errors of outputs of %d matrices are %g, with the paper's choice %g", seen, calibrated, plain)
			}
			files := dirtest.Files(t, out)
			shards := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(s string) bool { return filepath.Ext(s) != ".safetensors" })
			if len(shards) < 3 {
				t.Fatalf("files %q", shards)
			}
			if err := os.Remove(filepath.Join(out, shards[len(shards)/2])); err != nil {
				t.Fatal(err)
			}
			if again := calibrateDir(t, dir, out, texts); len(again) >= len(gains) {
				t.Errorf("%d matrices were calibrated again, of %d", len(again), len(gains))
			}
			for name, data := range dirtest.Files(t, out) {
				if !bytes.Equal(data, files[name]) {
					t.Errorf("%s is another after an interruption", name)
				}
			}
		})
	}
}

// TestNetworkObserve checks that Hessians are sums over the vectors that the model
// multiplies its matrices by.
func TestNetworkObserve(t *testing.T) {
	for _, dir := range fixtures(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			f, m := load(t, dir, Options{})
			var texts [][]int
			for _, e := range expectations(t, dir) {
				texts = append(texts, e.IDs)
			}
			sum := func(to map[string]float64, name string, x []float32) {
				for _, v := range x {
					to[name] += float64(v) * float64(v)
				}
			}
			want, got := map[string]float64{}, map[string]float64{}
			r := NewRunner(m, 1)
			defer r.Close()
			r.observe = func(w *linear, x []float32, _ int) error {
				for i := range m.layers {
					for _, l := range m.layers[i].linears(&m.Config.family.names) {
						if l.linear == w {
							sum(want, f.prefix+m.Config.family.names.of(i, l.name)+weight, x)
						}
					}
				}
				return nil
			}
			for _, text := range texts {
				if err := r.Forward(text); err != nil {
					t.Fatal(err)
				}
			}
			n, err := f.NewNetwork(texts, true)
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			for step := range stages * m.Config.Layers {
				err := n.Observe(t.Context(), step, func(in calibrate.Inputs) error {
					sum(got, in.Name, in.X)
					if in.Float != nil && !slices.Equal(in.X, in.Float) || slices.ContainsFunc(in.Lost, func(x float32) bool { return x != 0 }) {
						t.Errorf("step %d: %s is not what it was, though nothing was quantized", step, in.Name)
					}
					return nil
				})
				if err == nil {
					err = n.Advance(t.Context(), step)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if len(want) != 6*m.Config.Layers || len(got) != 4*m.Config.Layers {
				t.Errorf("%d inputs of %d matrices", len(got), len(want))
			}
			for name, w := range want {
				if g := got[n.Find(name, 0).Input]; !(g/w < 1+1e-5 && g/w > 1-1e-5) {
					t.Errorf("%s: squares of %g, want %g", name, g, w)
				}
			}
		})
	}
}
