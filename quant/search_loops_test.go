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
		c := Config{Type: typ, GroupSize: 8 + r.IntN(150), Search: true}
		if i%3 == 0 {
			c.Importance = make([]float64, cols)
			for i := range c.Importance {
				c.Importance[i] = r.ExpFloat64()
			}
		}
		c, err := c.resolve()
		if err != nil {
			t.Fatal(err)
		}
		l, err := newLayout(c, 2, cols)
		if err != nil {
			t.Fatal(err)
		}
		var want rowChoice
		for i, set := range append([]*coding.Set{nil}, coding.Sets()...) {
			ch, err := newChooser(typ, c, 1)
			if err != nil {
				t.Fatal(err)
			}
			s := newRowSearcher(w, newMatrix(l), ch)
			s.set = set
			if err := s.quantize(1); err != nil {
				t.Fatal(err)
			}
			got := s.best
			if i == 0 {
				want = got
			}
			if got.step != want.step || got.noise != want.noise || !slices.Equal(got.noises, want.noises) || !slices.Equal(got.groups, want.groups) || !slices.Equal(got.codes, want.codes) {
				t.Fatalf("%v, %d columns: set %d gives another row", typ, cols, i)
			}
		}
	}
}
