package kernel

import "encoding/binary"

// These loops of the portable path look up and add, over the codes of a block, one row
// after another. The compiler makes the best code, six instructions for four weights, if
// a load gets two bytes and each statement has a line of its own.

const (
	blockBytes = 64             // the bytes of a block of codes, two codes in each
	halfBytes  = blockBytes / 2 // tables are made for half a block at a time
)

var le = binary.LittleEndian

// sum sets dst[i] to the sum of the entries for the 32 bytes from codes[64·i] on.
func (t *pairTables) sum(dst []uint32, codes []byte) {
	at := 0
	for i := range dst {
		c := (*[32]byte)(codes[at : at+32])
		v := uint32(le.Uint16(c[0:]))
		s := t[0][v&255] + t[1][v>>8]
		v = uint32(le.Uint16(c[2:]))
		s += t[2][v&255] + t[3][v>>8]
		v = uint32(le.Uint16(c[4:]))
		s += t[4][v&255] + t[5][v>>8]
		v = uint32(le.Uint16(c[6:]))
		s += t[6][v&255] + t[7][v>>8]
		v = uint32(le.Uint16(c[8:]))
		s += t[8][v&255] + t[9][v>>8]
		v = uint32(le.Uint16(c[10:]))
		s += t[10][v&255] + t[11][v>>8]
		v = uint32(le.Uint16(c[12:]))
		s += t[12][v&255] + t[13][v>>8]
		v = uint32(le.Uint16(c[14:]))
		s += t[14][v&255] + t[15][v>>8]
		v = uint32(le.Uint16(c[16:]))
		s += t[16][v&255] + t[17][v>>8]
		v = uint32(le.Uint16(c[18:]))
		s += t[18][v&255] + t[19][v>>8]
		v = uint32(le.Uint16(c[20:]))
		s += t[20][v&255] + t[21][v>>8]
		v = uint32(le.Uint16(c[22:]))
		s += t[22][v&255] + t[23][v>>8]
		v = uint32(le.Uint16(c[24:]))
		s += t[24][v&255] + t[25][v>>8]
		v = uint32(le.Uint16(c[26:]))
		s += t[26][v&255] + t[27][v>>8]
		v = uint32(le.Uint16(c[28:]))
		s += t[28][v&255] + t[29][v>>8]
		v = uint32(le.Uint16(c[30:]))
		s += t[30][v&255] + t[31][v>>8]
		dst[i] = s
		at += blockBytes
	}
}

// sum16 is sum for bytes first…first+15 of the 32, which codes starts with.
func (p *pairTables) sum16(dst []uint32, codes []byte, first int) {
	t := (*[16][256]uint32)(p[first:])
	at := 0
	for i := range dst {
		c := (*[16]byte)(codes[at : at+16])
		v := uint32(le.Uint16(c[0:]))
		s := t[0][v&255] + t[1][v>>8]
		v = uint32(le.Uint16(c[2:]))
		s += t[2][v&255] + t[3][v>>8]
		v = uint32(le.Uint16(c[4:]))
		s += t[4][v&255] + t[5][v>>8]
		v = uint32(le.Uint16(c[6:]))
		s += t[6][v&255] + t[7][v>>8]
		v = uint32(le.Uint16(c[8:]))
		s += t[8][v&255] + t[9][v>>8]
		v = uint32(le.Uint16(c[10:]))
		s += t[10][v&255] + t[11][v>>8]
		v = uint32(le.Uint16(c[12:]))
		s += t[12][v&255] + t[13][v>>8]
		v = uint32(le.Uint16(c[14:]))
		s += t[14][v&255] + t[15][v>>8]
		dst[i] = s
		at += blockBytes
	}
}

// sum8 is sum for bytes first…first+7 of the 32, which codes starts with.
func (p *pairTables) sum8(dst []uint32, codes []byte, first int) {
	t := (*[8][256]uint32)(p[first:])
	at := 0
	for i := range dst {
		c := (*[8]byte)(codes[at : at+8])
		v := uint32(le.Uint16(c[0:]))
		s := t[0][v&255] + t[1][v>>8]
		v = uint32(le.Uint16(c[2:]))
		s += t[2][v&255] + t[3][v>>8]
		v = uint32(le.Uint16(c[4:]))
		s += t[4][v&255] + t[5][v>>8]
		v = uint32(le.Uint16(c[6:]))
		s += t[6][v&255] + t[7][v>>8]
		dst[i] = s
		at += blockBytes
	}
}

// copyCodes sets 64 bytes of each row in dst to those from codes[stride·i] on.
func copyCodes(dst, codes []byte, stride int) {
	at := 0
	for i := 0; i < len(dst); i += blockBytes {
		src, d := (*[blockBytes]byte)(codes[at:at+blockBytes]), (*[blockBytes]byte)(dst[i:i+blockBytes])
		// Copying arrays that might overlap would become a call.
		le.PutUint64(d[0:], le.Uint64(src[0:]))
		le.PutUint64(d[8:], le.Uint64(src[8:]))
		le.PutUint64(d[16:], le.Uint64(src[16:]))
		le.PutUint64(d[24:], le.Uint64(src[24:]))
		le.PutUint64(d[32:], le.Uint64(src[32:]))
		le.PutUint64(d[40:], le.Uint64(src[40:]))
		le.PutUint64(d[48:], le.Uint64(src[48:]))
		le.PutUint64(d[56:], le.Uint64(src[56:]))
		at += stride
	}
}

// lastCodes is copyCodes for 3-bit codes of the last block of a step, which are in bits
// that the other blocks leave. The codes of step i begin at codes[stride·i].
func lastCodes(dst, codes []byte, stride int) {
	const low, high = 0x0303030303030303, 0x0404040404040404
	at := 0
	for i := 0; i < len(dst); i += blockBytes {
		src, d := (*[3 * blockBytes]byte)(codes[at:at+3*blockBytes]), (*[blockBytes]byte)(dst[i:i+blockBytes])
		for j := 0; j < blockBytes; j += 8 {
			x, y, z := le.Uint64(src[j:]), le.Uint64(src[64+j:]), le.Uint64(src[128+j:])
			le.PutUint64(d[j:], x>>6&low|z>>4&high|(y>>6&low|z>>5&high)<<3)
		}
		at += stride
	}
}

// mergeCodes reorders n half-blocks of codes for the pairs of small groups: see
// pairColumns. Byte j has columns j and 64+j of the block.
func mergeCodes(codes []byte, n, bits int) {
	low := uint64(1<<bits-1) * 0x0101010101010101
	for i := range n {
		c := (*[halfBytes]byte)(codes[i*halfBytes : (i+1)*halfBytes])
		w, x, y, z := le.Uint64(c[0:]), le.Uint64(c[8:]), le.Uint64(c[16:]), le.Uint64(c[24:])
		le.PutUint64(c[0:], w&low|x&low<<(bits&7))
		le.PutUint64(c[8:], y&low|z&low<<(bits&7))
		le.PutUint64(c[16:], w>>(bits&7)&low|x>>(bits&7)&low<<(bits&7))
		le.PutUint64(c[24:], y>>(bits&7)&low|z>>(bits&7)&low<<(bits&7))
	}
}
