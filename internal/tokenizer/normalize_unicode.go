package tokenizer

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// unicodeForm is one of Unicode's normalization forms.
type unicodeForm struct{ form norm.Form }

func newUnicodeForm(raw json.RawMessage) (normalizer, error) {
	var s struct {
		Type string `json:"type"`
	}
	s, err := fields(raw, s)
	return unicodeForm{map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[s.Type]}, err
}

func (n unicodeForm) normalize(text string, _ int) string { return form(n.form, text) }

func decompose(text string) string { return form(norm.NFD, text) }

// form normalizes the text between characters that are newer than the tables of the
// package tokenizers. There, nothing combines with such characters.
func form(f norm.Form, text string) string {
	if f.IsNormalString(text) {
		return text
	}
	var b strings.Builder
	for text != "" {
		i := strings.IndexFunc(text, newerThanForms)
		if i < 0 {
			i = len(text)
		}
		b.WriteString(formOf(f, text[:i]))
		_, n := utf8.DecodeRuneInString(text[i:])
		b.WriteString(text[i : i+n])
		text = text[i+n:]
	}
	return b.String()
}

// formOf is f.String, without the joiners that f.String puts into runs of more than 30
// marks.
func formOf(f norm.Form, text string) string {
	out := f.String(text)
	if sameJoiners(out, text) {
		return out
	}
	// Nothing combines across the start of an ASCII character.
	var b strings.Builder
	for text != "" {
		n := 1
		for n < len(text) && text[n] >= utf8.RuneSelf {
			n++
		}
		part := text[:n]
		if out := f.String(part); sameJoiners(out, part) {
			b.WriteString(out)
		} else {
			b.WriteString(slowForm(f, part))
		}
		text = text[n:]
	}
	return b.String()
}

func sameJoiners(a, b string) bool {
	const joiner = "\u034f"
	return len(a) < 60 || strings.Count(a, joiner) == strings.Count(b, joiner)
}

// slowForm is the definition of the normalization forms.
func slowForm(f norm.Form, text string) string {
	type char struct {
		r     rune
		class uint8 // of combining
	}
	var chars []char
	decompose := norm.NFD
	if f == norm.NFKC || f == norm.NFKD {
		decompose = norm.NFKD
	}
	for _, r := range text {
		for _, d := range decompose.String(string(r)) {
			chars = append(chars, char{d, norm.NFD.PropertiesString(string(d)).CCC()})
		}
	}
	for i := 0; i < len(chars); {
		n := 0
		for i+n < len(chars) && chars[i+n].class > 0 {
			n++
		}
		slices.SortStableFunc(chars[i:i+n], func(a, b char) int { return int(a.class) - int(b.class) })
		i += n + 1
	}
	if f == norm.NFC || f == norm.NFKC {
		starter, last, kept := -1, uint8(0), chars[:0]
		for _, c := range chars {
			// A character between a starter and a mark keeps them apart if its class is
			// not less.
			if starter >= 0 && (last < c.class || last == 0 && starter == len(kept)-1) {
				both := []rune(norm.NFC.String(string([]rune{kept[starter].r, c.r})))
				if len(both) == 1 {
					kept[starter].r = both[0]
					continue
				}
			}
			if last = c.class; last == 0 {
				starter = len(kept)
			}
			kept = append(kept, c)
		}
		chars = kept
	}
	out := make([]rune, len(chars))
	for i, c := range chars {
		out[i] = c.r
	}
	return string(out)
}

func newerThanForms(r rune) bool { return r >= 0x300 && unicode.Is(formsLack, r) }

// removing returns a text without the characters of a table.
func removing(text string, table *unicode.RangeTable) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x300 && unicode.Is(table, r) {
			return -1
		}
		return r
	}, text)
}

// stripAccents removes marks.
type stripAccents struct{}

func newStripAccents(json.RawMessage) (normalizer, error) { return stripAccents{}, nil }

func (stripAccents) normalize(text string, _ int) string { return removing(text, formsMarks) }

func newLowercase(json.RawMessage) (normalizer, error) { return lower{}, nil }

type lower struct{}

func (lower) normalize(text string, _ int) string { return lowercase(text) }

// lowercase is Unicode's full mapping of each character on its own.
func lowercase(text string) string {
	// İ is the only character whose lower case is two.
	return strings.ToLower(strings.ReplaceAll(text, "İ", "i\u0307"))
}

// newNmt returns the rules that SentencePiece calls nmt.
func newNmt(json.RawMessage) (normalizer, error) {
	return mapping(func(to []byte, r rune) []byte {
		switch {
		case r >= 1 && r <= 8, r == 0xb, r >= 0xe && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
			return to
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200b && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == utf8.RuneError:
			return append(to, ' ')
		}
		return utf8.AppendRune(to, r)
	}), nil
}
