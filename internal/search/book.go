package search

import (
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
)

// A book is a codebook for search.
type book struct {
	low, high   float64 // the least and the greatest value
	highSquared float64
	steps       []step // ascending
}

// A step is from a value to the next one above it.
type step struct {
	threshold float64 // midway
	up        float64 // the difference of the values
	upSquared float64 // and of their squares
}

func newBook(values []float32) book {
	vs := slices.Clone(values)
	slices.Sort(vs)
	vs = slices.Compact(vs)
	b := book{low: float64(vs[0]), high: float64(vs[len(vs)-1])}
	b.highSquared = b.high * b.high
	for i := range vs[1:] {
		x, y := float64(vs[i]), float64(vs[i+1])
		b.steps = append(b.steps, step{(x + y) / 2, y - x, float64(y*y) - float64(x*x)})
	}
	return b
}

// newBooks returns the candidates of t. Those of asymmetric integers are windows of
// one table.
func newBooks(t datatype.Type) []book {
	cbs := t.Codebooks()
	books := make([]book, len(cbs))
	if !t.Asymmetric() {
		for i, cb := range cbs {
			books[i] = newBook(cb.Values())
		}
		return books
	}
	top := len(cbs) - 1
	all := make([]float32, 0, 2*top+1)
	for v := -top; v <= top; v++ {
		all = append(all, float32(v))
	}
	steps := newBook(all).steps
	for z := range books {
		high := float64(top - z)
		books[z] = book{low: float64(-z), high: high, highSquared: high * high, steps: steps[top-z : 2*top-z]}
	}
	return books
}
