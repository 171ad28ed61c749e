package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// graphemeLen returns the length of the extended grapheme cluster that text, which is not
// empty, begins with, if the cluster has less than 6 bytes. Only such clusters matter to
// precompiled. A longer cluster may come in pieces of 6 bytes and more: the rules of
// Unicode's annex 29 about longer clusters, of regional indicators, joined pictographs
// and joined consonants, are left out.
func graphemeLen(text string) int {
	if len(text) == 1 || text[0] < utf8.RuneSelf && text[1] < utf8.RuneSelf {
		if len(text) > 1 && text[0] == '\r' && text[1] == '\n' {
			return 2
		}
		return 1
	}
	before, n := utf8.DecodeRuneInString(text)
	for n < len(text) {
		r, l := utf8.DecodeRuneInString(text[n:])
		if breaks(before, r) {
			break
		}
		before, n = r, n+l
	}
	return n
}

// breaks reports whether a cluster ends between two characters.
func breaks(a, b rune) bool {
	switch {
	case a == '\r' && b == '\n':
		return false
	case graphemeControl(a), graphemeControl(b):
		return true
	case b == 0x200d, unicode.In(b, unicode.Mn, unicode.Me, unicode.Other_Grapheme_Extend), b >= 0x1f3fb && b <= 0x1f3ff, spacingMark(b):
		return false
	case prepends(a):
		return false
	}
	return !hangulJoins(a, b)
}

// graphemeControl are characters that are clusters of their own.
func graphemeControl(r rune) bool {
	if r < 0x7f {
		return r < ' '
	}
	return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Cf, r) && r != 0x200c && r != 0x200d && !prepends(r) && (r < 0xe0020 || r > 0xe007f) ||
		r >= 0xe0000 && r <= 0xe0fff && !unicode.In(r, unicode.Mn, unicode.Cf) || r == 0x2065 || r >= 0xfff0 && r <= 0xfff8
}

func spacingMark(r rune) bool {
	switch {
	case r < 0x903:
		return false
	case r == 0xe33, r == 0xeb3:
		return true
	case r >= 0x102b && r <= 0x109c: // of Burmese some are
		return r == 0x1031 || r == 0x103b || r == 0x103c || r == 0x1056 || r == 0x1057 || r == 0x1084
	case r == 0x1a61, r == 0x1a63, r == 0x1a64, r == 0xaa7b, r == 0xaa7d, r == 0x11720, r == 0x11721:
		return false
	}
	return unicode.Is(unicode.Mc, r)
}

func prepends(r rune) bool {
	if r < 0x600 {
		return false
	}
	switch {
	case r == 0xd4e, r == 0x111c2, r == 0x111c3, r == 0x113d1, r == 0x1193f, r == 0x11941, r == 0x11a3a, r >= 0x11a84 && r <= 0x11a89, r == 0x11d46, r == 0x11f02:
		return true
	}
	return unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// hangulJoins reports whether two parts of a Korean syllable belong together.
func hangulJoins(a, b rune) bool {
	const (
		other = iota
		leading
		vowel
		trailing
		twoPart
		threePart
	)
	kind := func(r rune) int {
		switch {
		case r < 0x1100:
		case r <= 0x115f, r >= 0xa960 && r <= 0xa97c:
			return leading
		case r <= 0x11a7, r >= 0xd7b0 && r <= 0xd7c6:
			return vowel
		case r <= 0x11ff, r >= 0xd7cb && r <= 0xd7fb:
			return trailing
		case r >= 0xac00 && r <= 0xd7a3 && (r-0xac00)%28 == 0:
			return twoPart
		case r >= 0xac00 && r <= 0xd7a3:
			return threePart
		}
		return other
	}
	switch x, y := kind(a), kind(b); x {
	case leading:
		return y == leading || y == vowel || y == twoPart || y == threePart
	case vowel, twoPart:
		return y == vowel || y == trailing
	case trailing, threePart:
		return y == trailing
	}
	return false
}
