package kernel

// The portable path adds terms for many rows at once. A product n·q is the sum of its
// terms ±2^i·q, and the sum of the terms of a pair of columns depends only on the two
// activations and on a byte of codes. Each pair of columns therefore gets a table of
// these sums, by the byte, and a row needs one load and one addition for a pair. Tables
// are made for every tile of rows: keeping them in an Activation would cost more memory
// than they cost time, and they differ from type to type.
//
// A type may have several codebooks, but tables serve one. The terms in which codebooks
// differ, the terms of the special value, are therefore kept apart. With n0 the first
// codebook,
//
//	n(code) = n0(code) + coef · flag(code)
//
// where coef depends on the group, and flag is 1 for the code of the special value of
// BitMoD types, and for all codes of integers with a zero-point. An entry has Σ n0·q in
// its low bits and Σ flag·q from bit flagShift on, so that one addition adds both.
// unflag separates them, and coef multiplies the second once for a group.

// flagShift is the number of bits for Σ n0·q over 64 columns, with |n0| ≤ 16 and |q| ≤
// 127. After 64 columns unflag must separate the sums. The remaining 14 bits are just
// enough for Σ flag·q.
const flagShift = 18

// A pairBook has the codebooks of a type for tables of pairs.
type pairBook struct {
	// entries has, by code, the contribution of its terms and flag to an entry, per
	// unit of q.
	entries [16]uint32
	// Word i of packed is the entry of code 2i plus 2^32 times the entry of code 2i+1,
	// both as signed numbers.
	packed [8]uint64
	coef   [16]int32 // by selector
}

// newPairBook returns nil if codebooks differ in more than a multiple of flags, or have
// other than 3 or 4 bits.
func newPairBook(books [][]int16, bits int) *pairBook {
	if bits != 3 && bits != 4 || len(books) == 0 || len(books) > 16 {
		return nil
	}
	b := &pairBook{}
	var flags [16]bool
	for c, n0 := range books[0] {
		if n0 < -16 || n0 > 16 {
			return nil
		}
		for _, v := range books {
			flags[c] = flags[c] || v[c] != n0
		}
		e := int64(n0)
		if flags[c] {
			e += 1 << flagShift
		}
		b.entries[c] = uint32(e)
		b.packed[c/2] += uint64(e << (c % 2 * 32))
	}
	for sel, v := range books {
		known := false
		for c, n0 := range books[0] {
			coef := int32(v[c] - n0)
			if !flags[c] {
				continue
			}
			if known && coef != b.coef[sel] {
				return nil
			}
			b.coef[sel], known = coef, true
		}
	}
	return b
}

// unflag separates the sums of the entries of at most 64 columns, and returns Σ n·q,
// where coef is the coefficient of flags.
func unflag(sum uint32, coef int32) int32 {
	n := int32(sum) << (32 - flagShift) >> (32 - flagShift)
	return n + (int32(sum)-n)>>flagShift*coef
}

// pairTables are the tables of 32 pairs, half a block. Each is indexed by a byte of
// codes, with the first column in the low bits. 3-bit codes leave two bits of the byte to
// other codes, so their tables have four copies.
type pairTables [32][256]uint32

// pairColumns returns the columns of the block that tables 8i…8i+7 of a half are for: 8
// from lo on, and their partners, 8 from hi on. If a group is one block or several, a
// pair is columns j and 64+j, which share a byte of codes. If groups are small, a pair is
// columns j and j+8 of 16 columns, because these are in one group.
func pairColumns(i, half int, small bool) (lo, hi int) {
	if small {
		lo = i/2*64 + half*32 + i%2*16
		return lo, lo + 8
	}
	return half*32 + i*8, 64 + half*32 + i*8
}

// pairBias is added to the halves of words, so that neither is negative and adding two
// words adds their halves. At least eight entries are added, and eight times pairBias
// is 0.
const pairBias = 1 << 29

// fill makes the tables of half a block with activations q, for codes of 3 or 4 bits.
func (t *pairTables) fill(q *[block]int8, half int, small bool, book *pairBook, bits int) {
	p := &book.packed
	for i := range t {
		table := &t[i]
		lo, hi := pairColumns(i/8, half, small)
		x, y := uint64(q[lo+i%8]), uint32(q[hi+i%8])
		l0, l1, l2, l3 := p[0]*x, p[1]*x, p[2]*x, p[3]*x
		if bits == 3 {
			for h, e := range book.entries[:8] {
				w := uint64(e*y+pairBias) * (1<<32 + 1)
				put4((*[8]uint32)(table[h*8:h*8+8]), w, l0, l1, l2, l3)
			}
			once := (*[64]uint32)(table[:])
			*(*[64]uint32)(table[64:]) = *once
			*(*[64]uint32)(table[128:]) = *once
			*(*[64]uint32)(table[192:]) = *once
			continue
		}
		l4, l5, l6, l7 := p[4]*x, p[5]*x, p[6]*x, p[7]*x
		for h, e := range book.entries {
			w := uint64(e*y+pairBias) * (1<<32 + 1)
			d := (*[16]uint32)(table[h*16 : h*16+16])
			put4((*[8]uint32)(d[0:]), w, l0, l1, l2, l3)
			put4((*[8]uint32)(d[8:]), w, l4, l5, l6, l7)
		}
	}
}

// put4 adds w to four words and stores them. The compiler combines the stores of the
// halves of a word.
func put4(d *[8]uint32, w, l0, l1, l2, l3 uint64) {
	d[0], d[1] = uint32(l0+w), uint32((l0+w)>>32)
	d[2], d[3] = uint32(l1+w), uint32((l1+w)>>32)
	d[4], d[5] = uint32(l2+w), uint32((l2+w)>>32)
	d[6], d[7] = uint32(l3+w), uint32((l3+w)>>32)
}
