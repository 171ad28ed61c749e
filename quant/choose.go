package quant

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/search"
)

// A chooser chooses scale and codebook of one group at a time, as a Config says.
type chooser struct {
	typ         datatype.Type
	selector    *group.Selector
	searcher    *search.Searcher  // nil without search
	candidates  search.Candidates // of the last group
	importance  []float64         // by column, or nil
	tensorScale float32
	codes       []uint8
}

func newChooser(t datatype.Type, c Config, tensorScale float32) (*chooser, error) {
	s, err := group.NewSelector(t)
	if err != nil {
		return nil, err
	}
	ch := &chooser{typ: t, selector: s, importance: c.Importance, tensorScale: tensorScale}
	if c.Search {
		ch.searcher, err = search.New(t)
	}
	return ch, err
}

// find searches for the scales of the group w, whose first column is lo.
func (c *chooser) find(found *search.Candidates, lo int, w []float64) error {
	return c.searcher.Find(found, w, columns(c.importance, lo, lo+len(w)))
}

// free chooses for the group w, whose first column is lo, without regard to the
// row's step.
func (c *chooser) free(lo int, w []float64) (group.Choice, error) {
	if c.searcher != nil {
		err := c.find(&c.candidates, lo, w)
		return c.candidates.Free(), err
	}
	if len(c.codes) < len(w) {
		c.codes = make([]uint8, len(w))
	}
	return c.selector.Select(c.codes, w, columns(c.importance, lo, lo+len(w)), c.tensorScale)
}

// stored chooses for the group w with a scale that can be stored. s is the step of the
// row or the scale of the tensor.
func (c *chooser) stored(lo int, w []float64, s float32) (group.Choice, error) {
	if c.searcher != nil {
		err := c.find(&c.candidates, lo, w)
		return c.candidates.Stored(s), err
	}
	choice, err := c.free(lo, w)
	if err != nil || c.typ.Scale() != datatype.RowStep {
		return choice, err
	}
	choice.Scale = 0
	if s > 0 {
		choice.Scale = uint8(min(math.RoundToEven(choice.Delta/float64(s)), 255))
	}
	if choice.Scale == 0 && choice.Delta > 0 && s > 0 {
		// The codes will be those for the scale that is stored.
		choice.Delta = float64(s)
		if err := c.selector.Encode(c.codes, w, choice); err != nil {
			return choice, err
		}
		choice.Scale = group.ZeroScale(c.typ.Codebooks()[choice.Codebook], c.codes[:len(w)], w, columns(c.importance, lo, lo+len(w)), s)
	}
	choice.Delta = float64(choice.Scale) * float64(s)
	return choice, nil
}
