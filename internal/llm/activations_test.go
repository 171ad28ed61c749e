package llm

import (
	"math"
	"sync"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

// TestActivations measures the errors that the forms of activations cause in the outputs
// of layers while a model reads a text: the embedded model, and smollm2 of BITMOD_MODELS.
// Errors are relative to the outputs with float32 activations, as root mean squares over
// all outputs of a matrix. It also tries 8-bit integers in smaller blocks.
func TestActivations(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { testActivations(t, embeddedDir, 64) })
	t.Run("smollm2", func(t *testing.T) { testActivations(t, models(t, "smollm2"), 64) })
}

func testActivations(t *testing.T, path string, tokens int) {
	if testing.Short() {
		t.Skip("it multiplies everything many times")
	}
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := f.Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	texts, err := SampleTexts(t.Context(), m, 1, tokens, 5)
	if err != nil {
		t.Fatal(err)
	}
	seen := activationErrors{all: map[Kind][]outputError{}}
	m, err = m.ReplaceSome(func(p Place) bool { return p.Layer >= 0 }, func(p Place, w []float32, cols int) (Linear, error) {
		q, err := quant.Group(w, cols, quant.Config{Type: datatype.BitMoD4})
		return &watched{newDense(w, cols), q, p, &seen}, err
	})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSequence(KV{})
	if err != nil {
		t.Fatal(err)
	}
	r := NewRunner(m, 1)
	defer r.Close()
	if err := r.Forward(Chunk{s, texts[0]}); err != nil {
		t.Fatal(err)
	}
	t.Logf("%-18s %9s %9s %9s %9s", "outputs", "int8/128", "int8/64", "int8/32", "int16")
	var worst outputError
	for kind := range Embedding {
		least, most := outputError{1, 1, 1, 1}, outputError{}
		for _, e := range seen.all[kind] {
			for i, v := range e {
				least[i], most[i], worst[i] = min(least[i], v), max(most[i], v), max(worst[i], v)
			}
		}
		t.Logf("%-18s %9.5f %9.5f %9.5f %9.6f least", kindNames[kind], least[0], least[1], least[2], least[3])
		t.Logf("%-18s %9.5f %9.5f %9.5f %9.6f most", "", most[0], most[1], most[2], most[3])
	}
	if worst[3] > worst[0]/100 {
		t.Errorf("errors are up to %v with 16 bits, %v with 8", worst[3], worst[0])
	}
}

// An outputError has the errors of the outputs of a matrix: with int8 in blocks of 128,
// 64 and 32 columns, and with int16.
type outputError [4]float64

type activationErrors struct {
	mu  sync.Mutex
	all map[Kind][]outputError
}

// A watched matrix records the errors of its outputs with each form of activations.
type watched struct {
	*dense
	packed *quant.Matrix
	place  Place
	seen   *activationErrors
}

func (w *watched) Mul(dst, x []float32, n int, c *Crew) error {
	if err := w.dense.Mul(dst, x, n, c); err != nil {
		return err
	}
	cols := w.Cols()
	want, got := make([]float32, w.Rows()), make([]float32, w.Rows())
	var a kernel.Activation
	var sums outputError
	norm := 0.0
	for t := range n {
		v := x[t*cols:][:cols]
		product := func(dst []float32, err error) error {
			if err != nil {
				return err
			}
			return kernel.GEMV(dst, w.packed, &a)
		}
		if err := product(want, a.LoadFloat(v)); err != nil {
			return err
		}
		for i, load := range []func() error{
			func() error { return a.Load(v) },
			func() error { return a.LoadFloat(rounded(v, 64)) },
			func() error { return a.LoadFloat(rounded(v, 32)) },
			func() error { return a.Load16(v) },
		} {
			if err := product(got, load()); err != nil {
				return err
			}
			for j, y := range want {
				sums[i] += math.Pow(float64(got[j]-y), 2)
			}
		}
		for _, y := range want {
			norm += float64(y) * float64(y)
		}
	}
	for i := range sums {
		sums[i] = math.Sqrt(sums[i] / norm)
	}
	w.seen.mu.Lock()
	defer w.seen.mu.Unlock()
	w.seen.all[w.place.Kind] = append(w.seen.all[w.place.Kind], sums)
	return nil
}

// rounded returns x rounded to 8-bit integers with a scale for each block of columns.
func rounded(x []float32, block int) []float32 {
	y := make([]float32, len(x))
	for lo := 0; lo < len(x); lo += block {
		hi := min(lo+block, len(x))
		var most float64
		for _, v := range x[lo:hi] {
			most = max(most, math.Abs(float64(v)))
		}
		for i := lo; i < hi && most > 0; i++ {
			y[i] = float32(math.RoundToEven(float64(x[i])*127/most) * most / 127)
		}
	}
	return y
}
