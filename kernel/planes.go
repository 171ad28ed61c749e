package kernel

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/datatype"
)

// The portable path goes through bit planes, the words that have one bit of each
// of 64 codes. The planes of the codes become the planes of values in two's
// complement, Σ ±2^i · plane i, by logic on whole words; and the sum of the
// activations whose bit is set in a plane is looked up, 8 activations at a time,
// in tables that are made when the activations are loaded and serve all rows.

// planeTables has, for each block of 128 columns, the sums of all subsets of
// sixteen times 8 activations: the order of columns is that of planeColumn.
type planeTables []planeBlock

type planeBlock [2]planeHalf

// A planeHalf is what one word of a plane is looked up in, a byte at a time.
type planeHalf [8][256]int32

// sum returns the sum of the activations whose bits are set in a plane. Bytes are
// taken from memory, as that takes fewer instructions than to shift them out of a
// word.
func (t *planeHalf) sum(p *[8]byte) int32 {
	return t[0][p[0]] + t[1][p[1]] + t[2][p[2]] + t[3][p[3]] +
		t[4][p[4]] + t[5][p[5]] + t[6][p[6]] + t[7][p[7]]
}

// A planeBuffer has planes in memory.
type planeBuffer [5][8]byte

func (b *planeBuffer) put(i int, p uint64) { binary.LittleEndian.PutUint64(b[i][:], p) }

// planeColumn returns the column that bit i of byte j of the planes of a half of
// a block is about, as slice leaves it.
func planeColumn(half, j, i int) int { return i/4*64 + half*32 + i%4*8 + j }

// fill makes the tables of the whole blocks of a, if impl wants them.
func (t *planeTables) fill(a *Activation, impl implementation) {
	*t = (*t)[:0]
	if impl != portable {
		return
	}
	n := a.n / block
	*t = resize(*t, n)
	for b := range *t {
		for half := range 2 {
			for j := range 8 {
				table := &(*t)[b][half][j]
				table[0] = 0
				for i := range 8 {
					q := int32(a.q[b*block+planeColumn(half, j, i)])
					lo, hi := table[:1<<i], table[1<<i:1<<(i+1)]
					for s, sum := range lo {
						hi[s] = sum + q
					}
				}
			}
		}
	}
}

// planeKind says how planes of codes become planes of values.
type planeKind uint8

const (
	noPlanes    planeKind = iota
	linearPlane           // value = code + a constant
	fp3Planes             // sign, and magnitudes 0, 1, 2, 4
	fp4Planes             // sign, and magnitudes 0, 1, 2, 3, 4, 6, 8, 12
)

// A planeBook is what a codebook adds to its kind: the constant, or the value in
// place of negative zero.
type planeBook struct {
	constant int32     // linear
	special  [5]uint64 // the bits of the special value, each for all 64 codes
	flip     uint64    // all ones to compute −Σ, with the special value negative
	sign     int32     // and then −1
}

// planesOf returns the kind of the codebooks v, of codes of the given width.
func planesOf(v [][]int16, bits int, linear bool) (planeKind, []planeBook) {
	if bits != 3 && bits != 4 {
		return noPlanes, nil
	}
	kind, magnitudes := fp3Planes, []int16{0, 1, 2, 4}
	switch {
	case linear:
		kind = linearPlane
	case bits == 4:
		kind, magnitudes = fp4Planes, []int16{0, 1, 2, 3, 4, 6, 8, 12}
	}
	var books []planeBook
	for _, values := range v {
		book := planeBook{constant: int32(values[0]), sign: 1} // 0 unless linear
		if kind != linearPlane {
			n := len(magnitudes)
			for c, m := range magnitudes {
				if values[c] != m || c > 0 && values[n+c] != -m {
					return noPlanes, nil
				}
			}
			special := values[n]
			if special == 16 { // which 5 bits have no room for, but for −16
				special, book.flip, book.sign = -16, ^uint64(0), -1
			}
			for i := range book.special {
				if special>>i&1 != 0 {
					book.special[i] = ^uint64(0)
				}
			}
		}
		books = append(books, book)
	}
	return kind, books
}

