package quant

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// TestRowSearcherLoops compares the results of a search with each kind of loop and with
// portable code.
func TestRowSearcherLoops(t *testing.T) {
	r := rand.New(rand.NewPCG(71, 72))
	for i, typ := range datatype.Types() {
		cols := 1 + r.IntN(300)
		w := make([]float64, 2*cols)
		for i := range w {
			w[i] = r.NormFloat64()
		}
		c := Config{Type: typ, GroupSize: 8 + r.IntN(150)}
		if i%3 == 0 {
			c.Importance = make([]float64, cols)
			for i := range c.Importance {
				c.Importance[i] = r.ExpFloat64()
			}
		}
		CompareSearchLoops(t, w, cols, c)
	}
}

// CompareSearchLoops compares the results of a search of every row with each set of loops
// that this processor can run and with portable code.
func CompareSearchLoops[T Weight](t testing.TB, w []T, cols int, c Config) {
	t.Helper()
	c.Search = true
	c, err := c.resolve()
	if err != nil {
		t.Fatal(err)
	}
	c.Importance = scaledImportance(c.Importance)
	l, err := newLayout(c, len(w)/cols, cols)
	if err != nil {
		t.Fatal(err)
	}
	var all []*rowSearcher
	for _, set := range append([]*coding.Set{nil}, coding.Sets()...) {
		ch, err := newChooser(c.Type, c, 1)
		if err != nil {
			t.Fatal(err)
		}
		ch.searcher = ch.searcher.With(set)
		s := newRowSearcher(w, newMatrix(l), ch)
		s.set = set
		all = append(all, s)
	}
	for row := range l.rows {
		wantErr := all[0].quantize(row)
		want := &all[0].best
		for i, s := range all[1:] {
			err, got := s.quantize(row), &s.best
			if (err == nil) != (wantErr == nil) {
				t.Fatalf("%v, %d columns, row %d: set %d has error %v, portable code %v", c.Type, cols, row, i, err, wantErr)
			}
			if err == nil && (got.step != want.step || got.noise != want.noise || !slices.Equal(got.noises, want.noises) || !slices.Equal(got.groups, want.groups) || !slices.Equal(got.codes, want.codes)) {
				t.Fatalf("%v, %d columns, row %d: set %d gives another row", c.Type, cols, row, i)
			}
		}
	}
}
