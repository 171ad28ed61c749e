package quant

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Cost is one way to store a row: its memory, and its loss for the model in any unit,
// such as the growth of the loss function.
type Cost struct {
	Bytes int
	Loss  float64
}

// Allot picks one choice for every row, of all layers together, so that all rows
// together take at most budget bytes and the sum of losses is small. That is mixed
// precision under a global budget, as in MixLLM (arXiv 2412.14590), but for any number
// of choices. rows[r] are the choices of row r; the result has the index of the choice
// for each row. A matrix that [GroupMixed] makes of rows of several types takes up to
// 17/16 bytes a row more than the costs of its rows.
//
// Each row starts at its smallest choice. Then rows are upgraded along the convex hull
// of their choices, in the order of the loss saved per byte. A row whose next upgrade
// does not fit stays where it is. The sum of losses exceeds the least possible sum by
// less than the first upgrade that did not fit would have saved. Of equal rows the
// first takes precedence.
//
// The error matches ErrShape if a row has no choice or more than 256, if a size is
// negative, or if the smallest choices do not fit. It matches ErrNotFinite if a loss is
// NaN or infinite.
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
	// The rate falls along a hull, so sorting keeps the upgrades of a row in order.
	slices.SortStableFunc(upgrades, func(a, b upgrade) int { return cmp.Compare(b.rate, a.rate) })
	full := make([]bool, len(rows)) // an upgrade of the row did not fit
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

// lowerHull returns the choices on the lower convex hull of size and loss, from the
// smallest on, with falling loss.
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
