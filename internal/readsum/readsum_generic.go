package readsum

import "encoding/binary"

func sumGeneric(b []byte) uint64 {
	var s [4]uint64
	for ; len(b) > 0; b = b[256:] {
		c := (*[256]byte)(b)
		for i := 0; i < 256; i += 32 {
			s[0] += binary.LittleEndian.Uint64(c[i:])
			s[1] += binary.LittleEndian.Uint64(c[i+8:])
			s[2] += binary.LittleEndian.Uint64(c[i+16:])
			s[3] += binary.LittleEndian.Uint64(c[i+24:])
		}
	}
	return s[0] + s[1] + s[2] + s[3]
}
