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
