package llm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// loss returns the loss of Gradients, in float64.
func loss(t *testing.T, m *Model, block []int) float64 {
	t.Helper()
	l := reference(t, m, block)
	v := m.Config.Vocab
	sum := 0.0
	for i, next := range block[1:] {
		z := 0.0
		for _, x := range l[i*v : (i+1)*v] {
			z += math.Exp(x)
		}
		sum += math.Log(z) - l[i*v+next]
	}
	return sum
}

// TestGradients compares the gradient of every matrix with differences of the loss along
// a random direction.
func TestGradients(t *testing.T) {
	for name, c := range map[string]Config{"tiny": tinyConfig, "llama2c": llama2cConfig} {
		m := tiny(t, c, weights{1, true})
		block := tokens(&m.Config, 20, 7)
		r := rand.New(rand.NewPCG(1, 9))
		directions := map[Place][]float32{}
		m.Each(func(p Place, l Linear) {
			d := make([]float32, l.Rows()*l.Cols())
			for i := range d {
				d[i] = float32(r.NormFloat64())
			}
			directions[p] = d
		})
		got := map[Place]float64{}
		err := Gradients(m, [][]int{block, {m.Config.BOS}}, func(p Place, x, g []float32, n int) error {
			d := directions[p]
			rows, cols := m.Config.Size(p)
			if n != len(block) || len(x) != n*cols || len(g) != n*rows {
				t.Fatalf("%v: %d vectors, %d inputs, %d gradients", p, n, len(x), len(g))
			}
			for v := range n {
				for row := range rows {
					for col := range cols {
						got[p] += float64(g[v*rows+row]) * float64(d[row*cols+col]) * float64(x[v*cols+col])
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != c.Layers*len(Layer{}.Linears) {
			t.Errorf("%s: gradients of %d matrices", name, len(got))
		}
		for p, g := range got {
			l := &m.Layers[p.Layer].Linears[p.Kind]
			before := *l
			w, err := Weights(before)
			if err != nil {
				t.Fatal(err)
			}
			const step = 1.0 / 1024
			at := func(sign float32) float64 {
				moved := slices.Clone(w)
				for i, d := range directions[p] {
					moved[i] += sign * step * d
				}
				*l = newDense(moved, before.Cols())
				defer func() { *l = before }()
				return loss(t, m, block)
			}
			want := (at(1) - at(-1)) / (2 * step)
			if math.Abs(g-want) > 1e-3*math.Abs(want)+1e-2 {
				t.Errorf("%s, %v: gradient %v, want %v", name, p, g, want)
			}
		}
	}
}

func TestGradientsErrors(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	if err := Gradients(m, [][]int{{0, -1}}, func(Place, []float32, []float32, int) error { return nil }); err == nil {
		t.Error("a token that is none: no error")
	}
	bad := &formatError{"stop"}
	if err := Gradients(m, [][]int{{0, 1}}, func(Place, []float32, []float32, int) error { return bad }); err != bad {
		t.Errorf("error %v, want observe's", err)
	}
}
