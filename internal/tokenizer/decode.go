package tokenizer

import (
	"encoding/json"
	"strings"
)

// A decoder changes the pieces of a text, possibly in place. If raw is set, pieces
// become the bytes that they stand for; otherwise bytes that are not UTF-8 become
// U+FFFD.
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
