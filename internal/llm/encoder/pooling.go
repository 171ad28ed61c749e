package encoder

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A Pooling combines the vectors of all tokens into one.
type Pooling string

// The ways of pooling. Those of a Pipeline are side by side.
const (
	CLS           Pooling = "cls" // the first token's
	Max           Pooling = "max"
	Mean          Pooling = "mean"
	MeanSqrt      Pooling = "mean_sqrt_len" // the sum divided by the root of the number
	WeightedMean  Pooling = "weightedmean"  // the i-th token counts i times
	LastTokenOnly Pooling = "lasttoken"
)

// poolingKeys are the keys of a pooling's configuration, in the order of the vectors in
// an embedding.
var poolingKeys = []struct {
	key     string
	pooling Pooling
}{
	{"pooling_mode_cls_token", CLS},
	{"pooling_mode_max_tokens", Max},
	{"pooling_mode_mean_tokens", Mean},
	{"pooling_mode_mean_sqrt_len_tokens", MeanSqrt},
	{"pooling_mode_weightedmean_tokens", WeightedMean},
	{"pooling_mode_lasttoken", LastTokenOnly},
}

// A Pipeline makes the embedding of a sentence from the vectors that a model gives for
// its tokens, as the files of sentence-transformers say.
type Pipeline struct {
	Poolings  []Pooling
	Normalize bool   // to a length of 1
	MaxTokens int    // the length to which texts are cut, tokens around a text included
	Prompt    string // before each text
	Lower     bool   // whether texts become lower case

	// Source says where the pipeline is from: modules.json, or a key of a GGUF file. It
	// is "" for the default, the mean without normalization.
	Source string
}

// Pipeline returns what comes with the model: modules.json and what it names, or the
// pooling that a GGUF file has. Without both it is the mean of all tokens, as
// sentence-transformers takes it.
func (f *File) Pipeline() (Pipeline, error) {
	p, err := f.pipeline()
	if err != nil {
		return Pipeline{}, f.at(err)
	}
	p.MaxTokens = min(p.MaxTokens, f.Config.MaxTokens())
	return p, nil
}

func (f *File) pipeline() (Pipeline, error) {
	p := Pipeline{Poolings: []Pooling{Mean}, MaxTokens: f.Config.MaxTokens()}
	files := f.companions
	var modules []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	found, err := readJSON(files, "modules.json", &modules)
	if err != nil {
		return p, err
	}
	if !found {
		err := f.ggufPooling(&p)
		return p, err
	}
	p.Source = "modules.json"
	for i, m := range modules {
		kind := m.Type[strings.LastIndexByte(m.Type, '.')+1:]
		switch {
		case i == 0 && kind == "Transformer" && path.Clean(m.Path) == ".":
			err = p.readTransformer(files)
		case i == 1 && kind == "Pooling":
			err = p.readPooling(files, m.Path, f.Config.Dim)
		case i == 2 && kind == "Normalize":
			p.Normalize = true
		default:
			err = formatErrorf("modules.json: module %d is %s in %s, want a Transformer, a Pooling, and at most a Normalize", i, badfile.Quote(m.Type), badfile.Quote(m.Path))
		}
		if err != nil {
			return p, err
		}
	}
	if len(modules) < 2 {
		return p, formatErrorf("modules.json: %d modules, want a Transformer, a Pooling, and at most a Normalize", len(modules))
	}
	return p, nil
}

// readTransformer reads how texts are cut and changed.
func (p *Pipeline) readTransformer(files fs.FS) error {
	const name, prompts = "sentence_bert_config.json", "config_sentence_transformers.json"
	var c struct {
		Max   *int `json:"max_seq_length"`
		Lower bool `json:"do_lower_case"`
	}
	if _, err := readJSON(files, name, &c); err != nil {
		return err
	}
	if c.Max != nil {
		if *c.Max < 1 {
			return formatErrorf("%s: max_seq_length is %d, want 1 or more", name, *c.Max)
		}
		p.MaxTokens = min(p.MaxTokens, *c.Max)
	}
	p.Lower = c.Lower
	var s struct {
		Prompts map[string]string `json:"prompts"`
		Default *string           `json:"default_prompt_name"`
	}
	if _, err := readJSON(files, prompts, &s); err != nil {
		return err
	}
	if s.Default != nil {
		prompt, ok := s.Prompts[*s.Default]
		if !ok {
			return formatErrorf("%s: there is no prompt %s", prompts, badfile.Quote(*s.Default))
		}
		p.Prompt = prompt
	}
	return nil
}

