package llm

import (
	"bytes"
	"errors"
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
func calibrateDir(t *testing.T, dir, out string, texts [][]int, o calibrate.Options, plan checkpoint.Options) []calibrate.Gain {
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
	n, err := f.NewNetwork(texts, o.Correction != 0)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	var gains []calibrate.Gain
	o.Report = func(g calibrate.Gain) { gains = append(gains, g) }
	s := calibrate.NewSequential(n, o)
	plan.Calibrator = s
	p, err := checkpoint.NewPlan(source, plan)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), out, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	return gains
}

// TestNetworkQuantizes compares the result of calibration with matrices made here, stage
// by stage.
func TestNetworkQuantizes(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads texts with float32 weights, which takes a minute without assembly")
	}
	m, err := Load(embeddedDir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts := [][]int{tokens(&m.Config, 100, 1), tokens(&m.Config, 9, 2), tokens(&m.Config, 60, 3)}
	config := quant.Config{Type: datatype.BitMoD3, GroupSize: 32, Search: true}
	for _, all := range []bool{false, true} {
		o := checkpoint.Options{Config: config, ShardSize: 300e3}
		if all {
			o.Types = []checkpoint.TypeRule{{Pattern: "embeddings", Type: datatype.BitMoD4, GroupSize: 64}}
		}
		out := t.TempDir()
		gains := calibrateDir(t, embeddedDir, out, texts, calibrate.GPTQ(), o)
		got, err := Load(out, Options{Packed: Quantizer{Unpack: true}.Packed})
		if err != nil {
			t.Fatal(err)
		}
		want := byStages(t, m, texts, config, calibrate.GPTQ())
		got.Each(func(p Place, l Linear) {
			if p.Layer < 0 {
				return
			}
			a, _ := l.(*unpacked).matrix.AppendBinary(nil)
			b, _ := want[p].AppendBinary(nil)
			if !bytes.Equal(a, b) {
				t.Errorf("%v differs from that made in memory", p)
			}
		})
		var last calibrate.Gain
		for _, g := range gains {
			if g.Step < last.Step || g.Vectors != 169 || !(g.Calibrated < g.Plain) {
				t.Errorf("%+v after %+v", g, last)
			}
			last = g
		}
		if all != (last.Layer == m.Config.Layers) {
			t.Errorf("the last layer is %d", last.Layer)
		}
	}
}

