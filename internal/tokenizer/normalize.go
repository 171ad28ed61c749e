package tokenizer

import "encoding/json"

// A normalizer changes the text between added tokens.
type normalizer interface {
	// normalize returns the normalized text. It may stop once the text has more than
	// limit bytes.
	normalize(text string, limit int) string
}

var normalizers = map[string]func(json.RawMessage) (normalizer, error){
	"BertNormalizer": newBertNormalizer,
	"ByteLevel":      newByteLevelNormalizer,
	"Lowercase":      newLowercase,
	"NFC":            newUnicodeForm,
	"NFD":            newUnicodeForm,
	"NFKC":           newUnicodeForm,
	"NFKD":           newUnicodeForm,
	"Nmt":            newNmt,
	"Precompiled":    newPrecompiled,
	"Prepend":        newPrepend,
	"Replace":        newReplace,
	"Strip":          newStrip,
	"StripAccents":   newStripAccents,
}

// Normalized text may be this much longer than the text, as a multiple and a number
// of bytes. Unicode's longest decomposition has eleven times the bytes.
const (
	maxGrowth = 64
	growthAdd = 1024
)

// normalize runs the normalizers.
func (t *Tokenizer) normalize(text string) (string, error) {
	limit := maxGrowth*len(text) + growthAdd
	for _, n := range t.normalizers {
		if text = n.normalize(text, limit); len(text) > limit {
			return "", errorf("the normalizers make a text more than %d times longer", maxGrowth)
		}
	}
	return text, nil
}

// A mapping is a normalizer of single characters: it appends the replacement of each.
type mapping func(to []byte, r rune) []byte

func (m mapping) normalize(text string, _ int) string {
	to := make([]byte, 0, len(text)+len(text)/8)
	for _, r := range text {
		to = m(to, r)
	}
	return string(to)
}
