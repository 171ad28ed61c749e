package kernel

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/floats"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// The functions in this file multiply any type at any group size, and finish rows whose
// last columns faster code leaves.

// finish adds the lanes of a row in integer mode, and scales the sum.
func (p *plan) finish(acc *[lanes]float32, row int) float32 {
	return float32(float32(float32(acc[0]+acc[2])+float32(acc[1]+acc[3])) * p.outer(row, p.unit))
}

// finishFloat is finish for float mode.
func (p *plan) finishFloat(acc *[floatLanes]float32, row int) float32 {
	for n := floatLanes / 2; n > 0; n /= 2 {
		for l := range n {
			acc[l] = float32(acc[l] + acc[l+n])
		}
	}
	return float32(acc[0] * p.outer(row, p.floatUnit))
}

// A reader goes through the codes of a row from left to right.
type reader struct {
	src   []byte // from the next chunk on
	left  int    // columns from there on
	bits  int
	at    int // of codes: the next column
	n     int // of codes
	codes [pack.MaxChunk]uint8
}

// start begins at column col of a row, which must be at the start of a chunk,
// as all multiples of step are.
func (r *reader) start(p *plan, row, col int) {
	r.src = p.s.Codes[row*p.rowBytes+pack.RowBytes(col, p.bits) : (row+1)*p.rowBytes]
	r.left, r.bits, r.at, r.n = p.cols-col, p.bits, 0, 0
}

// next returns the next columns, at least one and at most n. There must be one
// left.
func (r *reader) next(n int) []uint8 {
	if r.at == r.n {
		r.src, r.n = pack.Next(&r.codes, r.src, r.left, r.bits)
		r.left -= r.n
		r.at = 0
	}
	n = min(n, r.n-r.at)
	r.at += n
	return r.codes[r.at-n : r.at]
}

// integerRow adds the columns of a row from col on, a multiple of step, to the
// lanes of integer mode.
func (p *plan) integerRow(acc *[lanes]float32, a *Activation, row, col int, impl implementation) {
	if col >= p.cols {
		return
	}
	var rd reader
	var values [block]int16
	rd.start(p, row, col)
	for b := col / block; b*block < p.cols; b++ {
		var sum int32    // RowStep
		var fsum float32 // other scales
		end := min((b+1)*block, p.cols)
		for lo := b * block; lo < end; {
			g := lo / p.groupSize
			hi := min(end, (g+1)*p.groupSize)
			table := p.ints[p.selector(row, g)]
			for at := lo; at < hi; {
				codes := rd.next(hi - at)
				lookUp(values[at-lo:], codes, table)
				at += len(codes)
			}
			s := dot(values[:hi-lo], a.q[lo:hi], impl)
			k := p.scaleByte(row, g)
			if p.scale == datatype.RowStep {
				sum += int32(k) * s
			} else {
				fsum += float32(float32(s) * p.scaleValue(k))
			}
			lo = hi
		}
		if p.scale == datatype.RowStep {
			fsum = float32(sum)
		}
		acc[b%lanes] += float32(fsum * a.d[b])
	}
}

// floatRow adds the columns of a row from col on, a multiple of step, to the
// lanes of float mode.
func (p *plan) floatRow(acc *[floatLanes]float32, a *Activation, row, col int, impl implementation) {
	if col >= p.cols {
		return
	}
	var rd reader
	rd.start(p, row, col)
	for lo := col; lo < p.cols; {
		g := lo / p.groupSize
		hi := min(p.cols, (lo/block+1)*block)
		if left := (g+1)*p.groupSize - lo; left < hi-lo {
			hi = lo + left
		}
		table := p.floats[p.selector(row, g)]
		k := p.scaleValue(p.scaleByte(row, g))
		var sum float32
		for at := lo; at < hi; {
			codes := rd.next(hi - at)
			if at%4 == 0 {
				n := len(codes) &^ 3
				floatQuads(acc, codes[:n], a.x, at, table, k)
				codes, at = codes[n:], at+n
			}
			for i, c := range codes {
				sum = floats.FMA(table[c], a.x[laneOrder(at+i)], sum)
				if n := at + i + 1; n%4 == 0 || n == hi {
					l := &acc[laneOf(n-1)]
					*l = floats.FMA(sum, k, *l)
					sum = 0
				}
			}
			at += len(codes)
		}
		lo = hi
	}
}

// floatQuads adds columns from at on, which fill whole lanes, to the lanes. It computes
// each fma in float64, and all of them again with floats.FMA if one of the results may
// differ.
func floatQuads(acc *[floatLanes]float32, codes []uint8, x []float32, at int, table []float32, k float32) {
	for len(codes) >= 4 {
		c := (*[4]uint8)(codes)
		y := x[laneOrder(at):][:3*laneRun/4+1]
		l := &acc[laneOf(at)]
		n0, n1, n2, n3 := table[c[0]], table[c[1]], table[c[2]], table[c[3]]
		y0, y1, y2, y3 := y[0], y[laneRun/4], y[2*laneRun/4], y[3*laneRun/4]
		t := n0 * y0
		p1, t1 := float64(n1)*float64(y1), float64(t)
		s1 := p1 + t1
		p2, t2 := float64(n2)*float64(y2), float64(float32(s1))
		s2 := p2 + t2
		p3, t3 := float64(n3)*float64(y3), float64(float32(s2))
		s3 := p3 + t3
		p4, t4 := float64(float32(s3))*float64(k), float64(*l)
		s4 := p4 + t4
		if floats.Inexact(s1, p1, t1) || floats.Inexact(s2, p2, t2) || floats.Inexact(s3, p3, t3) || floats.Inexact(s4, p4, t4) {
			t = floats.FMA(n1, y1, t)
			t = floats.FMA(n2, y2, t)
			t = floats.FMA(n3, y3, t)
			*l = floats.FMA(t, k, *l)
		} else {
			*l = float32(s4)
		}
		codes, at = codes[4:], at+4
	}
}

func lookUp(dst []int16, codes []uint8, table []int16) {
	dst = dst[:len(codes)]
	for i, c := range codes {
		dst[i] = table[c]
	}
}

// dotGeneric returns Σ v·q, for at most block products.
func dotGeneric(v []int16, q []int8) int32 {
	q = q[:len(v)]
	var s int32
	for i, x := range v {
		s += int32(x) * int32(q[i])
	}
	return s
}
