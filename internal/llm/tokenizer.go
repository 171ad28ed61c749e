package llm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A Tokenizer turns text into the tokens of a model, and back. It is immutable and
// safe for concurrent use.
type Tokenizer interface {
	// Vocab returns the number of tokens.
	Vocab() int
	// Encode returns the tokens of a text that begins a document, without the one
	// that starts it.
	Encode(text string) ([]int, error)
	// Decode returns the bytes of a token that follows prev, which may be a part of
	// a character. A token that only structures the text, such as its end, has none.
	Decode(prev, token int) []byte
}

// LoadTokenizer reads the tokenizer of a model from a file: tokenizer.json, or one
// of llama2.c. With no file it takes what comes with the model: tokenizer.json in
// its directory, and else, for a vocabulary of 256, bytes.
func LoadTokenizer(file, model string, c *Config) (Tokenizer, error) {
	if file == "" {
		f := filepath.Join(model, "tokenizer.json")
		if _, err := os.Stat(f); model != "" && err == nil {
			file = f
		} else if c.Vocab == 256 {
			return Bytes{}, nil
		} else {
			return nil, fmt.Errorf("llm: the model's vocabulary is %d tokens, and no tokenizer is given", c.Vocab)
		}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var t Tokenizer
	if strings.HasSuffix(file, ".json") {
		t, err = ParseTokenizerJSON(data)
	} else {
		t, err = ParseLlama2cTokenizer(data, c.Vocab)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	// Models pad their vocabulary to a round number, never the other way.
	if t.Vocab() > c.Vocab {
		return nil, fmt.Errorf("%s: %d tokens, but the model has %d: %w", file, t.Vocab(), c.Vocab, formatErrorf("tokenizer and model do not match"))
	}
	return t, nil
}

// Bytes is the tokenizer of models that read bytes: a token is a byte. Byte 0
// separates documents.
type Bytes struct{}

func (Bytes) Vocab() int { return 256 }

func (Bytes) Encode(text string) ([]int, error) {
	tokens := make([]int, len(text))
	for i := range len(text) {
		tokens[i] = int(text[i])
	}
	return tokens, nil
}

func (Bytes) Decode(_, token int) []byte {
	if token <= 0 || token > 255 {
		return nil
	}
	return []byte{byte(token)}
}

// Text returns the text of tokens that begin a document.
func Text(t Tokenizer, bos int, tokens []int) string {
	var b strings.Builder
	prev := bos
	for _, token := range tokens {
		b.Write(t.Decode(prev, token))
		prev = token
	}
	return b.String()
}
