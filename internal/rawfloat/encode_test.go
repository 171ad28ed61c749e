package rawfloat

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// nearest is the definition: of all 65536 numbers of a 16-bit format the nearest to
// v, of two the even one.
type nearest struct {
	f      Format
	finite []float64 // in order, not negative; the index is the number's bits
}

func newNearest(f Format) nearest {
	n := nearest{f: f}
	for u := range 1 << 15 {
		var v [1]float64
		Decode(v[:], binary.LittleEndian.AppendUint16(nil, uint16(u)), f)
		if math.IsInf(v[0], 0) {
			break
		}
		n.finite = append(n.finite, v[0])
	}
	return n
}

// bits returns the bits of |v|, a finite number, and whether it is too large.
func (n nearest) bits(v float64) (uint16, bool) {
	v = math.Abs(v)
	last := len(n.finite) - 1
	// The number after the last is as far from it as the one before.
	if v >= n.finite[last]+(n.finite[last]-n.finite[last-1])/2 {
		return uint16(last + 1), true
	}
	lo, hi := 0, last
	for lo < hi {
		if m := (lo + hi + 1) / 2; n.finite[m] <= v {
			lo = m
		} else {
			hi = m - 1
		}
	}
	if lo == last {
		return uint16(lo), false
	}
	exact := func(x float64) *big.Float { return new(big.Float).SetPrec(2000).SetFloat64(x) }
	down := new(big.Float).Sub(exact(v), exact(n.finite[lo]))
	up := new(big.Float).Sub(exact(n.finite[lo+1]), exact(v))
	if c := down.Cmp(up); c > 0 || c == 0 && lo%2 == 1 {
		lo++
	}
	return uint16(lo), false
}

func TestAppend16(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	for _, f := range []Format{F16, BF16} {
		n := newNearest(f)
		check := func(v float64) {
			t.Helper()
			want, over := n.bits(v)
			if math.Signbit(v) {
				want |= 1 << 15
			}
			b, bad := Append(nil, []float64{0, v}, f)
			if got := binary.LittleEndian.Uint16(b[2:]); got != want || over != (bad == 1) {
				t.Fatalf("format %d: %g is %#x (overflow %d), want %#x (%v)", f, v, got, bad, want, over)
			}
			if w := float64(float32(v)); w == v {
				b, bad := Append(nil, []float32{0, float32(v)}, f)
				if got := binary.LittleEndian.Uint16(b[2:]); got != want || over != (bad == 1) {
					t.Fatalf("format %d: float32 %g is %#x (overflow %d), want %#x (%v)", f, v, got, bad, want, over)
				}
			}
		}
		for i, v := range n.finite {
			next := v + (v - n.finite[max(i-1, 0)])
			if i+1 < len(n.finite) {
				next = n.finite[i+1]
			}
			middle := v + (next-v)/2 // exact in float64
			for _, x := range []float64{v, middle, math.Nextafter(middle, 0), math.Nextafter(middle, math.Inf(1)), v + (next-v)*r.Float64()} {
				check(x)
				check(-x)
				check(float64(float32(x)))
			}
		}
		for range 100_000 {
			v := math.Float64frombits(r.Uint64())
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				check(v)
			}
			if w := float64(math.Float32frombits(r.Uint32())); !math.IsNaN(w) && !math.IsInf(w, 0) {
				check(w)
			}
		}
	}
}

func TestAppendWide(t *testing.T) {
	b, bad := Append(nil, []float64{1, 1e39, -1e40, math.Inf(1)}, F32)
	if bad != 1 || len(b) != 16 {
		t.Errorf("first overflow %d in %d bytes", bad, len(b))
	}
	if b, bad := Append(nil, []float64{math.MaxFloat64, 0.1}, F64); bad != -1 || math.Float64frombits(binary.LittleEndian.Uint64(b[8:])) != 0.1 {
		t.Errorf("overflow %d", bad)
	}
	b, bad = Append([]byte{7}, []float32{0.1, math.MaxFloat32}, F32)
	if bad != -1 || len(b) != 9 || b[0] != 7 || math.Float32frombits(binary.LittleEndian.Uint32(b[1:])) != 0.1 {
		t.Errorf("%v, overflow %d", b, bad)
	}
	if b, _ := Append(nil, []float64{0.1}, F32); math.Float32frombits(binary.LittleEndian.Uint32(b)) != float32(0.1) {
		t.Error("0.1 is not rounded to nearest")
	}
}

// TestAppendSpecial keeps NaNs, also those of which only the lowest bit is set,
// and infinities.
func TestAppendSpecial(t *testing.T) {
	nans := []float32{math.Float32frombits(0x7f800001), math.Float32frombits(0xff800001), math.Float32frombits(0x7fffffff), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.Copysign(0, -1))}
	for _, f := range []Format{F32, F64, F16, BF16} {
		b, bad := Append(nil, nans, f)
		if bad != -1 {
			t.Errorf("format %d: overflow %d", f, bad)
		}
		got := make([]float64, len(nans))
		Decode(got, b, f)
		if got[0] == got[0] || got[1] == got[1] || got[2] == got[2] || !math.IsInf(got[3], 1) || !math.IsInf(got[4], -1) || got[5] != 0 || !math.Signbit(got[5]) {
			t.Errorf("format %d: %v", f, got)
		}
	}
}
