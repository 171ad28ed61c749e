package kernel

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/internal/pack"
)

// stepMeta has the scales and selectors of a row for vector code, maxSteps steps at a
// time. A step of 512 columns is four blocks, each with a scale, a byte, and a
// selector, a nibble. A matrix whose groups are blocks and whose selectors are nibbles
// is stored like that and needs no stepMeta.
type stepMeta struct {
	scales    [4 * maxSteps]byte
	selectors [2 * maxSteps]byte
}

const maxSteps = 32

// expand sets the scales and selectors of steps steps from step on, with zeros after
// the end of the row. The group size must be a multiple of block.
func (s *stepMeta) expand(p *plan, row, step, steps int) {
	clear(s.scales[:])
	clear(s.selectors[:])
	perGroup := p.groupSize / block
	for i := range 4 * steps {
		b := 4*step + i
		if b*block >= p.cols {
			return
		}
		g := b / perGroup
		s.scales[i] = p.scaleByte(row, g)
		s.selectors[i/2] |= uint8(p.selector(row, g) << (i % 2 * 4))
	}
}

// lastStep copies the codes of 3 or 4 bits after the last whole step of a row to their
// places in a whole step. The rest of the step is 0.
func (p *plan) lastStep(codes *[256]byte, row int) {
	clear(codes[:])
	steps, left := p.cols/step, p.cols%step
	src := p.s.Codes[row*p.rowBytes+steps*step*p.bits/8 : (row+1)*p.rowBytes]
	whole := left / block
	if p.bits == 4 {
		src = src[copy(codes[:whole*block/2], src):]
	} else {
		if whole >= 2 {
			widen3(codes[0:], src, 32)
			src = src[2*block*3/8:]
		}
		if whole%2 == 1 {
			widen3(codes[(whole-1)*64:], src, 16)
			src = src[block*3/8:]
		}
	}
	if left%block > 0 {
		lastBlock(codes, src, left%block, whole, p.bits)
	}
}

// lastBlock is lastStep for the last n columns, which are not a whole block: block b
// of the step.
func lastBlock(codes *[256]byte, src []byte, n, b, bits int) {
	var c [block + pack.MaxChunk]uint8 // by column
	for at := 0; at < n; {
		var m int
		src, m = pack.Next((*[pack.MaxChunk]uint8)(c[at:]), src, n-at, bits)
		at += m
	}
	// Columns 0–63 and 64–127 of a block are in two strips.
	const two, one = 0x0303030303030303, 0x0101010101010101
	for i := 0; i < 64; i += 8 {
		lo, hi := binary.LittleEndian.Uint64(c[i:]), binary.LittleEndian.Uint64(c[64+i:])
		if bits == 4 || b < 3 {
			binary.LittleEndian.PutUint64(codes[64*b+i:], lo|hi<<(bits&7))
			continue
		}
		for at, v := range [...]uint64{lo & two << 6, hi & two << 6, lo>>2&one<<6 | hi>>2&one<<7} {
			d := codes[64*at+i:]
			binary.LittleEndian.PutUint64(d, binary.LittleEndian.Uint64(d)|v)
		}
	}
}

// widen3 converts a chunk of 3-bit codes of height 32 or 16, which is 2 blocks or 1, to
// the same blocks in a chunk of height 64.
func widen3(dst, src []byte, h int) {
	// Columns 0–63 of a block are in bits 0–2 of its 64 bytes, and 64–127 in bits 3–5.
	// Strips 2 and 3, or 4 and 5, are in bytes x of src. The bits that share bytes of
	// dst with strips 6 and 7 are in bytes y.
	const low, high, two, four = 0x0707070707070707, 0x3838383838383838, 0x0303030303030303, 0x0404040404040404
	x, y := h, 2*h
	if h == 16 {
		x, y = y, x
	}
	for i := 0; i < h; i += 8 {
		b0 := binary.LittleEndian.Uint64(src[i:])
		bx := binary.LittleEndian.Uint64(src[x+i:])
		by := binary.LittleEndian.Uint64(src[y+i:])
		b1, b2 := bx, by
		if h == 16 {
			b1, b2 = by, bx
		}
		six, seven := b0>>6&two|b2>>4&four, b1>>6&two|b2>>5&four
		binary.LittleEndian.PutUint64(dst[i:], b0&low|bx&low<<3)
		binary.LittleEndian.PutUint64(dst[h+i:], b0>>3&low|bx&high)
		binary.LittleEndian.PutUint64(dst[2*h+i:], by&low|six<<3)
		binary.LittleEndian.PutUint64(dst[3*h+i:], by>>3&low|seven<<3)
	}
}

// tileRows is the number of rows that go through vector code in one call.
const tileRows = 16

// panelTileRows is the number of rows of a panel, see internal/loops. A panel of fewer
// rows takes as long.
const panelTileRows = 64
