package tokenizer

import (
	"maps"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// An addedToken is a token of a tokenizer.json that is looked for before the rest of
// the tokenizer runs. Wherever its content occurs in a text, it is this token.
type addedToken struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	Special    bool   `json:"special"`     // has no text
	SingleWord bool   `json:"single_word"` // not inside of words
	Left       bool   `json:"lstrip"`      // takes the spaces before it with it
	Right      bool   `json:"rstrip"`      // takes the spaces after it with it
	Normalized bool   `json:"normalized"`  // is looked for in normalized text
}

type addedTokens struct {
	byID              map[int]addedToken
	byContent         map[string]int
	special           map[string]bool // contents
	decoded           map[int]string  // normalized contents, where they differ
	plain, normalized addedFinder
	top               int // the largest number, −1 if there are none
}

// maxAdded bounds the time to look for added tokens, which is in proportion to the
// longest.
const maxAdded = 512

// newAddedTokens sorts the tokens. Those for normalized text are normalized first.
func (t *Tokenizer) newAddedTokens(list []addedToken) (addedTokens, error) {
	ts := addedTokens{byID: map[int]addedToken{}, byContent: map[string]int{}, special: map[string]bool{}, decoded: map[int]string{}, top: -1}
	next := t.vocab.size
	for _, a := range list {
		if a.Content == "" {
			continue
		}
		if len(a.Content) > maxAdded {
			return ts, errorf("added token %d has %d bytes, want at most %d", a.ID, len(a.Content), maxAdded)
		}
		// The package tokenizers ignores the numbers of the file: tokens in the model's
		// vocabulary keep their numbers, and the others get the numbers that follow.
		id, ok := t.vocab.index[a.Content]
		if !ok {
			id, ok = ts.byContent[a.Content]
		}
		if !ok {
			id = next
			next++
		}
		a.ID = id
		ts.byID[a.ID] = a
		ts.byContent[a.Content] = a.ID
		ts.top = max(ts.top, a.ID)
		if a.Special {
			ts.special[a.Content] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(ts.byID)) {
		a := ts.byID[id]
		if !a.Normalized {
			ts.plain.add(a)
			continue
		}
		content, err := t.normalize(a.Content)
		if err != nil {
			return ts, err
		}
		if content != a.Content {
			ts.decoded[id] = content
		}
		if a.Content = content; content != "" {
			ts.normalized.add(a)
		}
	}
	ts.plain.sort()
	ts.normalized.sort()
	return ts, nil
}

// An addedFinder finds added tokens in a text.
type addedFinder struct {
	tokens []addedToken // sorted by content; no two have the same
	first  [256]bool    // bytes that they begin with
}

func (f *addedFinder) add(a addedToken) {
	f.tokens = append(f.tokens, a)
	f.first[a.Content[0]] = true
}

func (f *addedFinder) sort() {
	slices.SortStableFunc(f.tokens, func(a, b addedToken) int { return strings.Compare(a.Content, b.Content) })
	f.tokens = slices.CompactFunc(f.tokens, func(a, b addedToken) bool { return a.Content == b.Content })
}

// split calls token for the added tokens of a text and rest for the text between them,
// in order.
func (f *addedFinder) split(text string, rest func(string), token func(int)) {
	if len(f.tokens) == 0 {
		if text != "" {
			rest(text)
		}
		return
	}
	done, spaces := 0, 0 // text[:spaces] ends in spaces that a token has taken
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
		if a.Left && done < begin {
			begin = done + len(strings.TrimRightFunc(text[done:begin], unicode.IsSpace))
		}
		if a.Right {
			if end < spaces {
				end = spaces
			} else {
				end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
				spaces = end
			}
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
func (f *addedFinder) longest(text string) (longest addedToken, ok bool) {
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
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
	}
	return unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control)
}
