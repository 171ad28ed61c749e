package quant

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Cost is one way to store a row: the memory it takes and what it costs the
// model, in any unit, such as the growth of the loss.
type Cost struct {
	Bytes int
	Loss  float64
}

// Allot picks one choice for every row, of all layers together, so that the memory
// of all is at most budget bytes and the sum of losses is small: mixed precision
// under a global budget, as MixLLM does it (arXiv 2412.14590), but for any number
// of choices. rows[r] are the choices of row r; the result has the index of the one
// that is picked. A matrix that [GroupMixed] makes of rows of several types takes a byte
// a row, and up to 1/16, besides what its rows take in matrices of one type.
//
// Each row starts at its smallest choice. Then rows trade up in the order of the
// loss that they save by the byte, each along the convex hull of its choices, and
// rows for which there is no room any more are passed over. The sum of losses is
// above the least possible one by less than the first upgrade that is passed over would
// have saved. It is deterministic: of rows alike the first has precedence.
//
// The error matches ErrShape if a row has no choice or over 256, or one of negative
// size, or if the smallest choices don't fit; and ErrNotFinite if a loss is NaN or
// infinite.
func Allot(rows [][]Cost, budget int) ([]uint8, error) {
	picked := make([]uint8, len(rows))
	var upgrades []upgrade
	left := budget
	for row, choices := range rows {
		if err := checkCosts(row, choices); err != nil {
			return nil, err
		}
		hull := lowerHull(choices)
		picked[row] = hull[0]
		if left -= choices[hull[0]].Bytes; left < 0 {
			return nil, shapeError("budget", budget, "at least the sum of the smallest choices, which row %d exceeds", row)
		}
		for i, to := range hull[1:] {
			a, b := choices[hull[i]], choices[to]
			upgrades = append(upgrades, upgrade{row, to, b.Bytes - a.Bytes, (a.Loss - b.Loss) / float64(b.Bytes-a.Bytes)})
		}
	}
	// Along a hull the rate falls, so that the upgrades of a row stay in their order.
	slices.SortStableFunc(upgrades, func(a, b upgrade) int { return cmp.Compare(b.rate, a.rate) })
	full := make([]bool, len(rows)) // a upgrade of the row did not fit
	for _, s := range upgrades {
		if full[s.row] || s.bytes > left {
			full[s.row] = true
			continue
		}
		left -= s.bytes
		picked[s.row] = s.to
	}
	return picked, nil
}

// An upgrade takes a row to a larger choice.
type upgrade struct {
	row   int
	to    uint8
	bytes int
	rate  float64 // loss saved by the byte
}

func checkCosts(row int, choices []Cost) error {
	if len(choices) < 1 || len(choices) > 256 {
		return shapeError("number of choices", len(choices), "1 to 256 (row %d)", row)
	}
	for _, c := range choices {
		if c.Bytes < 0 {
			return shapeError("Cost.Bytes", c.Bytes, "at least 0 (row %d)", row)
		}
		if math.IsNaN(c.Loss) || math.IsInf(c.Loss, 0) {
			return fmt.Errorf("quant: loss of row %d is %v: %w", row, c.Loss, ErrNotFinite)
		}
	}
	return nil
}

// lowerHull returns the choices that a straight line between two others does not
// beat, from the smallest on, with falling loss.
func lowerHull(choices []Cost) []uint8 {
	order := make([]uint8, len(choices))
	for i := range order {
		order[i] = uint8(i)
	}
	slices.SortStableFunc(order, func(a, b uint8) int {
		x, y := choices[a], choices[b]
		return cmp.Or(cmp.Compare(x.Bytes, y.Bytes), cmp.Compare(x.Loss, y.Loss))
	})
	hull := order[:0]
	for _, i := range order {
		c := choices[i]
		if n := len(hull); n > 0 && c.Loss >= choices[hull[n-1]].Loss {
			continue
		}
		for len(hull) >= 2 {
			a, b := choices[hull[len(hull)-2]], choices[hull[len(hull)-1]]
			if (a.Loss-b.Loss)/float64(b.Bytes-a.Bytes) >= (b.Loss-c.Loss)/float64(c.Bytes-b.Bytes) {
				break
			}
			hull = hull[:len(hull)-1]
		}
		hull = append(hull, i)
	}
	return hull
}
