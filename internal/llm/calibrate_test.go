package llm

import (
	"math"
	"testing"
)

func TestMoments(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	blocks := [][]int{tokens(&m.Config, 64, 1), {}, tokens(&m.Config, 3, 2)}
	got, err := Moments(m, blocks)
	if err != nil {
		t.Fatal(err)
	}
	m.Each(func(p Place, l Linear) {
		if p.Kind != Embedding && len(got[p]) != l.Cols() {
			t.Errorf("%v: %d moments, want %d", p, len(got[p]), l.Cols())
		}
	})
	// The input of the first layer is the embedding after RMSNorm.
	want := make([]float64, m.Config.Dim)
	row, norm := make([]float32, m.Config.Dim), make([]float32, m.Config.Dim)
	for _, b := range blocks {
		for _, token := range b {
			if err := m.Embedding.Row(row, token); err != nil {
				t.Fatal(err)
			}
			rmsNorm(norm, row, m.Layers[0].AttentionNorm.Weight, m.Config.NormEps)
			for i, v := range norm {
				want[i] += float64(v) * float64(v) / 67
			}
		}
	}
	for i, w := range want {
		for _, k := range []Kind{Query, Key, Value} {
			if g := got[Place{Layer: 0, Kind: k}][i]; math.Abs(g-w) > 1e-12*w {
				t.Errorf("%v, column %d: %v, want %v", Place{Layer: 0, Kind: k}, i, g, w)
			}
		}
	}
	if _, err := Moments(m, [][]int{{-1}}); err == nil {
		t.Error("a token that is none: no error")
	}
}
