package llm

import (
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// uneven is a model in which some channels have much larger activations than others, so
// that scales help.
func uneven(t testing.TB, c Config) *Model {
	m := tiny(t, c, weights{1, true})
	for i := range m.Layers {
		l := &m.Layers[i]
		for j := range l.AttentionNorm.Weight {
			if j%5 == 0 {
				l.AttentionNorm.Weight[j] *= 10
				l.FeedForwardNorm.Weight[(j+2)%len(l.FeedForwardNorm.Weight)] *= 8
			}
		}
		for _, k := range []Kind{Value, Up} {
			w, err := Weights(l.Linears[k])
			if err != nil {
				t.Fatal(err)
			}
			w = slices.Clone(w)
			for j := range w {
				if j/l.Linears[k].Cols()%4 == 1 {
					w[j] *= 6
				}
			}
			l.Linears[k] = newDense(w, l.Linears[k].Cols())
		}
	}
	return m
}

// Scales folded into float32 weights change outputs only by rounding.
func TestScaleChannels(t *testing.T) {
	for name, c := range map[string]Config{"grouped queries": tinyConfig, "llama2c": llama2cConfig} {
		m := uneven(t, c)
		cal := NewCalibration(t.Context(), m, [][]int{tokens(&m.Config, 64, 1), tokens(&m.Config, 50, 2)})
		hs, err := cal.hessians()
		if err != nil {
			t.Fatal(err)
		}
		scaled := *m
		scaled.Layers = slices.Clone(m.Layers)
		divided := make([]layerHessians, len(hs))
		q := quant.Config{Type: datatype.BitMoD3, GroupSize: 8}
		for i, l := range m.Layers {
			if scaled.Layers[i], divided[i], err = scaleChannels(&m.Config, l, q, hs[i]); err != nil {
				t.Fatal(err)
			}
			if slices.Equal(scaled.Layers[i].AttentionNorm.Weight, l.AttentionNorm.Weight) || slices.Equal(scaled.Layers[i].FeedForwardNorm.Weight, l.FeedForwardNorm.Weight) {
				t.Errorf("%s, layer %d: no scales in a norm", name, i)
			}
			for _, k := range []Kind{Value, Up} { // V has its columns scaled, too
				before, _ := Weights(l.Linears[k])
				after, _ := Weights(scaled.Layers[i].Linears[k])
				if slices.Equal(before, after) {
					t.Errorf("%s, layer %d: %s is what it was", name, i, kindNames[k])
				}
			}
		}
		text := tokens(&m.Config, 40, 3)
		want := logits(t, m, text, len(text), 1, KV{})
		got := logits(t, &scaled, text, len(text), 1, KV{})
		if d := maxDiff(got, want); d == 0 || d > 1e-4 {
			t.Errorf("%s: logits differ by %v", name, d)
		}
		// The returned Hessians are those of the scaled model.
		again, err := NewCalibration(t.Context(), &scaled, cal.blocks).hessians()
		if err != nil {
			t.Fatal(err)
		}
		for i := range again {
			for j := range again[i] {
				got, want := divided[i][j].Importance(), again[i][j].Importance()
				for col := range want {
					if d := got[col] - want[col]; d > 1e-3*want[col] || d < -1e-3*want[col] {
						t.Errorf("%s, layer %d, input %d, column %d: mean square %v, want %v", name, i, j, col, got[col], want[col])
					}
				}
			}
		}
	}
}

func TestValueOf(t *testing.T) {
	c := Config{Heads: 4, KVHeads: 2, HeadDim: 3}
	if got, want := c.valueOf(), []int{0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5}; !slices.Equal(got, want) {
		t.Errorf("values %d, want %d", got, want)
	}
}
