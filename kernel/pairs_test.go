package kernel

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// TestPairs compares the tables of pairs with Reference, with enough rows for tables to
// be used.
func TestPairs(t *testing.T) {
	done := 0
	large := []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int4Asym} // types that are tried with several tiles
	for _, typ := range datatype.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			r := rand.New(rand.NewPCG(2, uint64(typ)))
			var mem guards
			for i, groupSize := range []int{16, 32, 64, 128, 256, 384, 1 << 20} {
				for j, s := range []struct{ rows, cols int }{
					{minPairTile, 128}, {20, 1024}, {17, 100 + 256}, {33, 512 + 128 + 60}, {19, 512 + 256 + 7},
					{16, 512 + 384}, {18, 1024 + 500}, {2*pairTile - 1, 640}, {2*pairTile + 1, 129},
				} {
					if testing.Short() && (i+j+int(typ))%7 != 0 {
						continue
					}
					if s.rows > pairTile && (groupSize != 128 && groupSize != 32 || !slices.Contains(large, typ)) {
						continue
					}
					m := randomMatrix(&mem, r, typ, groupSize, s.rows, s.cols)
					p := newPlan(m)
					for _, extreme := range []bool{false, true} {
						var a Activation
						if err := a.load(activations(r, s.cols, extreme), portable); err != nil {
							t.Fatal(err)
						}
						got := make([]float32, s.rows)
						if !p.usesPairs() {
							if n := integerRowsPortable(got, &p, &a, 0, s.rows); n != 0 {
								t.Fatalf("%v: did %d rows", m, n)
							}
							continue
						}
						// A range of rows without the first and the last.
						lo, hi := s.rows%3, s.rows-s.rows%2
						if hi-lo < minPairTile {
							lo, hi = 0, s.rows
						}
						if n := integerRowsPortable(got, &p, &a, lo, hi); n != hi {
							t.Fatalf("%v: rows %d to %d were done to %d", m, lo, hi, n)
						}
						done++
						every := 1 + s.rows/40
						for row := 0; row < s.rows; row += every {
							var want float32
							if lo <= row && row < hi {
								want = rowReference(t, &p, &a, row)
							}
							if !sameBits(got[row], want) {
								t.Fatalf("%v, row %d of %d to %d: %v, want %v", m, row, lo, hi-1, got[row], want)
							}
						}
					}
				}
				mem.free()
			}
		})
	}
	if done == 0 {
		t.Error("no matrix has tables of pairs")
	}
}

// rowReference is a row of Reference.
func rowReference(t *testing.T, p *plan, a *Activation, row int) float32 {
	t.Helper()
	codes := make([]uint8, p.cols)
	var rd reader
	rd.start(p, row, 0)
	for at := 0; at < p.cols; {
		at += copy(codes[at:], rd.next(p.cols-at))
	}
	return p.referenceInteger(codes, a, row)
}

// TestPairBook checks for which types there are tables of pairs, and that entries and
// coefficients give every value of every codebook.
func TestPairBook(t *testing.T) {
	var without []string
	for _, typ := range datatype.Types() {
		tb := tablesOf(typ)
		if tb.pairs == nil {
			if n := typ.Bits(); (n == 3 || n == 4) && tb.exact {
				without = append(without, typ.String())
			}
			continue
		}
		for sel, v := range tb.ints {
			for c, n := range v {
				if got := unflag(tb.pairs.entries[c], tb.pairs.coef[sel]); got != int32(n) {
					t.Errorf("%v, selector %d, code %d: %d, want %d", typ, sel, c, got, n)
				}
				word := int64(tb.pairs.packed[c/2])
				if c%2 == 1 {
					word = (word - int64(int32(word))) >> 32
				}
				if uint32(word) != tb.pairs.entries[c] {
					t.Errorf("%v, code %d: packed is %#x, entry %#x", typ, c, uint32(word), tb.pairs.entries[c])
				}
			}
		}
	}
	// These types have codebooks with little in common.
	if got, want := fmt.Sprint(without), "[ant3 ant4]"; got != want {
		t.Errorf("types of 3 and 4 bits without: %s, want %s", got, want)
	}
}

// TestUnflag takes sums at the ends of their range apart.
func TestUnflag(t *testing.T) {
	const most = 64 * 127
	for _, n := range []int32{0, 1, -1, 16 * most, -16 * most} {
		for _, f := range []int32{0, 1, -1, most, -most} {
			for _, coef := range []int32{0, 1, -32, 31} {
				if got, want := unflag(uint32(n+f<<flagShift), coef), n+f*coef; got != want {
					t.Errorf("%d and %d flags times %d: %d, want %d", n, f, coef, got, want)
				}
			}
		}
	}
}
