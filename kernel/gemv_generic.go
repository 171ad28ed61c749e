package kernel

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// What is in this file multiplies any type at any group size, and finishes the
// rows of faster code, which leaves the last columns to it.

// finish adds the lanes of a row in integer mode, and scales the sum.
func (p *plan) finish(acc *[lanes]float32, row int) float32 {
	return float32(float32(float32(acc[0]+acc[2])+float32(acc[1]+acc[3])) * p.outer(row))
}

// finishFloat is the same for float mode.
func (p *plan) finishFloat(acc *[floatLanes]float32, row int) float32 {
	for n := floatLanes / 2; n > 0; n /= 2 {
		for l := range n {
			acc[l] = float32(acc[l] + acc[l+n])
		}
	}
	return float32(acc[0] * p.outer(row))
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

// floatRow adds the groups of a row from the one at column col on, which must be
// a multiple of step and of the group size, to the lanes of float mode.
func (p *plan) floatRow(acc *[floatLanes]float32, a *Activation, row, col int, impl implementation) {
	if col >= p.cols {
		return
	}
	var rd reader
	rd.start(p, row, col)
	var short [16]float32 // table, for codes of at most 4 bits
	for g := col / p.groupSize; g < p.groups; g++ {
		var sum [floatLanes]float32
		table := p.floats[p.selector(row, g)]
		copy(short[:], table)
		end := p.cols
		if end-g*p.groupSize > p.groupSize {
			end = (g + 1) * p.groupSize
		}
		for at := g * p.groupSize; at < end; {
			codes := rd.next(end - at)
			if p.bits <= 4 && at%floatLanes == 0 {
				n := len(codes) / floatLanes * floatLanes
				floatRuns((*[8]float32)(sum[:8]), codes[:n], a.x[at:at+n], &short)
				if n > 0 {
					floatRuns((*[8]float32)(sum[8:]), codes[8:n], a.x[at+8:at+n], &short)
				}
				codes, at = codes[n:], at+n
			}
			for i, c := range codes {
				l := (at + i) % floatLanes
				sum[l] += float32(table[c] * a.x[at+i])
			}
			at += len(codes)
		}
		k := p.scaleValue(p.scaleByte(row, g))
		for l := range acc {
			acc[l] += float32(sum[l] * k)
		}
	}
}

// floatRuns adds the products of eight codes of every sixteen to the lanes s.
func floatRuns(s *[8]float32, codes []uint8, x []float32, table *[16]float32) {
	s0, s1, s2, s3, s4, s5, s6, s7 := s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]
	x = x[:len(codes)]
	for i := 0; i < len(codes)-7; i += floatLanes {
		c, y := (*[8]uint8)(codes[i:i+8]), (*[8]float32)(x[i:i+8])
		s0 += float32(table[c[0]&15] * y[0])
		s1 += float32(table[c[1]&15] * y[1])
		s2 += float32(table[c[2]&15] * y[2])
		s3 += float32(table[c[3]&15] * y[3])
		s4 += float32(table[c[4]&15] * y[4])
		s5 += float32(table[c[5]&15] * y[5])
		s6 += float32(table[c[6]&15] * y[6])
		s7 += float32(table[c[7]&15] * y[7])
	}
	s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7] = s0, s1, s2, s3, s4, s5, s6, s7
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
