package kernel

import (
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
	"github.com/bitmod-go/bitmod/quant"
)

// Reference is [GEMV] literally as the package documentation defines it. In integer
// mode it adds one term of a weight at a time, and multiplies the sum of a group by its
// scale one bit at a time. It is some hundred times slower and allocates. It is there
// to be read and compared with.
func Reference(dst []float32, m *quant.Matrix, a *Activation) error {
	if err := check(len(dst), shapeOf(m), a); err != nil {
		return err
	}
	plans := make([]plan, m.Parts())
	for i := range plans {
		plans[i] = newPlan(m.Part(i))
	}
	codes := make([]uint8, m.Cols())
	for row := range dst {
		if err := m.Codes(codes, row); err != nil {
			return err
		}
		part, at := m.RowPart(row)
		switch p := &plans[part]; a.mode {
		case int8Mode:
			dst[row] = p.referenceInteger(codes, a, at)
		case int16Mode:
			high := p.referenceInteger(codes, &a.planes[0], at)
			low := p.referenceInteger(codes, &a.planes[1], at)
			dst[row] = float32(high + low)
		case floatMode:
			dst[row] = p.referenceFloat(codes, a, at)
		}
	}
	runtime.KeepAlive(m)
	return nil
}

func (p *plan) referenceInteger(codes []uint8, a *Activation, row int) float32 {
	var acc [lanes]float32
	for b := 0; b*block < p.cols; b++ {
		var sum int32
		var fsum float32
		end := min((b+1)*block, p.cols)
		for lo := b * block; lo < end; {
			g := lo / p.groupSize
			hi := min(end, (g+1)*p.groupSize)
			var partial int32
			for c := lo; c < hi; c++ {
				ts, n := terms(p.ints[p.selector(row, g)][codes[c]])
				for _, t := range ts[:n] {
					partial += t.times(int32(a.q[c]))
				}
			}
			k := p.scaleByte(row, g)
			if p.scale == datatype.RowStep {
				sum += serialScale(partial, k)
			} else {
				fsum += float32(float32(partial) * p.scaleValue(k))
			}
			lo = hi
		}
		if p.scale == datatype.RowStep {
			fsum = float32(sum)
		}
		acc[b%lanes] += float32(fsum * a.d[b])
	}
	return float32(float32(float32(acc[0]+acc[2])+float32(acc[1]+acc[3])) * p.outer(row, p.unit))
}

func (p *plan) referenceFloat(codes []uint8, a *Activation, row int) float32 {
	var acc [floatLanes]float32
	for b := 0; b*block < p.cols; b++ {
		for l := range acc {
			end := min(b*block+4*l+4, p.cols)
			for lo := b*block + 4*l; lo < end; {
				g := lo / p.groupSize
				hi := min(end, (g+1)*p.groupSize)
				var sum float32
				for c := lo; c < hi; c++ {
					sum = floats.FMA(p.floats[p.selector(row, g)][codes[c]], a.x[laneOrder(c)], sum)
				}
				acc[l] = floats.FMA(sum, p.scaleValue(p.scaleByte(row, g)), acc[l])
				lo = hi
			}
		}
	}
	for n := floatLanes / 2; n > 0; n /= 2 {
		for l := range n {
			acc[l] = float32(acc[l] + acc[l+n])
		}
	}
	return float32(acc[0] * p.outer(row, p.floatUnit))
}

// A term is (−1)^sign · 2^exp · 2^bsig, the number by which a bit-serial processing
// element multiplies an activation in one cycle; bsig belongs to the cycle.
type term struct {
	sign      bool
	exp, bsig uint8
}

func (t term) times(q int32) int32 {
	q <<= t.exp + t.bsig
	if t.sign {
		return -q
	}
	return q
}

// terms returns the terms of v: its nonzero signed radix-4 digits, −2…1.
func terms(v int16) (ts [6]term, n int) {
	for bsig := uint8(0); v != 0; bsig += 2 {
		digit := v & 3 // 0, 1, or −2, −1 with a carry
		if digit >= 2 {
			digit -= 4
		}
		v = (v - digit) / 4
		switch digit {
		case 1, -1:
			ts[n] = term{digit < 0, 0, bsig}
			n++
		case -2:
			ts[n] = term{true, 1, bsig}
			n++
		}
	}
	return ts, n
}

// serialScale returns k·p, a bit of k at a time, the highest first.
func serialScale(p int32, k uint8) int32 {
	var acc int32
	for bit := 7; bit >= 0; bit-- {
		acc *= 2
		if k>>bit&1 != 0 {
			acc += p
		}
	}
	return acc
}
