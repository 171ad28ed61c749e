package shape

import (
	"math"
	"testing"
)

func TestShape(t *testing.T) {
	for _, tc := range []struct {
		shape      []int
		elements   int64
		rows, cols int
	}{
		{nil, 1, 1, 1},
		{[]int{7}, 7, 1, 7},
		{[]int{0}, 0, 1, 0},
		{[]int{2, 3}, 6, 2, 3},
		{[]int{2, 3, 5}, 30, 6, 5},
		{[]int{2, 0, 5}, 0, 0, 5},
	} {
		n, ok := Checked(tc.shape)
		if Elements(tc.shape) != tc.elements || n != tc.elements || !ok || Rows(tc.shape) != tc.rows || Cols(tc.shape) != tc.cols {
			t.Errorf("%v: %d elements, checked %d %v, %d rows, %d columns", tc.shape, Elements(tc.shape), n, ok, Rows(tc.shape), Cols(tc.shape))
		}
	}
	for _, s := range [][]int{{math.MaxInt, 2}, {math.MaxInt, 0, 2}, {1 << 20, 1 << 30, 1 << 20}, {math.MaxInt, math.MaxInt}} {
		if _, ok := Checked(s); ok {
			t.Errorf("%v does not overflow", s)
		}
	}
	if n, ok := Checked([]int{math.MaxInt, 1}); n != math.MaxInt || !ok {
		t.Errorf("the largest int: %d, %v", n, ok)
	}
}
