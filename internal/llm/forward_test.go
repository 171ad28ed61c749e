package llm

import (
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// reference computes the logits after every token in float64, plainly: token by token,
// and with rotations as products of complex numbers.
func reference(t *testing.T, m *Model, text []int) []float64 {
	t.Helper()
	c := &m.Config
	mul := func(l Linear, x []float64) []float64 {
		w, err := Weights(l)
		if err != nil {
			t.Fatal(err)
		}
		y := make([]float64, l.Rows())
		for r := range y {
			for i, v := range x {
				y[r] += float64(w[r*l.Cols()+i]) * v
			}
		}
		return y
	}
	norm := func(x []float64, w []float32) []float64 {
		sum := 0.0
		for _, v := range x {
			sum += v * v
		}
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = v / math.Sqrt(sum/float64(len(x))+c.NormEps) * float64(w[i])
		}
		return y
	}
	rotate := func(x []float64, position int) {
		for h := 0; h < len(x); h += c.HeadDim {
			for i := range c.HeadDim / 2 {
				a, b := &x[h+i], &x[h+i+c.HeadDim/2]
				if c.Rope.Interleaved {
					a, b = &x[h+2*i], &x[h+2*i+1]
				}
				angle := float64(position) * math.Pow(c.Rope.Theta, -float64(2*i)/float64(c.HeadDim))
				z := complex(*a, *b) * cmplx.Exp(complex(0, angle))
				*a, *b = real(z), imag(z)
			}
		}
	}
	keys, values := make([][][]float64, c.Layers), make([][][]float64, c.Layers)
	var out []float64
	for position, token := range text {
		x := make([]float64, c.Dim)
		row := make([]float32, c.Dim)
		if err := m.Embedding.Row(row, token); err != nil {
			t.Fatal(err)
		}
		for i, v := range row {
			x[i] = float64(v)
		}
		for i, l := range m.Layers {
			n := norm(x, l.AttentionNorm.Weight)
			q, k, v := mul(l.Linears[Query], n), mul(l.Linears[Key], n), mul(l.Linears[Value], n)
			rotate(q, position)
			rotate(k, position)
			keys[i], values[i] = append(keys[i], k), append(values[i], v)
			heads := make([]float64, len(q))
			for h := range c.Heads {
				kv := h * c.KVHeads / c.Heads * c.HeadDim
				p := make([]float64, position+1)
				sum := 0.0
				for j := range p {
					for d := range c.HeadDim {
						p[j] += q[h*c.HeadDim+d] * keys[i][j][kv+d]
					}
					p[j] = math.Exp(p[j] / math.Sqrt(float64(c.HeadDim)))
					sum += p[j]
				}
				for j := range p {
					for d := range c.HeadDim {
						heads[h*c.HeadDim+d] += p[j] / sum * values[i][j][kv+d]
					}
				}
			}
			for j, v := range mul(l.Linears[Output], heads) {
				x[j] += v
			}
			n = norm(x, l.FeedForwardNorm.Weight)
			gate, up := mul(l.Linears[Gate], n), mul(l.Linears[Up], n)
			for j, g := range gate {
				gate[j] = g / (1 + math.Exp(-g)) * up[j]
			}
			for j, v := range mul(l.Linears[Down], gate) {
				x[j] += v
			}
		}
		out = append(out, mul(m.Classifier, norm(x, m.Norm.Weight))...)
	}
	return out
}

func TestForwardAgainstReference(t *testing.T) {
	for _, interleaved := range []bool{false, true} {
		for _, tied := range []bool{false, true} {
			c := tinyConfig
			c.Rope.Interleaved = interleaved
			m := tiny(t, c, weights{1, tied})
			text := tokens(&c, 50, 1)
			got, want := logits(t, m, text, len(text), 1, KV{}), reference(t, m, text)
			for i, w := range want {
				if math.Abs(float64(got[i])-w) > 2e-5 {
					t.Fatalf("interleaved %v, tied %v: logit %d after token %d is %v, want %v",
						interleaved, tied, i%c.Vocab, i/c.Vocab, got[i], w)
				}
			}
		}
	}
}

// Logits are the same bits for any division of a text, any number of goroutines, and any
// other texts in the batch.
func TestForwardIsDeterministic(t *testing.T) {
	c := tinyConfig
	c.Hidden = 600 // enough work to be shared out
	float := tiny(t, c, weights{1, false})
	for _, q := range []*Quantizer{
		nil,
		{Config: quant.Config{Type: datatype.BitMoD3, GroupSize: 8}},
		{Config: quant.Config{Type: datatype.BitMoD4, GroupSize: 16}, All: true, Activations: Int8},
		{Config: quant.Config{Type: datatype.BitMoD4, GroupSize: 16}, Unpack: true},
	} {
		m := float
		if q != nil {
			m = replace(t, float, q.Make)
		}
		for _, kv := range []KV{{}, {Quantize: true, Type: datatype.BitMoD4}} {
			text := tokens(&c, 61, 7)
			want := logits(t, m, text, len(text), 1, kv)
			for _, x := range []struct{ chunk, workers int }{{1, 1}, {1, 3}, {17, 2}, {61, 5}} {
				if got := logits(t, m, text, x.chunk, x.workers, kv); !slices.Equal(got, want) {
					t.Errorf("%+v, %+v: chunks of %d on %d goroutines differ by %g from one chunk on one",
						q, kv, x.chunk, x.workers, maxDiff(got, want))
				}
			}
		}
	}
}

