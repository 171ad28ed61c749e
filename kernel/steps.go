package kernel

import "encoding/binary"

// What vector code wants to see of a row: a step of 512 columns is four blocks,
// each with its scale, a byte, and its selector, a nibble. This is how it is
// stored if a group is a block and selectors are nibbles; otherwise stepMeta
// says it for one row, maxSteps steps at a time.
type stepMeta struct {
	scales    [4 * maxSteps]byte
	selectors [2 * maxSteps]byte
}

const maxSteps = 32

// expand sets the scales and selectors of steps steps from step on. The group
// size must be a multiple of block. Those behind the end of the row are 0.
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

// lastStep copies the codes of 3 or 4 bits behind the last whole step of a row,
// which must be whole blocks, to where they are in a whole step.
func (p *plan) lastStep(codes *[256]byte, row int) {
	clear(codes[:])
	steps, left := p.cols/step, p.cols%step
	src := p.s.Codes[row*p.rowBytes+steps*step*p.bits/8 : (row+1)*p.rowBytes]
	if p.bits == 4 {
		copy(codes[:], src)
		return
	}
	if left >= 256 {
		widen3(codes[0:], src[:96], 32)
		src, left = src[96:], left-256
		if left >= 128 {
			widen3(codes[128:], src, 16)
		}
		return
	}
	widen3(codes[0:], src, 16)
}

// widen3 turns the codes of a chunk of 3-bit codes whose height h is 32 or 16,
// which are 2 blocks or 1, into codes of so many blocks in a chunk of height 64.
func widen3(dst, src []byte, h int) {
	// The strip of h columns at column c of a block of 128 goes to bits c/64·3
	// of byte c%64 of the block.
	put := func(col int, strip uint64) {
		at := col/128*64 + col%64
		shift := col % 128 / 64 * 3
		binary.LittleEndian.PutUint64(dst[at:], binary.LittleEndian.Uint64(dst[at:])|strip<<shift)
	}
	const low, two, four = 0x0707070707070707, 0x0303030303030303, 0x0404040404040404
	for i := 0; i < h; i += 8 {
		b0 := binary.LittleEndian.Uint64(src[i:])
		b1 := binary.LittleEndian.Uint64(src[h+i:])
		b2 := binary.LittleEndian.Uint64(src[2*h+i:])
		put(i, b0&low)
		put(h+i, b0>>3&low)
		put(2*h+i, b1&low)
		put(3*h+i, b1>>3&low)
		put(4*h+i, b2&low)
		put(5*h+i, b2>>3&low)
		put(6*h+i, b0>>6&two|b2>>4&four)
		put(7*h+i, b1>>6&two|b2>>5&four)
	}
}
