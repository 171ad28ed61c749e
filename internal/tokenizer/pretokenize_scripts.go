package tokenizer

import (
	"encoding/json"
	"sort"
)

// unicodeScripts splits where the script changes. Spaces and characters without a
// script belong to the part before them; a part begins with the first character that
// has a script, as in the package tokenizers.
type unicodeScripts struct{}

func newUnicodeScripts(json.RawMessage) (preTokenizer, error) { return unicodeScripts{}, nil }

// A scriptRange is characters of one script, which has a number.
type scriptRange struct {
	lo, hi rune
	script int
}

// script returns the number of a character's script; −1 if it has none.
func script(r rune) int {
	i := sort.Search(len(scriptRanges), func(i int) bool { return scriptRanges[i].hi >= r })
	if i == len(scriptRanges) || scriptRanges[i].lo > r {
		return -1
	}
	return scriptRanges[i].script
}

func (unicodeScripts) split(text string, first bool, emit func(part string, first bool)) {
	from, last := -1, -1
	for i, r := range text {
		s := script(r)
		if s < 0 || s == last {
			continue
		}
		if last = s; from >= 0 {
			emit(text[from:i], first && from == 0)
		}
		from = i
	}
	if from >= 0 {
		emit(text[from:], first && from == 0)
	}
}
