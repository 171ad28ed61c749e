package llm

import (
	"math"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestCalibration compares Hessians and gradients with Moments and Gradients, which
// compute the same in another way.
func TestCalibration(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	blocks := [][]int{tokens(&m.Config, 64, 1), tokens(&m.Config, 9, 2)}
	moments, err := Moments(m, blocks)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCalibration(t.Context(), m, blocks)
	hs, err := c.hessians()
	if err != nil {
		t.Fatal(err)
	}
	for i := range hs {
		for j, kinds := range inputs {
			if hs[i][j].Vectors() != 64+9 {
				t.Errorf("layer %d, input %d: %d vectors", i, j, hs[i][j].Vectors())
			}
			for _, k := range kinds {
				want := moments[Place{Layer: i, Kind: k}]
				for col, got := range hs[i][j].Importance() {
					if math.Abs(got-want[col]) > 1e-9*want[col] {
						t.Errorf("layer %d, %s, column %d: mean square %v, want %v", i, kindNames[k], col, got, want[col])
					}
				}
			}
		}
	}
	squares, err := c.gradients()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	err = Gradients(m, blocks, func(p Place, _, g []float32, n int) error {
		if p == (Place{Layer: 1, Kind: Up}) {
			for i := 5; i < len(g); i += m.Config.Hidden {
				sum += float64(g[i]) * float64(g[i])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := squares[1][Up][5], sum/(64+9); math.Abs(got-want) > 1e-9*want {
		t.Errorf("mean square of a gradient %v, want %v", got, want)
	}
	for _, blocks := range [][][]int{nil, {{-1, 0}}} {
		if _, err := NewCalibration(t.Context(), m, blocks).gradients(); err == nil {
			t.Errorf("blocks %d: no error", blocks)
		}
	}
	if _, err := NewCalibration(t.Context(), m, [][]int{{-1}}).hessians(); err == nil {
		t.Error("a token that is none: no error")
	}
}

// divergence returns the divergence of a quantized model from its original.
func divergence(t *testing.T, m, q *Model) float64 {
	t.Helper()
	var blocks [][]int
	for i := range 6 {
		blocks = append(blocks, tokens(&m.Config, 60, uint64(100+i)))
	}
	e, err := NewEvaluator(t.Context(), m, blocks, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.Score(q, KV{})
	if err != nil {
		t.Fatal(err)
	}
	return s.KL.Mean
}

func TestRecipes(t *testing.T) {
	m := uneven(t, tinyConfig)
	var blocks [][]int
	for i := range 8 {
		blocks = append(blocks, tokens(&m.Config, 64, uint64(i)))
	}
	c := NewCalibration(t.Context(), m, blocks)
	base := quant.Config{Type: datatype.BitMoD3, GroupSize: 8}
	got := map[string]float64{}
	for name, r := range map[string]Recipe{
		"plain":      {},
		"importance": {Importance: true},
		"channels":   {Channels: true},
		"feedback":   {Feedback: &quant.Feedback{}},
		"order":      {Feedback: &quant.Feedback{ActOrder: true}},
		"sequential": {Feedback: &quant.Feedback{}, Sequential: true},
		"all":        {Feedback: &quant.Feedback{}, Channels: true, Importance: true, Sequential: true},
	} {
		r.Config = base
		q, err := c.Quantize(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got[name] = divergence(t, m, q)
		// Packed and unpacked matrices are the same.
		r.Unpack = true
		u, err := c.Quantize(r)
		if err != nil {
			t.Fatal(err)
		}
		if q.Bytes() != u.Bytes() {
			t.Errorf("%s: %d bytes, unpacked %d", name, q.Bytes(), u.Bytes())
		}
		q.Each(func(p Place, l Linear) {
			a, _ := Weights(l)
			for i, k := range u.Layers {
				if i == p.Layer {
					if b, _ := Weights(k.Linears[p.Kind]); !r.Sequential && !slices.Equal(a, b) {
						t.Errorf("%s, %v: other weights unpacked", name, p)
					}
				}
			}
		})
	}
	seen := map[float64]string{}
	for name, d := range got {
		if other, ok := seen[d]; ok {
			t.Errorf("%s is the same as %s", name, other)
		}
		seen[d] = name
	}
	for _, name := range []string{"channels", "feedback", "order", "all"} {
		if !(got[name] < got["plain"]) {
			t.Errorf("divergence %v with %s, %v without", got[name], name, got["plain"])
		}
	}
}

// Rows of several types keep to the budget, and a larger budget helps.
func TestMixedRecipe(t *testing.T) {
	m := uneven(t, tinyConfig)
	var blocks [][]int
	for i := range 4 {
		blocks = append(blocks, tokens(&m.Config, 64, uint64(i)))
	}
	c := NewCalibration(t.Context(), m, blocks)
	last := math.Inf(1)
	for _, bits := range []float64{6.5, 7, 8, 9} {
		for _, feedback := range []*quant.Feedback{nil, {}} {
			r := Recipe{Quantizer: Quantizer{Config: quant.Config{GroupSize: 32}}, Bits: bits, Feedback: feedback}
			q, err := c.Quantize(r)
			if err != nil {
				t.Fatal(err)
			}
			// A matrix with rows of one type saves a byte for each row.
			if got := q.BitsPerWeight(); got > bits || got < bits-0.2 {
				t.Errorf("%v bits a weight, want %v", got, bits)
			}
			if feedback != nil {
				continue
			}
			types := map[datatype.Type]int{}
			q.Each(func(p Place, l Linear) {
				if p.Layer < 0 {
					return
				}
				m := l.(*Quantized).Matrix
				for i := range m.Parts() {
					types[m.Part(i).Type()] += m.Part(i).Rows()
				}
			})
			if types[datatype.BitMoD3] == 0 || types[datatype.BitMoD4] == 0 {
				t.Errorf("%v bits: rows %v", bits, types)
			}
			d := divergence(t, m, q)
			if !(d < last) {
				t.Errorf("divergence %v at %v bits, %v with fewer", d, bits, last)
			}
			last = d
			// Token by token gives the same as all at once.
			text := tokens(&m.Config, 30, 9)
			if a, b := logits(t, q, text, 1, 2, KV{}), logits(t, q, text, 30, 1, KV{}); !slices.Equal(a, b) {
				t.Errorf("%v bits: other logits token by token", bits)
			}
		}
	}
	if _, err := c.Quantize(Recipe{Bits: 3}); err == nil {
		t.Error("a budget that is too small: no error")
	}
}
