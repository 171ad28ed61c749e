package regex

import (
	"strings"
	"unicode"
)

func space() *set { return tables(unicode.White_Space) }
func digit() *set { return tables(unicode.Nd) }

// word is Oniguruma's set \w: it has those numbers of Latin-1 that are not digits, and
// no others.
func word() *set {
	return union(tables(unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic), newSet([]span{{0xb2, 0xb3}, {0xb9, 0xb9}, {0xbc, 0xbe}}))
}

func hex() *set { return newSet([]span{{'0', '9'}, {'a', 'f'}, {'A', 'F'}}) }

// property returns the set that \p{name} or [:name:] stands for; nil if there is none.
func property(name string) *set {
	name = strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(name))
	switch name {
	case "any":
		return newSet([]span{{0, unicode.MaxRune}})
	case "ascii":
		return newSet([]span{{0, 0x7f}})
	case "assigned":
		return assigned()
	case "cn", "unassigned":
		return assigned().not()
	case "c", "other":
		return union(assigned().not(), tables(unicode.C))
	case "alpha", "alphabetic":
		return tables(unicode.L, unicode.Nl, unicode.Other_Alphabetic)
	case "alnum":
		return union(property("alpha"), digit())
	case "blank":
		return union(tables(unicode.Zs), one('\t'))
	case "cntrl":
		return tables(unicode.Cc)
	case "digit":
		return digit()
	case "lower", "lowercase":
		return tables(unicode.Ll, unicode.Other_Lowercase)
	case "upper", "uppercase":
		return tables(unicode.Lu, unicode.Other_Uppercase)
	case "punct":
		return tables(unicode.P, unicode.S)
	case "space", "whitespace":
		return space()
	case "word":
		return word()
	case "xdigit":
		return hex()
	}
	if long, ok := longNames[name]; ok {
		name = long
	}
	for _, list := range []map[string]*unicode.RangeTable{unicode.Categories, unicode.Scripts} {
		for n, t := range list {
			if strings.ReplaceAll(strings.ToLower(n), "_", "") == name {
				return tables(t)
			}
		}
	}
	return nil
}

func assigned() *set {
	return tables(unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.C)
}

var longNames = map[string]string{
	"letter": "l", "uppercaseletter": "lu", "lowercaseletter": "ll", "titlecaseletter": "lt", "modifierletter": "lm", "otherletter": "lo",
	"mark": "m", "combiningmark": "m", "nonspacingmark": "mn", "spacingmark": "mc", "enclosingmark": "me",
	"number": "n", "decimalnumber": "nd", "letternumber": "nl", "othernumber": "no",
	"punctuation": "p", "connectorpunctuation": "pc", "dashpunctuation": "pd", "openpunctuation": "ps", "closepunctuation": "pe",
	"initialpunctuation": "pi", "finalpunctuation": "pf", "otherpunctuation": "po",
	"symbol": "s", "mathsymbol": "sm", "currencysymbol": "sc", "modifiersymbol": "sk", "othersymbol": "so",
	"separator": "z", "spaceseparator": "zs", "lineseparator": "zl", "paragraphseparator": "zp",
	"control": "cc", "format": "cf", "surrogate": "cs", "privateuse": "co",
}
