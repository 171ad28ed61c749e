package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// precompiled is SentencePiece's table of replacements for characters and short
// sequences of them: a double-array trie of the library Darts-clone, whose values are
// offsets of strings that end in a zero byte.
type precompiled struct {
	units   []uint32
	strings string
}

func newPrecompiled(raw json.RawMessage) (normalizer, error) {
	var s struct {
		Map *string `json:"precompiled_charsmap"`
	}
	s, err := fields(raw, s)
	if err != nil {
		return nil, err
	}
	if s.Map == nil || *s.Map == "" {
		return nil, errorf("no precompiled_charsmap")
	}
	data, err := base64.StdEncoding.DecodeString(*s.Map)
	if err != nil {
		return nil, errorf("precompiled_charsmap: %v", err)
	}
	if len(data) < 4 {
		return nil, errorf("precompiled_charsmap has %d bytes", len(data))
	}
	size := int64(binary.LittleEndian.Uint32(data))
	if size%4 != 0 || size > int64(len(data)-4) {
		return nil, errorf("precompiled_charsmap has %d bytes, with a trie of %d", len(data), size)
	}
	p := &precompiled{strings: lossy(string(data[4+size:])), units: make([]uint32, size/4)}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(data[4+4*i:])
	}
	// Each occurrence of an entry looks for the end of the entry's string, so long strings
	// would take too long.
	for text := range strings.SplitSeq(p.strings, "\x00") {
		if len(text) > maxContent {
			return nil, errorf("precompiled_charsmap has a string of %d bytes, want at most %d", len(text), maxContent)
		}
	}
	return p, nil
}

// find returns the replacement of the shortest entry that text begins with.
func (p *precompiled) find(text string) (string, bool) {
	unit := func(at uint32) uint32 {
		if int64(at) >= int64(len(p.units)) {
			return 0
		}
		return p.units[at]
	}
	// The bits of a unit: its label, whether a value follows, and how far its children
	// are.
	children := func(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }
	at := children(unit(0))
	for _, c := range []byte(text) {
		if c == 0 {
			break
		}
		at ^= uint32(c)
		u := unit(at)
		if u&(1<<31|0xff) != uint32(c) {
			break
		}
		at ^= children(u)
		if u>>8&1 == 0 {
			continue
		}
		value := int64(unit(at) &^ (1 << 31))
		if value >= int64(len(p.strings)) {
			return "", value == int64(len(p.strings))
		}
		to := p.strings[value:]
		if end := strings.IndexByte(to, 0); end >= 0 {
			to = to[:end]
		}
		return to, utf8.ValidString(to)
	}
	return "", false
}

func (p *precompiled) normalize(text string, limit int) string {
	var b strings.Builder
	b.Grow(len(text))
	for text != "" && b.Len() <= limit {
		n := graphemeLen(text)
		cluster := text[:n]
		text = text[n:]
		if n < 6 {
			if to, ok := p.find(cluster); ok {
				b.WriteString(to)
				continue
			}
		}
		for cluster != "" {
			n := runeLen(cluster)
			if to, ok := p.find(cluster[:n]); ok {
				b.WriteString(to)
			} else {
				b.WriteString(cluster[:n])
			}
			cluster = cluster[n:]
		}
	}
	return b.String()
}
