package llm

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An addedJSON is an added token of a tokenizer.json: where its content occurs in a
// text it is this token, whatever the rest of the tokenizer would make of it.
type addedJSON struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	Special    bool   `json:"special"`     // has no text
	SingleWord bool   `json:"single_word"` // not inside of words
	Left       bool   `json:"lstrip"`      // takes the spaces in front with it
	Right      bool   `json:"rstrip"`      // and those behind
	Normalized bool   `json:"normalized"`  // is looked for in normalized text
}

type addedTokens struct {
	byID              map[int]addedJSON
	plain, normalized addedFinder
	top               int // the largest number, −1 if there are none
}

// newAddedTokens sorts the tokens. Those for normalized text are normalized first.
func newAddedTokens(list []addedJSON, normalize normalizer) addedTokens {
	t := addedTokens{byID: map[int]addedJSON{}, top: -1}
	for _, a := range list {
		if a.Content == "" {
			continue
		}
		t.byID[a.ID] = a
		t.top = max(t.top, a.ID)
		if a.Normalized {
			a.Content = normalize(a.Content)
			t.normalized.add(a)
		} else {
			t.plain.add(a)
		}
	}
	t.plain.sort()
	t.normalized.sort()
	return t
}

// An addedFinder finds added tokens in a text.
type addedFinder struct {
	tokens []addedJSON // by content, which are different
	first  [256]bool   // bytes that they begin with
}

func (f *addedFinder) add(a addedJSON) {
	f.tokens = append(f.tokens, a)
	f.first[a.Content[0]] = true
}

func (f *addedFinder) sort() {
	slices.SortStableFunc(f.tokens, func(a, b addedJSON) int { return strings.Compare(a.Content, b.Content) })
	f.tokens = slices.CompactFunc(f.tokens, func(a, b addedJSON) bool { return a.Content == b.Content })
}

// split calls token for the added tokens of a text and rest for what is between them,
// in order.
func (f *addedFinder) split(text string, rest func(string), token func(int)) {
	done := 0
	for i := 0; i < len(text); {
		if !f.first[text[i]] {
			i++
			continue
		}
		a, ok := f.longest(text[i:])
		if !ok {
			i++
			continue
		}
		begin, end := i, i+len(a.Content)
		i = end
		if a.SingleWord && (endsInWord(text[:begin]) || beginsWithWord(text[end:])) {
			continue
		}
		if a.Left {
			begin = len(strings.TrimRightFunc(text[:begin], unicode.IsSpace))
		}
		if a.Right {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if begin > done {
			rest(text[done:begin])
		}
		token(a.ID)
		done = end
	}
	if done < len(text) {
		rest(text[done:])
	}
}

// longest returns the longest token that text begins with.
func (f *addedFinder) longest(text string) (longest addedJSON, ok bool) {
	lo, hi := 0, len(f.tokens) // those that begin with text[:n]
	for n := 0; lo < hi; n++ {
		if len(f.tokens[lo].Content) == n {
			longest, ok = f.tokens[lo], true
			lo++
		}
		if n == len(text) {
			break
		}
		c := text[n]
		lo += sort.Search(hi-lo, func(i int) bool { return f.tokens[lo+i].Content[n] >= c })
		hi = lo + sort.Search(hi-lo, func(i int) bool { return f.tokens[lo+i].Content[n] > c })
	}
	return longest, ok
}

func endsInWord(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && inWord(r)
}

func beginsWithWord(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && inWord(r)
}

// inWord is \w of Unicode's regular expressions.
func inWord(r rune) bool {
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
