package tokenizer

import "encoding/json"

// byteLetters are the letters that GPT-2 writes bytes with. Printable bytes stand for
// themselves, and the others have the letters from U+0100 on.
var byteLetters, letterBytes = func() (letters [256]rune, bytes map[rune]byte) {
	bytes = map[rune]byte{}
	next := rune(256)
	for b := range letters {
		l := rune(b)
		if !(l >= '!' && l <= '~' || l >= 0xa1 && l <= 0xac || l >= 0xae && l <= 0xff) {
			l = next
			next++
		}
		letters[b], bytes[l] = l, byte(b)
	}
	return letters, bytes
}()

// letters writes bytes with a letter for each.
func letters(text string) string {
	ls := make([]rune, len(text))
	for i := range ls {
		ls[i] = byteLetters[text[i]]
	}
	return string(ls)
}

// unletters returns the bytes that letters stand for; ok is false if a letter is none
// of them.
func unletters(letters string) (text string, ok bool) {
	b := make([]byte, 0, len(letters))
	for _, l := range letters {
		c, ok := letterBytes[l]
		if !ok {
			return "", false
		}
		b = append(b, c)
	}
	return string(b), true
}

// byteLevelNormalizer writes a text in letters.
type byteLevelNormalizer struct{}

func newByteLevelNormalizer(json.RawMessage) (normalizer, error) { return byteLevelNormalizer{}, nil }

func (byteLevelNormalizer) normalize(text string, _ int) string { return letters(text) }

// byteLevel is the pre-tokenizer of GPT-2: it splits a text by a pattern and writes
// the parts in letters, unless the model reads bytes.
type byteLevel struct {
	Space bool `json:"add_prefix_space"`
	Regex bool `json:"use_regex"`

	find finder
	raw  bool
}

// gpt2Pattern is what ByteLevel splits by.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

func newByteLevel(raw json.RawMessage) (preTokenizer, error) {
	b, err := fields(raw, byteLevel{Space: true, Regex: true})
	if err != nil {
		return nil, err
	}
	b.find, err = regexFinder(gpt2Pattern)
	return &b, err
}

func (b *byteLevel) split(text string, first bool, emit func(part string, first bool)) {
	if b.Space && text[0] != ' ' {
		text = " " + text
	}
	write := func(part string, _ bool) {
		if !b.raw {
			part = letters(part)
		}
		emit(part, first)
		first = false
	}
	if !b.Regex {
		write(text, true)
		return
	}
	b.find(text, write)
}

// byteLevelDecoder returns the bytes that letters stand for.
type byteLevelDecoder struct{}

func newByteLevelDecoder(json.RawMessage) (decoder, error) { return byteLevelDecoder{}, nil }

func (byteLevelDecoder) decode(pieces []string, raw bool) []string {
	var all []byte
	for _, p := range pieces {
		if text, ok := unletters(p); ok {
			p = text
		}
		all = append(all, p...)
	}
	if raw {
		return []string{string(all)}
	}
	return []string{lossy(string(all))}
}