// byStages quantizes the matrices of m's layers.
func byStages(t *testing.T, m *Model, texts [][]int, config quant.Config, o calibrate.Options) map[Place]*quant.Matrix {
	t.Helper()
	s, err := newStream(t.Context(), m, texts)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	was, err := newStream(t.Context(), m, texts)
	if err != nil {
		t.Fatal(err)
	}
	defer was.close()
	made := map[Place]*quant.Matrix{}
	minus := func(a, b []float32) []float32 {
		d := slices.Clone(a)
		for i, x := range b {
			d[i] -= x
		}
		return d
	}
	for i := range m.Layers {
		for stage, kinds := range inputs {
			rows, cols := m.Layers[i].Linears[kinds[0]].Rows(), m.Layers[i].Linears[kinds[0]].Cols()
			h, err := quant.NewHessian(cols)
			if err != nil {
				t.Fatal(err)
			}
			lost := quant.Lost{Share: o.Correction}
			adds := stage == stageOutput || stage == stageDown
			if adds {
				lost.Outputs, err = quant.NewCross(rows, cols)
			} else {
				lost.Inputs, err = quant.NewCross(cols, cols)
			}
			for j := range s.batches {
				b, f := &s.batches[j], &was.batches[j]
				x := s.input(i, stage, b)
				err = errors.Join(err, h.Add(x))
				d := minus(was.input(i, stage, f), x)
				if !adds {
					err = errors.Join(err, lost.Inputs.Add(d, x))
					continue
				}
				y, stream := make([]float32, b.n*rows), minus(f.x, b.x)
				err = errors.Join(err, m.Layers[i].Linears[kinds[0]].Mul(y, d, b.n, s.r.crew))
				for k := range y {
					y[k] += stream[k]
				}
				err = errors.Join(err, lost.Outputs.Add(y, x))
			}
			if err != nil {
				t.Fatal(err)
			}
			f := *o.Feedback
			f.Hessian = h
			config.Feedback = &f
			for _, k := range kinds {
				w, err := Weights(m.Layers[i].Linears[k])
				if err == nil {
					w, err = f.Correct(t.Context(), w, cols, lost)
				}
				if err != nil {
					t.Fatal(err)
				}
				q, err := quant.Group(w, cols, config)
				if err != nil {
					t.Fatal(err)
				}
				made[Place{Layer: i, Kind: k}] = q
				if s.model.Layers[i].Linears[k], err = Unpacked(q, 0, q.Rows()); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(s.advance(i, stage), was.advance(i, stage)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return made
}

// TestNetworkFamilies calibrates models of every family, in their own files and shards,
// and goes on after an interruption.
func TestNetworkFamilies(t *testing.T) {
	for _, dir := range familyModels(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var texts [][]int
			for _, j := range readJudged(t, dir) {
				texts = append(texts, j.IDs)
			}
			o := checkpoint.Options{Config: quant.Config{Type: datatype.BitMoD4, GroupSize: 8, Search: true}, ShardSize: 5000}
			out := t.TempDir()
			gains := calibrateDir(t, dir, out, texts, calibrate.GPTQ(), o)
			if len(gains) == 0 {
				t.Fatal("nothing was calibrated")
			}
			var plain, calibrated float64
			for _, g := range gains {
				plain += g.Plain
				calibrated += g.Calibrated
			}
			t.Logf("errors of outputs: %.4g, calibrated %.4g", plain, calibrated)
			if !(calibrated < plain) {
				t.Errorf("errors of outputs are %g, with the paper's choice %g", calibrated, plain)
			}
			if _, err := Load(out, Options{}); err != nil {
				t.Fatal(err)
			}
			verifyDir(t, out, dir)
			files := dirtest.Files(t, out)
			shards := slices.DeleteFunc(slices.Sorted(maps.Keys(files)), func(s string) bool { return filepath.Ext(s) != ".safetensors" })
			if len(shards) < 2 {
				return
			}
			// Any file may be missing: results in the others are read again.
			for _, i := range []int{len(shards) / 2, len(shards) - 1} {
				if err := os.Remove(filepath.Join(out, shards[i])); err != nil {
					t.Fatal(err)
				}
			}
			again := calibrateDir(t, dir, out, texts, calibrate.GPTQ(), o)
			if len(again) >= len(gains) {
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

func verifyDir(t *testing.T, result, original string) {
	t.Helper()
	r, err := checkpoint.Open(result)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o, err := checkpoint.Open(original)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if _, err := checkpoint.Verify(t.Context(), r, o, nil); err != nil {
		t.Error(err)
	}
}

// Hessians are sums over the inputs of matrices, for models of every family.
func TestNetworkObserve(t *testing.T) {
	for _, dir := range familyModels(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := Load(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var texts [][]int
			for _, j := range readJudged(t, dir) {
				texts = append(texts, j.IDs)
			}
			want := map[string]float64{}
			sum := func(to map[string]float64, name string, x []float32) {
				for _, v := range x {
					to[name] += float64(v) * float64(v)
				}
			}
			for _, text := range texts {
				r := NewRunner(m, 1)
				r.Observe = func(p Place, x []float32, _ int) { sum(want, p.String(), x) }
				s, err := m.NewSequence(KV{Length: len(text)})
				if err == nil {
					err = r.Forward(Chunk{s, text})
				}
				if err == nil {
					err = r.Logits(make([]float32, len(text)*m.Config.Vocab), 0, len(text))
				}
				if err != nil {
					t.Fatal(err)
				}
				r.Close()
			}
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
			got := map[string]float64{}
			for step := range stages*m.Config.Layers + 1 {
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
			if len(got) != len(want) {
				t.Errorf("inputs %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			for name, w := range want {
				if d := got[name]/w - 1; !(d < 1e-5 && d > -1e-5) {
					t.Errorf("%s: squares of %g, want %g", name, got[name], w)
				}
			}
		})
	}
}