// integerRowsPortable computes rows by bit planes, if it can do so for the type,
// and if a group is a block or several.
func integerRowsPortable(dst []float32, p *plan, a *Activation, lo, hi int) int {
	if p.kind == noPlanes || p.groupSize%block != 0 || p.scale != datatype.RowStep || len(a.tables) == 0 {
		return lo
	}
	// The tables of half a block, 8 KiB, serve a tile of rows before those of the
	// next have their turn. The codes of a tile stay in the second-level cache for all blocks.
	const maxTile, tileBytes = 64, 128 << 10
	tile := max(1, min(maxTile, tileBytes/p.rowBytes))
	blocks := p.cols / block
	if p.bits == 3 {
		blocks = p.cols / step * 4
	}
	for ; lo < hi; lo += tile {
		n := min(tile, hi-lo)
		touch(p.s.Codes[lo*p.rowBytes : (lo+n)*p.rowBytes])
		var acc [maxTile][lanes]float32
		var partial [maxTile]int32
		var books [maxTile]*planeBook
		for b := range blocks {
			g := b * block / p.groupSize
			tables, d := &a.tables[b], a.d[b]
			sum0 := a.corr[b] / offset
			for i := range n {
				books[i] = &p.books[p.selector(lo+i, g)]
			}
			for half := range tables {
				t := &tables[half]
				switch {
				case p.kind == fp4Planes:
					at := lo*p.rowBytes + b*64 + half*32
					for i := range n {
						c0, c1, c2, s := planes4((*[32]byte)(p.s.Codes[at:]))
						partial[i] += sumFP4(t, c0, c1, c2, s, books[i])
						at += p.rowBytes
					}
				case p.kind == fp3Planes:
					for i := range n {
						c0, c1, s, _ := p.planes(lo+i, b, half)
						partial[i] += sumFP3(t, c0, c1, s, books[i])
					}
				default:
					for i := range n {
						c0, c1, c2, c3 := p.planes(lo+i, b, half)
						partial[i] += sumLinear(t, c0, c1, c2, c3)
					}
				}
			}
			for i := range n {
				sum := (partial[i]*books[i].sign + books[i].constant*sum0) * int32(p.scaleByte(lo+i, g))
				acc[i][b%lanes] += float32(float32(sum) * d)
				partial[i] = 0
			}
		}
		for i := range n {
			p.integerRow(&acc[i], a, lo+i, blocks*block, portable)
			dst[lo+i] = p.finish(&acc[i], lo+i)
		}
	}
	return hi
}

// touch reads b in order, a byte of each cache line, which the hardware is better
// at than at columns of rows.
//
//go:noinline
func touch(b []byte) (sum byte) {
	for i := 0; i < len(b); i += 64 {
		sum += b[i]
	}
	return sum
}

// planes returns the planes of half a block of a row: columns 32·half … 32·half+31
// and those 64 further on, as planeColumn says.
func (p *plan) planes(row, b, half int) (p0, p1, p2, p3 uint64) {
	if p.bits == 4 {
		return planes4((*[32]byte)(p.s.Codes[row*p.rowBytes+b*64+half*32:]))
	}
	// As 4-bit codes would be.
	var w [4]uint64
	const three, two, one = 0x0707070707070707, 0x0303030303030303, 0x0404040404040404
	src := (*[160]byte)(p.s.Codes[row*p.rowBytes+b/4*192+half*32:])
	if b%4 < 3 {
		at := (*[32]byte)(src[b%4*64:])
		for i := range w {
			x := binary.LittleEndian.Uint64(at[i*8:])
			w[i] = x&three | x>>3&three<<4
		}
	} else {
		for i := range w {
			x := binary.LittleEndian.Uint64(src[i*8:])
			y := binary.LittleEndian.Uint64(src[64+i*8:])
			z := binary.LittleEndian.Uint64(src[128+i*8:])
			w[i] = x>>6&two | z>>4&one | (y>>6&two|z>>5&one)<<4
		}
	}
	return slice(w[0], w[1], w[2], w[3])
}

