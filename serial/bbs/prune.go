package bbs

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// A Method is a way to remove bit columns from a group.
type Method uint8

const (
	// RoundedAveraging replaces the low bits of all weights of a group by the
	// rounded mean of these bits.
	RoundedAveraging Method = iota
	// ZeroPointShifting adds a constant, −32…31, to all weights of a group before they
	// are rounded to multiples of a power of two. It takes the constant with the least
	// squared error, and subtracts it again from the product.
	ZeroPointShifting
)

// String returns the name of the method.
func (m Method) String() string {
	switch m {
	case RoundedAveraging:
		return "rounded averaging"
	case ZeroPointShifting:
		return "zero-point shifting"
	}
	return fmt.Sprintf("bbs.Method(%d)", uint8(m))
}

// A Config has the settings of pruning.
type Config struct {
	Method Method
	// Columns is the number of bit columns, out of 8, that are removed from each group,
	// 1…6: first those that repeat the sign (up to 3, without loss), then the lowest.
	Columns int
	// Sensitive is the share of channels that keep their 8 bits, those with the largest
	// scales. It is rounded to a multiple of 32 channels.
	Sensitive float64
}

// Conservative returns the paper's conservative setting: 2 columns, averaged,
// 10 % of the channels left alone.
func Conservative() Config { return Config{RoundedAveraging, 2, .10} }

// Moderate returns the paper's moderate setting: 4 columns, shifted, 20 % of
// the channels left alone.
func Moderate() Config { return Config{ZeroPointShifting, 4, .20} }

// sensitiveRows marks the given share of rows, those with the largest scales. Of equal
// scales the first rows are marked.
func sensitiveRows(scales []float32, share float64) []bool {
	marks, order := make([]bool, len(scales)), make([]int, len(scales))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scales[j], scales[i]) })
	n := 32 * int(math.Round(share*float64(len(scales))/32))
	for _, r := range order[:min(n, len(order))] {
		marks[r] = true
	}
	return marks
}

// A window describes the columns of a group: without the redundant columns at the top
// and the low columns at the bottom, its planes hold q = value >> low in
// 8−redundant−low bits.
type window struct {
	redundant, low int
	planes         int
	constant       int8 // 6 bits: the low bits, or what was added
}

// prune returns the window of a group and its pruned weights, as integers value >> low.
func (c Config) prune(w []int16) (window, []int16) {
	if c.Method == ZeroPointShifting {
		return c.shift(w)
	}
	g := c.window(w)
	sum, q := 0, make([]int16, len(w))
	for i, v := range w {
		sum += int(v) & (1<<g.low - 1)
		q[i] = v >> g.low
	}
	g.constant = int8(math.RoundToEven(float64(sum) / float64(len(w))))
	return g, q
}

// window counts the columns that repeat the sign, and removes the remaining columns
// from below.
func (c Config) window(w []int16) window {
	n := 0 // bits that the largest magnitude needs below the sign
	for _, v := range w {
		n = max(n, bits.Len16(uint16(v^v>>15)))
	}
	r := min(7-n, maxRedundant, c.Columns)
	return window{redundant: r, low: c.Columns - r, planes: 8 - c.Columns}
}

func (c Config) shift(w []int16) (window, []int16) {
	var best window
	least := math.MaxInt
	shifted, q, bestQ := make([]int16, len(w)), make([]int16, len(w)), make([]int16, len(w))
	for add := -1 << (constantBits - 1); add < 1<<(constantBits-1); add++ {
		for i, v := range w {
			shifted[i] = min(max(v+int16(add), -128), 127)
		}
		g := c.window(shifted)
		g.constant = int8(add)
		top := int16(1)<<(g.planes-1) - 1
		err := 0
		for i, v := range shifted {
			// The nearest multiple of 2^low, a tie going up. Rounding up may leave the
			// range of the planes, so it is clamped.
			q[i] = v >> g.low
			if g.low > 0 {
				q[i] = min((v+1<<(g.low-1))>>g.low, top)
			}
			d := int(q[i])<<g.low - add - int(w[i])
			err += d * d
		}
		if err < least {
			least, best = err, g
			copy(bestQ, q)
		}
	}
	return best, bestQ
}
