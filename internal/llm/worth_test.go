package llm

import (
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestWorths compares the estimated effect of a tensor's errors on the divergence with
// the measured one.
func TestWorths(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads texts with float32 weights, which takes a minute without assembly")
	}
	f, err := OpenFile(embeddedDir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := f.Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := SampleTexts(t.Context(), m, 6, 128, 5)
	if err != nil {
		t.Fatal(err)
	}
	configs := []quant.Config{{Type: datatype.BitMoD3, GroupSize: 64}, {Type: datatype.BitMoD4, GroupSize: 64}, {Type: datatype.Int6, GroupSize: 64}}
	worths, err := f.Worths(t.Context(), texts, configs)
	if err != nil {
		t.Fatal(err)
	}
	e, err := NewEvaluator(t.Context(), m, texts, nil)
	if err != nil {
		t.Fatal(err)
	}
	places := make(map[string]Place)
	s := f.source.(*checkpointSource)
	for _, p := range m.places() {
		places[s.at(p.tensor()).name] = p
	}
	if len(worths) != len(places) {
		t.Fatalf("%d tensors, want %d", len(worths), len(places))
	}
	weights := 0
	for _, w := range worths {
		p := places[w.Tensor]
		weights += w.Rows() * w.Cols
		var losses []float64
		for i := range configs {
			sum := 0.0
			for _, l := range w.Losses[i] {
				sum += float64(l)
			}
			if losses = append(losses, sum); i > 0 && !(sum < losses[i-1] && w.RowBytes[i] > w.RowBytes[i-1]) {
				t.Errorf("%s: losses %v, %v bytes a row", w.Tensor, losses, w.RowBytes)
			}
		}
		if p.Layer > 0 && p.Kind != Down { // enough of them
			continue
		}
		q, err := m.ReplaceSome(func(at Place) bool { return at == p }, Quantizer{Config: configs[1], All: true, Unpack: true}.Make)
		if err != nil {
			t.Fatal(err)
		}
		score, err := e.Score(q, KV{})
		if err != nil {
			t.Fatal(err)
		}
		ratio := losses[1] / score.KL.Mean
		t.Logf("%-40s %.5f, KL %.5f", w.Tensor, losses[1], score.KL.Mean)
		if !(ratio > 0.3 && ratio < 3) {
			t.Errorf("%s: errors are said to add %g, the divergence is %g", w.Tensor, losses[1], score.KL.Mean)
		}
	}
	sum := 0
	m.Each(func(_ Place, l Linear) { sum += l.Rows() * l.Cols() })
	if weights != sum {
		t.Errorf("%d weights, want %d", weights, sum)
	}
	if _, err := f.Worths(t.Context(), nil, configs); err == nil {
		t.Error("no texts: no error")
	}
}
