package serial

import (
	"math/rand/v2"
	"testing"
)

// TestDequantize multiplies sums at both ends of their range, and between them, by every
// scale. Each product takes 8 cycles.
func TestDequantize(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	sums := []int64{0, 1, -1, 1 << 14, -1 << 14, 1 << 55, -1 << 55, 1<<55 - 1}
	for range 50 {
		sums = append(sums, int64(r.Uint64())>>(9+r.IntN(55)))
	}
	for scale := range 256 {
		for _, sum := range sums {
			got, cycles := Dequantize(sum, uint8(scale))
			if want := sum * int64(scale); got != want || cycles != 8 {
				t.Errorf("%d·%d = %d in %d cycles, want %d in 8", sum, scale, got, cycles, want)
			}
			if got, want := dequantize(shifted(sum, fixedPoint), uint8(scale)), shifted(sum*int64(scale), fixedPoint); got != want {
				t.Errorf("fixed: %d·%d = %v, want %v", sum, scale, got, want)
			}
		}
	}
}

// TestDequantizerSteps checks that the product after i cycles is the sum times the first
// i bits of the scale, and that a new start forgets the last product.
func TestDequantizerSteps(t *testing.T) {
	var d dequantizer
	if !d.step() || d.acc != 0 {
		t.Error("a zero dequantizer is not finished")
	}
	for _, scale := range []uint8{0x80, 0xa5, 0xff, 1} {
		d.start(-77, scale)
		for i := 1; i <= scaleBits; i++ {
			if done := d.step(); done != (i == scaleBits) {
				t.Errorf("scale %d: finished: %v after %d cycles", scale, done, i)
			}
			if want := -77 * int64(scale>>(scaleBits-i)); d.acc != want {
				t.Errorf("scale %d: %d after %d cycles, want %d", scale, d.acc, i, want)
			}
		}
		if d.step(); d.acc != -77*int64(scale) {
			t.Errorf("scale %d: a ninth cycle gives %d", scale, d.acc)
		}
	}
}

func TestPipeline(t *testing.T) {
	for _, c := range []struct {
		cycles, groups int
		stalls, total  int64
	}{
		{64, 32, 0, 32*64 + 8},   // group 128, two terms: hidden
		{96, 32, 0, 32*96 + 8},   // INT6
		{128, 32, 0, 32*128 + 8}, // INT8
		{8, 10, 0, 10*8 + 8},     // just hidden: group 16, two terms
		{4, 10, 9 * 4, 4 + 10*8}, // group 8: 4 of the 8 cycles are not hidden
		{2, 10, 9 * 6, 2 + 10*8}, // group 4
		{0, 3, 2 * 8, 3 * 8},     // nothing to do but dequantize
		{64, 0, 0, 0},
	} {
		var p Pipeline
		for range c.groups {
			p.Group(c.cycles)
		}
		if p.Stalls() != c.stalls || p.Cycles() != c.total {
			t.Errorf("%d groups of %d cycles: %d stalls, %d cycles, want %d, %d",
				c.groups, c.cycles, p.Stalls(), p.Cycles(), c.stalls, c.total)
		}
	}
	// A short group waits only for what is left of the dequantization before it.
	var p Pipeline
	for i, c := range []struct{ cycles, stall int }{{64, 0}, {3, 5}, {64, 0}, {6, 2}, {1, 7}, {-5, 8}} {
		if got := p.Group(c.cycles); got != c.stall {
			t.Errorf("group %d of %d cycles: stall %d, want %d", i, c.cycles, got, c.stall)
		}
	}
}

// TestPipelineByCycles compares with a simulation of element and dequantizer, cycle by
// cycle.
func TestPipelineByCycles(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	for range 200 {
		groups := make([]int, 1+r.IntN(10))
		var p Pipeline
		for i := range groups {
			groups[i] = 1 + r.IntN(14)
			p.Group(groups[i])
		}
		clock, busy, stalls, next := int64(0), 0, int64(0), 0
		left := groups[0]
		for next < len(groups) || busy > 0 {
			clock++
			busy = max(busy-1, 0)
			if next == len(groups) {
				continue
			}
			if left > 0 {
				left--
			} else {
				stalls++
			}
			if left == 0 && busy == 0 {
				busy = scaleBits
				if next++; next < len(groups) {
					left = groups[next]
				}
			}
		}
		if clock != p.Cycles() || stalls != p.Stalls() {
			t.Fatalf("%v: %d cycles, %d stalls, simulated %d, %d", groups, p.Cycles(), p.Stalls(), clock, stalls)
		}
	}
}
