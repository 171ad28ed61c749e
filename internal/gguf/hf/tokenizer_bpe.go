package hf

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// byteLevel returns the tokenizer.json of byte-pair encoding as GPT-2 has it.
func (c *conversion) byteLevel(v *vocabulary) (map[string]any, error) {
	pre, ok := preTokenizers[v.pre]
	if !ok {
		return nil, unsupportedf("%s is %s, which is not known", badfile.Quote("tokenizer.ggml.pre"), badfile.Quote(v.pre))
	}
	pieces := v.pieces()
	const key = "tokenizer.ggml.merges"
	lines, ok, err := get[[]string](c.keys, key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, badfile.New("%s is missing", badfile.Quote(key))
	}
	merges := make([][2]string, len(lines))
	for i, line := range lines {
		var a, b string
		ok := len(line) > 2
		if ok { // as llama.cpp does, whose tokens may start with a space
			a, b, ok = strings.Cut(line[1:], " ")
			a = line[:1] + a
		}
		_, known := pieces[a]
		_, known2 := pieces[b]
		_, known3 := pieces[a+b]
		if !ok || !known || !known2 || !known3 {
			return nil, badfile.New("%s: merge %d, %s, does not make a token of two tokens", badfile.Quote(key), i, badfile.Quote(line))
		}
		merges[i] = [2]string{a, b}
	}
	after, err := v.template()
	if err != nil {
		return nil, err
	}
	var normalizer any
	if pre.nfc {
		normalizer = map[string]any{"type": "NFC"}
	}
	return map[string]any{
		"added_tokens": v.added(), "normalizer": normalizer, "pre_tokenizer": pre.steps(), "post_processor": after, "decoder": byteLevelStep(true, true),
		"model": bpeModel(pieces, merges, map[string]any{"ignore_merges": pre.whole}),
	}, nil
}

func bpeModel(pieces map[string]int, merges [][2]string, with map[string]any) map[string]any {
	m := map[string]any{
		"type": "BPE", "dropout": nil, "unk_token": nil, "continuing_subword_prefix": nil, "end_of_word_suffix": nil,
		"fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": pieces, "merges": merges,
	}
	for k, v := range with {
		m[k] = v
	}
	return m
}

const spaceMark = "▁" // SentencePiece's

// sentencePiece returns the tokenizer.json of SentencePiece's byte-pair encoding,
// as Llama 2 and Gemma have it.
func (c *conversion) sentencePiece(v *vocabulary) (map[string]any, error) {
	if v.scores == nil {
		return nil, badfile.New("%s is missing", badfile.Quote("tokenizer.ggml.scores"))
	}
	v = v.marked()
	pieces := v.pieces()
	if len(pieces) == 0 {
		return nil, badfile.New("%s has no tokens that are used", badfile.Quote("tokenizer.ggml.tokens"))
	}
	merges, err := v.scoredMerges(pieces, c.family.mergesByID)
	if err != nil {
		return nil, err
	}
	after, err := v.template()
	if err != nil {
		return nil, err
	}
	replace := func(from, to string) any {
		return map[string]any{"type": "Replace", "pattern": map[string]any{"String": from}, "content": to}
	}
	before := []any{replace(" ", spaceMark)}
	decoder := []any{replace(spaceMark, " "), map[string]any{"type": "ByteFallback"}, map[string]any{"type": "Fuse"}}
	if v.spaced {
		before = slices.Insert(before, 0, any(map[string]any{"type": "Prepend", "prepend": spaceMark}))
		decoder = append(decoder, map[string]any{"type": "Strip", "content": " ", "start": 1, "stop": 0})
	}
	var unknown any
	if i := slices.Index(v.types, tokenUnknown); i >= 0 {
		unknown = v.tokens[i]
	}
	return map[string]any{
		"added_tokens": v.added(), "normalizer": sequence("normalizers", before...), "pre_tokenizer": nil, "post_processor": after,
		"decoder": sequence("decoders", decoder...),
		"model":   bpeModel(pieces, merges, map[string]any{"unk_token": unknown, "fuse_unk": true, "byte_fallback": true}),
	}, nil
}

// marked returns v with tokens that consist of spaces written as SentencePiece writes
// them. llama.cpp's converter writes such tokens of users unchanged.
func (v *vocabulary) marked() *vocabulary {
	w := *v
	w.tokens = slices.Clone(v.tokens)
	all := make(map[string]bool, len(v.tokens))
	for _, t := range v.tokens {
		all[t] = true
	}
	for i, t := range w.tokens {
		if t != "" && strings.Trim(t, " ") == "" {
			if marked := strings.Repeat(spaceMark, len(t)); !all[marked] {
				w.tokens[i] = marked
			}
		}
	}
	return &w
}

const maxPiece = 256 // characters; SentencePiece's have 16, but for runs of spaces

// scoredMerges returns the merges that lead to each piece, in the order in which
// SentencePiece makes them: by falling score, or by rising number.
func (v *vocabulary) scoredMerges(pieces map[string]int, byID bool) ([][2]string, error) {
	type merge struct {
		a, b     string
		id, lenA int
		score    float32
	}
	mergeable := func(id int) bool { return v.types[id] == tokenNormal || v.types[id] == tokenUser }
	var merges []merge
	for id, t := range v.tokens {
		if !mergeable(id) {
			continue
		}
		if v.scores[id] != v.scores[id] {
			return nil, badfile.New("%s: the score of token %d is NaN", badfile.Quote("tokenizer.ggml.scores"), id)
		}
		if n := utf8.RuneCountInString(t); n > maxPiece {
			if v.types[id] == tokenUser {
				continue // it is found in the text as a whole
			}
			return nil, badfile.New("%s: token %d has %d characters", badfile.Quote("tokenizer.ggml.tokens"), id, n)
		}
		for i := range t { // where characters start
			if i == 0 {
				continue
			}
			a, okA := pieces[t[:i]]
			b, okB := pieces[t[i:]]
			if okA && okB && mergeable(a) && mergeable(b) {
				merges = append(merges, merge{t[:i], t[i:], id, utf8.RuneCountInString(t[:i]), v.scores[id]})
			}
		}
	}
	slices.SortStableFunc(merges, func(x, y merge) int {
		order := cmp.Compare(y.score, x.score)
		if byID {
			order = cmp.Compare(x.id, y.id)
		}
		// Of the merges that lead to one piece, the one with the longest first part
		// comes first.
		return cmp.Or(order, cmp.Compare(y.lenA, x.lenA), cmp.Compare(x.id, y.id))
	})
	pairs := make([][2]string, len(merges))
	for i, m := range merges {
		pairs[i] = [2]string{m.a, m.b}
	}
	return pairs, nil
}