func planes4(src *[32]byte) (p0, p1, p2, p3 uint64) {
	return slice(
		binary.LittleEndian.Uint64(src[0:]), binary.LittleEndian.Uint64(src[8:]),
		binary.LittleEndian.Uint64(src[16:]), binary.LittleEndian.Uint64(src[24:]))
}

// slice turns four words of sixteen 4-bit codes into four planes: bit i of nibble n
// of plane k is bit k of nibble n of word i.
func slice(a, b, c, d uint64) (p0, p1, p2, p3 uint64) {
	const twos, ones = 0x3333333333333333, 0x5555555555555555
	t := (a>>2 ^ c) & twos
	a, c = a^t<<2, c^t
	t = (b>>2 ^ d) & twos
	b, d = b^t<<2, d^t
	t = (a>>1 ^ b) & ones
	a, b = a^t<<1, b^t
	t = (c>>1 ^ d) & ones
	c, d = c^t<<1, d^t
	return a, b, c, d
}

func sumLinear(t *planeHalf, c0, c1, c2, c3 uint64) int32 {
	var buf planeBuffer
	buf.put(0, c0)
	buf.put(1, c1)
	buf.put(2, c2)
	buf.put(3, c3)
	return t.sum(&buf[0]) + t.sum(&buf[1])<<1 + t.sum(&buf[2])<<2 + t.sum(&buf[3])<<3
}

func sumFP3(t *planeHalf, c0, c1, s uint64, book *planeBook) int32 {
	// Magnitudes.
	t0 := c0 &^ c1
	t1 := c1 &^ c0
	t2 := c0 & c1
	nonzero := c0 | c1
	special := s &^ nonzero
	sign := (s ^ book.flip) & nonzero
	// Negated where sign is set: ones' complement plus one.
	x1, carry := t1^sign, sign&^t0
	t1 = x1 ^ carry
	t2 ^= sign ^ x1&carry

	var buf planeBuffer
	buf.put(0, t0|special&book.special[0])
	buf.put(1, t1|special&book.special[1])
	buf.put(2, t2|special&book.special[2])
	buf.put(3, sign|special&book.special[3])
	return t.sum(&buf[0]) + t.sum(&buf[1])<<1 + t.sum(&buf[2])<<2 - t.sum(&buf[3])<<3
}

func sumFP4(t *planeHalf, c0, c1, c2, s uint64, book *planeBook) int32 {
	// Magnitudes.
	t0 := c0 &^ c2
	t1 := c1&^c2 | c2&c0&^c1
	t2 := c2 &^ (c1 &^ c0)
	t3 := c2 & c1
	nonzero := c0 | c1 | c2
	special := s &^ nonzero
	sign := (s ^ book.flip) & nonzero
	// Negated where sign is set: ones' complement plus one.
	x1, carry := t1^sign, sign&^t0
	t1, carry = x1^carry, x1&carry
	x2 := t2 ^ sign
	t2 = x2 ^ carry
	t3 ^= sign ^ x2&carry

	var buf planeBuffer
	buf.put(0, t0|special&book.special[0])
	buf.put(1, t1|special&book.special[1])
	buf.put(2, t2|special&book.special[2])
	buf.put(3, t3|special&book.special[3])
	buf.put(4, sign|special&book.special[4])
	return t.sum(&buf[0]) + t.sum(&buf[1])<<1 + t.sum(&buf[2])<<2 + t.sum(&buf[3])<<3 - t.sum(&buf[4])<<4
}