func TestForwardManySequences(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	v := m.Config.Vocab
	r := NewRunner(m, 2)
	defer r.Close()
	var (
		chunks []Chunk
		want   []float32
	)
	for i, n := range []int{5, 1, 20, 0, 9} {
		s, err := m.NewSequence(KV{})
		if err != nil {
			t.Fatal(err)
		}
		text := tokens(&m.Config, n+1, uint64(i))[:n]
		chunks = append(chunks, Chunk{s, text})
		if n > 0 {
			want = append(want, logits(t, m, text, n, 1, KV{})...)
		}
	}
	if err := r.Forward(chunks...); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(want))
	if err := r.Logits(got, 0, len(want)/v); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("texts together differ by %g from each alone", maxDiff(got, want))
	}
	for i, ch := range chunks {
		if ch.Sequence.Len() != len(ch.Tokens) {
			t.Errorf("sequence %d has %d tokens, want %d", i, ch.Sequence.Len(), len(ch.Tokens))
		}
	}
}

func TestForwardErrors(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	r := NewRunner(m, 1)
	defer r.Close()
	s, err := m.NewSequence(KV{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Forward(Chunk{s, make([]int, m.Config.Context-1)}); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]int{{0, 0}, {-1}, {m.Config.Vocab}} {
		if err := r.Forward(Chunk{s, bad}); err == nil {
			t.Errorf("tokens %d after %d: no error", bad, s.Len())
		}
	}
	if err := r.Forward(Chunk{s, []int{0}}); err != nil {
		t.Errorf("after errors about tokens: %v", err)
	}
	v := m.Config.Vocab
	for _, bad := range [][3]int{{v, 0, 2}, {v, -1, 0}, {v, 1, 2}, {v - 1, 0, 1}} {
		if err := r.Logits(make([]float32, bad[0]), bad[1], bad[2]); err == nil {
			t.Errorf("Logits(make(%d), %d, %d): no error", bad[0], bad[1], bad[2])
		}
	}
}

// The observer sees the input of every matrix.
func TestObserve(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	r := NewRunner(m, 1)
	defer r.Close()
	var places []string
	r.Observe = func(p Place, x []float32, n int) {
		_, cols := m.Config.Size(p)
		if n != 7 && p.Kind != Classifier || len(x) != n*cols {
			t.Errorf("%v: %d vectors and %d elements", p, n, len(x))
		}
		places = append(places, p.String())
	}
	s, _ := m.NewSequence(KV{})
	if err := r.Forward(Chunk{s, tokens(&m.Config, 7, 1)}); err != nil {
		t.Fatal(err)
	}
	if err := r.Logits(make([]float32, m.Config.Vocab), 6, 7); err != nil {
		t.Fatal(err)
	}
	var want []string
	for i := range m.Layers {
		for _, k := range []Kind{Query, Output, Gate, Down} {
			want = append(want, fmt.Sprintf("layers.%d.%s", i, kindNames[k]))
		}
	}
	want = append(want, "lm_head")
	if !slices.Equal(places, want) {
		t.Errorf("saw %q, want %q", places, want)
	}
}

func replace(t testing.TB, m *Model, maker Maker) *Model {
	t.Helper()
	r, err := m.Replace(maker)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A model quantized to 8 bits has nearly the same logits. Packed and unpacked weights
// differ only by rounding.
func TestReplace(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	text := tokens(&m.Config, 30, 1)
	want := logits(t, m, text, 30, 1, KV{})
	c := quant.Config{Type: datatype.Int8, GroupSize: 8}
	packed := replace(t, m, Quantizer{Config: c, All: true}.Make)
	got := logits(t, packed, text, 30, 1, KV{})
	if d := maxDiff(got, want); d == 0 || d > 0.3 {
		t.Errorf("int8 weights change logits by %g", d)
	}
	if !packed.Tied() {
		t.Error("the classifier is not the embedding any more")
	}
	unpacked := replace(t, m, Quantizer{Config: c, All: true, Unpack: true}.Make)
	if d := maxDiff(got, logits(t, unpacked, text, 30, 1, KV{})); d > 1e-5 {
		t.Errorf("packed and unpacked weights differ by %g", d)
	}
	if packed.Bytes() != unpacked.Bytes() || packed.BitsPerWeight() != unpacked.BitsPerWeight() {
		t.Errorf("packed %d bytes, unpacked %d", packed.Bytes(), unpacked.Bytes())
	}
	int8s := replace(t, m, Quantizer{Config: c, All: true, Activations: Int8}.Make)
	if d := maxDiff(got, logits(t, int8s, text, 30, 1, KV{})); d == 0 || d > 0.3 {
		t.Errorf("8-bit activations change logits by %g", d)
	}
	if _, err := m.Replace(func(p Place, w []float32, cols int) (Linear, error) {
		return newDense(w[cols:], cols), nil
	}); err == nil {
		t.Error("matrices of another size: no error")
	}
	// An error of quantization names the place.
	bad := tiny(t, tinyConfig, weights{1, true})
	bad.Layers[1].Linears[Up].(*dense).w[5] = float32(math.NaN())
	if _, err := bad.Replace(Quantizer{}.Make); err == nil || err.Error() != "layers.1.mlp.up_proj: quant: weight at row 0, column 5 is NaN" {
		t.Errorf("NaN among the weights: error %v", err)
	}
}
