package llm

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/tokenizer"
)

// A Tokenizer turns text into the tokens of a model, and back. It is immutable and
// safe for concurrent use.
type Tokenizer interface {
	// Vocab returns the number of tokens.
	Vocab() int
	// Encode returns the tokens of a text, without those around it.
	Encode(text string) ([]int, error)
	// Around returns the tokens that start and end a document, before and after a text.
	// It may return none.
	Around() (before, after []int)
	// Decode returns the bytes of a token that follows prev, which may be a part of
	// a character. A token that only structures the text, such as its end, has none.
	Decode(prev, token int) []byte
}

// maxTokenizer is above the length of any published tokenizer.json, of which the
// largest are about 35 MB.
const maxTokenizer = 1 << 26

// Tokenizer reads the tokenizer of the model from a file: tokenizer.json, or one of
// llama2.c. An empty file stands for the model's own tokenizer.json or, if there is
// none and the vocabulary has 256 tokens, for bytes.
func (f *File) Tokenizer(file string) (Tokenizer, error) {
	fsys, name, label := f.companions, "tokenizer.json", f.name+": "
	if file != "" {
		fsys, name, label = os.DirFS(filepath.Dir(file)), filepath.Base(file), filepath.Dir(file)+string(filepath.Separator)
	}
	data, err := []byte(nil), fs.ErrNotExist
	if fsys != nil {
		data, err = badfile.ReadFile(fsys, name, maxTokenizer)
	}
	if errors.Is(err, fs.ErrNotExist) && file == "" {
		if f.Config.Vocab == 256 {
			return Bytes{}, nil
		}
		return nil, fmt.Errorf("%s: no tokenizer.json, and a vocabulary of %d tokens: %w", f.name, f.Config.Vocab, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%s%w", label, err)
	}
	var t Tokenizer
	if strings.HasSuffix(name, ".json") {
		var config []byte
		if config, err = badfile.ReadFile(fsys, "tokenizer_config.json", maxConfig); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s%w", label, err)
		}
		t, err = tokenizer.Parse(data, config)
	} else if t, err = tokenizer.ParseLlama2c(data, f.Config.Vocab); err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%s%w", label, err)
	}
	// Models pad their vocabulary to a round number, never the other way.
	if t.Vocab() > f.Config.Vocab {
		return nil, fmt.Errorf("%s%s: %w", label, name, formatErrorf("%d tokens, but the model has %d", t.Vocab(), f.Config.Vocab))
	}
	return t, nil
}

// Bytes is the tokenizer of models that read bytes: a token is a byte. Byte 0
// begins documents.
type Bytes struct{}

func (Bytes) Vocab() int { return 256 }

func (Bytes) Around() (before, after []int) { return []int{0}, nil }

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
