package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// TestAllot compares with the best of all possible picks.
func TestAllot(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		rows := make([][]Cost, 1+r.IntN(5))
		least, most := 0, 0
		for i := range rows {
			rows[i] = make([]Cost, 1+r.IntN(4))
			lo, hi := math.MaxInt, 0
			for j := range rows[i] {
				c := Cost{r.IntN(20), float64(r.IntN(50))}
				rows[i][j] = c
				lo, hi = min(lo, c.Bytes), max(hi, c.Bytes)
			}
			least, most = least+lo, most+hi
		}
		budget := least + r.IntN(most-least+2)
		picked, err := Allot(rows, budget)
		if err != nil {
			t.Fatal(err)
		}
		bytes, loss, step := 0, 0.0, 0.0
		for i, p := range picked {
			bytes += rows[i][p].Bytes
			loss += rows[i][p].Loss
			for _, a := range rows[i] {
				for _, b := range rows[i] {
					step = max(step, a.Loss-b.Loss)
				}
			}
		}
		if bytes > budget {
			t.Fatalf("%v: %d bytes, budget %d", rows, bytes, budget)
		}
		best := math.Inf(1)
		var try func(row, bytes int, loss float64)
		try = func(row, bytes int, loss float64) {
			if bytes > budget {
				return
			}
			if row == len(rows) {
				best = min(best, loss)
				return
			}
			for _, c := range rows[row] {
				try(row+1, bytes+c.Bytes, loss+c.Loss)
			}
		}
		try(0, 0, 0)
		if loss < best || loss > best+step {
			t.Errorf("%v, budget %d: loss %v, the least is %v", rows, budget, loss, best)
		}
		if budget >= most && loss != best {
			t.Errorf("%v, budget %d for all: loss %v, want %v", rows, budget, loss, best)
		}
	}
}

func TestAllotOrder(t *testing.T) {
	row := func(saved float64) []Cost { return []Cost{{3, saved}, {4, 0}} }
	picked, err := Allot([][]Cost{row(1), row(5), row(2), row(5)}, 12+2)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x00\x01\x00\x01"; string(picked) != want {
		t.Errorf("picked %q, want %q", picked, want)
	}
	// A step that does not fit leaves its room to smaller ones.
	picked, err = Allot([][]Cost{{{3, 100}, {9, 0}}, row(1)}, 6+1)
	if err != nil {
		t.Fatal(err)
	}
	if want := "\x00\x01"; string(picked) != want {
		t.Errorf("picked %q, want %q", picked, want)
	}
}

func TestAllotErrors(t *testing.T) {
	for _, test := range []struct {
		rows   [][]Cost
		budget int
		want   error
	}{
		{[][]Cost{{{1, 1}}, {}}, 10, ErrShape},
		{[][]Cost{{{1, 1}}, make([]Cost, 257)}, 10, ErrShape},
		{[][]Cost{{{-1, 1}}}, 10, ErrShape},
		{[][]Cost{{{5, 1}}, {{6, 1}}}, 10, ErrShape},
		{[][]Cost{{{1, math.NaN()}}}, 10, ErrNotFinite},
		{[][]Cost{{{1, math.Inf(1)}}}, 10, ErrNotFinite},
	} {
		if _, err := Allot(test.rows, test.budget); !errors.Is(err, test.want) {
			t.Errorf("%v, budget %d: error %v, want %v", test.rows, test.budget, err, test.want)
		}
	}
}
