package tokenizer

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// A Llama2c is a SentencePiece model as llama2.c exports it. Token 0 is unknown, 1 starts
// a text and 2 ends it. Tokens 3…258 are bytes, unless the vocabulary is smaller.
type Llama2c struct {
	pieces []string
	scores []float32
	index  map[string]int
}

const (
	llama2cStart = 1
	llama2cEnd   = 2
	llama2cByte0 = 3
)

// ParseLlama2c reads a tokenizer of llama2.c (tokenizer.bin). The file has the length of
// the longest piece, an int32, and then for each of vocab tokens a float32 score, an
// int32 length, and the bytes of the piece.
func ParseLlama2c(data []byte, vocab int) (*Llama2c, error) {
	if len(data) < 4 {
		return nil, errorf("%d bytes, which is too short for a tokenizer", len(data))
	}
	t := &Llama2c{index: map[string]int{}}
	at := 4
	for i := range vocab {
		if len(data)-at < 8 {
			return nil, errorf("ends at byte %d, in token %d of %d", len(data), i, vocab)
		}
		score := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
		n := int(int32(binary.LittleEndian.Uint32(data[at+4:])))
		at += 8
		if n < 0 || n > len(data)-at {
			return nil, errorf("byte %d: token %d has length %d, with %d bytes left", at-4, i, n, len(data)-at)
		}
		if score != score {
			return nil, errorf("byte %d: score of token %d is not a number", at-8, i)
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
		return nil, errorf("%d bytes follow the last of %d tokens", len(data)-at, vocab)
	}
	return t, nil
}

func (t *Llama2c) Vocab() int { return len(t.pieces) }

func (t *Llama2c) Around() (before, after []int) { return []int{llama2cStart}, nil }

func (t *Llama2c) Encode(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	// SentencePiece puts a space before a text, as before every word.
	var symbols []int32
	for rest := " " + text; rest != ""; {
		_, n := utf8.DecodeRuneInString(rest)
		if token, ok := t.index[rest[:n]]; ok {
			symbols = append(symbols, int32(token))
		} else {
			for _, b := range []byte(rest[:n]) {
				token := llama2cByte0 + int(b)
				if token >= len(t.pieces) {
					return nil, noToken(rest[:n])
				}
				symbols = append(symbols, int32(token))
			}
		}
		rest = rest[n:]
	}
	var m merger
	symbols = m.run(symbols, func(a, b int32) (int32, float64, bool) {
		token, ok := t.index[t.pieces[a]+t.pieces[b]]
		if !ok {
			return 0, 0, false
		}
		return int32(token), -float64(t.scores[token]), true
	})
	tokens := make([]int, len(symbols))
	for i, s := range symbols {
		tokens[i] = int(s)
	}
	return tokens, nil
}

func (t *Llama2c) Decode(prev, token int) []byte {
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
