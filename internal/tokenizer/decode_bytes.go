package tokenizer

import (
	"encoding/json"
)

// byteFallback returns the bytes of pieces such as <0x0A>.
type byteFallback struct{}

func newByteFallback(json.RawMessage) (decoder, error) { return byteFallback{}, nil }

func (byteFallback) decode(pieces []string, raw bool) []string {
	var (
		out   []string
		bytes []byte
	)
	flush := func() {
		switch s := string(bytes); {
		case s == "":
			return
		case raw || lossy(s) == s:
			out = append(out, s)
		default:
			for range bytes {
				out = append(out, "\ufffd")
			}
		}
		bytes = bytes[:0]
	}
	for _, p := range pieces {
		if b, ok := byteToken(p); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, p)
	}
	flush()
	return out
}

// byteToken returns the byte that a piece such as "<0x0A>" stands for.
func byteToken(piece string) (byte, bool) {
	if len(piece) != 6 || piece[:3] != "<0x" || piece[5] != '>' {
		return 0, false
	}
	var b byte
	for _, c := range []byte(piece[3:5]) {
		switch {
		case c >= '0' && c <= '9':
			b = b<<4 | (c - '0')
		case c >= 'A' && c <= 'F':
			b = b<<4 | (c - 'A' + 10)
		default:
			return 0, false
		}
	}
	return b, true
}
