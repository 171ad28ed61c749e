package llm

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// A llama2cTokenizer is a SentencePiece model as llama2.c exports it. Tokens 0, 1
// and 2 are unknown, start and end; 3…258 are bytes, as far as there are so many.
type llama2cTokenizer struct {
	pieces []string
	scores []float32
	index  map[string]int
}

const (
	llama2cStart = 1
	llama2cEnd   = 2
	llama2cByte0 = 3
)

// ParseLlama2cTokenizer reads a tokenizer of llama2.c (tokenizer.bin): an int32,
// the length of the longest piece, then for each of vocab tokens a float32 score,
// an int32 length, and so many bytes.
func ParseLlama2cTokenizer(data []byte, vocab int) (Tokenizer, error) {
	if len(data) < 4 {
		return nil, formatErrorf("%d bytes, which is too short for a tokenizer", len(data))
	}
	t := &llama2cTokenizer{index: map[string]int{}}
	at := 4
	for i := range vocab {
		if len(data)-at < 8 {
			return nil, formatErrorf("ends at byte %d, in token %d of %d", len(data), i, vocab)
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
		n := int(int32(binary.LittleEndian.Uint32(data[at+4:])))
		at += 8
		if n < 0 || n > len(data)-at {
			return nil, formatErrorf("byte %d: token %d has length %d, with %d bytes left", at-4, i, n, len(data)-at)
		}
		if score != score {
			return nil, formatErrorf("byte %d: score of token %d is not a number", at-8, i)
		}
		piece := string(data[at : at+n])
		at += n
		if _, ok := t.index[piece]; !ok {
			t.index[piece] = i
		}
		t.pieces = append(t.pieces, piece)
		t.scores = append(t.scores, score)
	}
	if at != len(data) {
		return nil, formatErrorf("%d bytes follow the last of %d tokens", len(data)-at, vocab)
	}
	return t, nil
}

func (t *llama2cTokenizer) Vocab() int { return len(t.pieces) }

func (t *llama2cTokenizer) Around() (before, after []int) { return []int{llama2cStart}, nil }

func (t *llama2cTokenizer) Encode(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	// SentencePiece puts a space before a text, as before every word.
	var tokens []int
	for rest := " " + text; rest != ""; {
		_, n := utf8.DecodeRuneInString(rest)
		if token, ok := t.index[rest[:n]]; ok {
			tokens = append(tokens, token)
		} else {
			for _, b := range []byte(rest[:n]) {
				token := llama2cByte0 + int(b)
				if token >= len(t.pieces) {
					return nil, fmt.Errorf("llm: the tokenizer has no token for %q", rest[:n])
				}
				tokens = append(tokens, token)
			}
		}
		rest = rest[n:]
	}
	return bytePair(tokens, func(a, b int) (int, float64, bool) {
		token, ok := t.index[t.pieces[a]+t.pieces[b]]
		if !ok {
			return 0, 0, false
		}
		return token, -float64(t.scores[token]), true
	}), nil
}

func (t *llama2cTokenizer) Decode(prev, token int) []byte {
	if token < 0 || token >= len(t.pieces) || token == llama2cStart || token == llama2cEnd {
		return nil
	}
	piece := t.pieces[token]
	if b, ok := byteToken(piece); ok {
		return []byte{b}
	}
	if prev == llama2cStart && piece != "" && piece[0] == ' ' {
		piece = piece[1:]
	}
	return []byte(piece)
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
