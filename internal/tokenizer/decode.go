package tokenizer

import (
	"encoding/json"
	"strings"
)

// A decoder changes the pieces that a text is put together from; it may do so in
// place. raw asks for the bytes that pieces stand for, where otherwise those that
// are no text become U+FFFD.
type decoder interface {
	decode(pieces []string, raw bool) []string
}

var decoders = map[string]func(json.RawMessage) (decoder, error){
	"BPEDecoder":   newSuffixDecoder,
	"ByteFallback": newByteFallback,
	"ByteLevel":    newByteLevelDecoder,
	"CTC":          newCTC,
	"Fuse":         newFuse,
	"Metaspace":    newMetaspaceDecoder,
	"Replace":      newReplaceDecoder,
	"Strip":        newStripDecoder,
	"WordPiece":    newWordPieceDecoder,
}

// decode returns the text of pieces, which it may change.
func (t *Tokenizer) decode(pieces []string, raw bool) string {
	if len(t.decoder) == 0 {
		return strings.Join(pieces, " ")
	}
	for _, d := range t.decoder {
		pieces = d.decode(pieces, raw)
	}
	return strings.Join(pieces, "")
}

// fuse puts all pieces together.
type fuse struct{}

func newFuse(json.RawMessage) (decoder, error) { return fuse{}, nil }

func (fuse) decode(pieces []string, _ bool) []string { return []string{strings.Join(pieces, "")} }

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

// stripDecoder takes a character off the ends of pieces, so many times.
type stripDecoder struct {
	Content string `json:"content"`
	Start   int    `json:"start"`
	Stop    int    `json:"stop"`
}

func newStripDecoder(raw json.RawMessage) (decoder, error) {
	s, err := fields(raw, stripDecoder{})
	if err == nil && len(s.Content) != max(1, runeLen(s.Content)) {
		err = errorf("content is %q, want one character", s.Content)
	}
	return s, err
}

func (s stripDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		for n := 0; n < s.Start && strings.HasPrefix(p, s.Content); n++ {
			p = p[len(s.Content):]
		}
		for n := 0; n < s.Stop && strings.HasSuffix(p, s.Content); n++ {
			p = p[:len(p)-len(s.Content)]
		}
		pieces[i] = p
	}
	return pieces
}

// wordPieceDecoder puts spaces before pieces without the prefix, which it takes off
// the others.
type wordPieceDecoder struct {
	Prefix  string `json:"prefix"`
	Cleanup bool   `json:"cleanup"`
}

func newWordPieceDecoder(raw json.RawMessage) (decoder, error) {
	return fields(raw, wordPieceDecoder{"##", true})
}

func (d wordPieceDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		if i > 0 {
			if rest, ok := strings.CutPrefix(p, d.Prefix); ok {
				p = rest
			} else {
				p = " " + p
			}
		}
		if d.Cleanup {
			p = cleanup(p)
		}
		pieces[i] = p
	}
	return pieces
}

// cleanup takes out spaces that English does not have, one rule after the other.
func cleanup(text string) string {
	if !strings.Contains(text, " ") {
		return text
	}
	for _, rule := range [...][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
		{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
	} {
		text = strings.ReplaceAll(text, rule[0], rule[1])
	}
	return text
}

// suffixDecoder writes the suffix that ends words as a space.
type suffixDecoder struct {
	Suffix string `json:"suffix"`
}

func newSuffixDecoder(raw json.RawMessage) (decoder, error) {
	d, err := fields(raw, suffixDecoder{"</w>"})
	if err == nil && d.Suffix == "" {
		err = errorf("the suffix is empty")
	}
	return d, err
}

func (d suffixDecoder) decode(pieces []string, _ bool) []string {
	for i, p := range pieces {
		with := " "
		if i == len(pieces)-1 {
			with = ""
		}
		pieces[i] = strings.ReplaceAll(p, d.Suffix, with)
	}
	return pieces
}

// ctc drops repetitions and padding.
type ctc struct {
	Pad     string `json:"pad_token"`
	Word    string `json:"word_delimiter_token"`
	Cleanup bool   `json:"cleanup"`
}

func newCTC(raw json.RawMessage) (decoder, error) {
	d, err := fields(raw, ctc{"<pad>", "|", true})
	if err == nil && (d.Pad == "" || d.Word == "") {
		err = errorf("pad_token or word_delimiter_token is empty")
	}
	return d, err
}

func (d ctc) decode(pieces []string, _ bool) []string {
	var out []string
	for i, p := range pieces {
		if i > 0 && p == pieces[i-1] {
			continue
		}
		if p = strings.ReplaceAll(p, d.Pad, ""); d.Cleanup {
			p = strings.ReplaceAll(cleanup(p), d.Word, " ")
		}
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