// readPooling reads the config.json of a pooling.
func (p *Pipeline) readPooling(files fs.FS, dir string, dim int) error {
	name := path.Join(dir, "config.json")
	var c map[string]json.RawMessage
	found, err := readJSON(files, name, &c)
	if err != nil {
		return err
	}
	if !found {
		return formatErrorf("modules.json names %s, which is missing", badfile.Quote(name))
	}
	p.Poolings = nil
	for _, k := range poolingKeys {
		on := false
		if raw, ok := c[k.key]; ok && json.Unmarshal(raw, &on) != nil {
			return formatErrorf("%s: %s is %.40s, want true or false", badfile.Quote(name), k.key, raw)
		}
		delete(c, k.key)
		if on {
			p.Poolings = append(p.Poolings, k.pooling)
		}
	}
	// Newer versions have a name instead.
	for _, key := range []string{"pooling_mode"} {
		var one string
		if raw, ok := c[key]; ok {
			if json.Unmarshal(raw, &one) != nil {
				return formatErrorf("%s: %s is %.40s, want a name", badfile.Quote(name), key, raw)
			}
			pooling, err := ParsePooling(one)
			if err != nil {
				return fmt.Errorf("%s: %w", badfile.Quote(name), err)
			}
			p.Poolings = []Pooling{pooling}
		}
		delete(c, key)
	}
	for _, key := range []string{"word_embedding_dimension", "embedding_dimension"} {
		width := dim
		if raw, ok := c[key]; ok && (json.Unmarshal(raw, &width) != nil || width != dim) {
			return formatErrorf("%s: %s is %.40s, but the model's vectors are %d wide", badfile.Quote(name), key, raw, dim)
		}
		delete(c, key)
	}
	delete(c, "include_prompt") // is about prompts that a caller gives
	for key, raw := range c {
		if v := string(raw); v != "false" && v != "null" {
			return formatErrorf("%s: %s is not known, and may change the embedding", badfile.Quote(name), badfile.Quote(key))
		}
	}
	if len(p.Poolings) == 0 {
		return formatErrorf("%s: no pooling mode is true", badfile.Quote(name))
	}
	return nil
}

// ParsePooling returns the pooling of a name.
func ParsePooling(name string) (Pooling, error) {
	var all []Pooling
	for _, k := range poolingKeys {
		if string(k.pooling) == name {
			return k.pooling, nil
		}
		all = append(all, k.pooling)
	}
	return "", formatErrorf("pooling is %s, want one of %q", badfile.Quote(name), all)
}

// ggufPooling reads the pooling of a GGUF file. The embeddings are normalized, because
// llama.cpp normalizes them.
func (f *File) ggufPooling(p *Pipeline) error {
	key := "gguf." + f.Config.Model + ".pooling_type"
	switch v := f.c.Metadata()[key]; v {
	case "":
		return nil
	case "0": // none, which leaves pooling to the program
	case "1":
		p.Poolings, p.Normalize = []Pooling{Mean}, true
	case "2":
		p.Poolings, p.Normalize = []Pooling{CLS}, true
	case "3":
		p.Poolings, p.Normalize = []Pooling{LastTokenOnly}, true
	default:
		return formatErrorf("%s is %.40s, want 0 to 3", strings.TrimPrefix(key, "gguf."), v)
	}
	p.Source = strings.TrimPrefix(key, "gguf.")
	return nil
}

// readJSON reads a companion of the model, and reports whether there is one.
func readJSON(files fs.FS, name string, v any) (bool, error) {
	data, err := badfile.ReadFile(files, name, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, formatErrorf("%s: %v", badfile.Quote(name), err)
	}
	return true, nil
}

// Width returns the length of an embedding of a model whose vectors are dim wide.
func (p *Pipeline) Width(dim int) int { return dim * len(p.Poolings) }

// Pool writes the embedding of a text to dst, which is Width long. hidden has the vectors
// of its tokens, at least one. Sums go from the first token to the last.
func (p *Pipeline) Pool(dst, hidden []float32) error {
	dim := len(dst) / max(len(p.Poolings), 1)
	if dim == 0 || len(dst)%dim != 0 || len(hidden) < dim || len(hidden)%dim != 0 {
		return fmt.Errorf("encoder: pooling %d numbers to %d", len(hidden), len(dst))
	}
	for i, pooling := range p.Poolings {
		pooling.pool(dst[i*dim:][:dim], hidden)
	}
	sum := 0.0
	for i, v := range dst {
		if v-v != 0 {
			return fmt.Errorf("encoder: element %d of an embedding is %v", i, v)
		}
		sum += float64(v) * float64(v)
	}
	if p.Normalize {
		scale := 1 / max(math.Sqrt(sum), 1e-12)
		for i, v := range dst {
			dst[i] = float32(float64(v) * scale)
		}
	}
	return nil
}

func (p Pooling) pool(dst, hidden []float32) {
	dim := len(dst)
	n := len(hidden) / dim
	switch p {
	case CLS:
		copy(dst, hidden)
		return
	case LastTokenOnly:
		copy(dst, hidden[(n-1)*dim:])
		return
	case Max:
		copy(dst, hidden)
		for at := dim; at < len(hidden); at += dim {
			for i, v := range hidden[at:][:dim] {
				dst[i] = max(dst[i], v)
			}
		}
		return
	}
	sums := make([]float64, dim)
	total := 0.0
	for t := range n {
		w := 1.0
		if p == WeightedMean {
			w = float64(t + 1)
		}
		total += w
		for i, v := range hidden[t*dim:][:dim] {
			sums[i] += float64(w * float64(v))
		}
	}
	if p == MeanSqrt {
		total = math.Sqrt(total)
	}
	for i, s := range sums {
		dst[i] = float32(s / total)
	}
}

// String says what the pipeline does, and what it is from.
func (p Pipeline) String() string {
	var names []string
	for _, pooling := range p.Poolings {
		names = append(names, string(pooling))
	}
	s := strings.Join(names, " and ") + " of up to " + strconv.Itoa(p.MaxTokens) + " tokens"
	if p.Normalize {
		s += ", normalized"
	}
	if p.Source == "" {
		return s + " (there is no modules.json)"
	}
	return s + " (" + p.Source + ")"
}
