package hf

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/shape"
)

// Limits on what a file may say. They are far above any published model.
const (
	maxLayers  = 1 << 12
	maxExperts = 1 << 16
	maxSize    = 1 << 31 // of a dimension, a context, a vocabulary
	maxFactors = 1 << 16 // of rotary frequencies
)

// A conversion is that of one model.
type conversion struct {
	keys
	source Source
	family *family

	config               map[string]any
	layers, hidden       int64
	heads, keyHeads, dim int64
	experts              int64
	tensors              []Tensor
	names                map[string]int // in tensors
	rope                 []float32      // factors of rope_freqs
	embedding            gguf.Tensor
}

func (c *conversion) run() error {
	c.config = map[string]any{}
	c.names = map[string]int{}
	for _, step := range []func() error{c.readConfig, c.readTensors, c.checkComplete, c.finishConfig} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// key returns a key of the family's in full.
func (c *conversion) key(name string) string { return c.arch + "." + name }

func (c *conversion) readTensors() error {
	for i, t := range c.source.Tensors {
		if err := c.readTensor(i, t); err != nil {
			return err
		}
	}
	return nil
}

// A place is where a tensor is in its model.
type place struct {
	layer, expert int64 // -1 if it is in none
	suffix        string
}

// readTensor adds what tensor i of the source is in the model.
func (c *conversion) readTensor(i int, t gguf.Tensor) error {
	row, at, ok, err := c.match(t.Name)
	switch {
	case err != nil:
		return badfile.Tensor(t.Name, "%v", err)
	case !ok:
		return unsupportedf("tensor %s is not one of a model of the architecture %s", badfile.Quote(t.Name), badfile.Quote(c.arch))
	}
	if row.gguf == "token_embd" {
		c.embedding = t
	}
	rows := int64(shape.Rows(t.Shape))
	if len(t.Shape) == 1 {
		rows = int64(t.Shape[0])
	}
	var view View = Copied{}
	switch row.op {
	case ropeFactors:
		return c.readRope(i, t)
	case experts:
		return c.readExperts(i, t, row, at)
	case queryRows, keyRows:
		heads, key := c.heads, "attention.head_count"
		if row.op == keyRows {
			heads, key = c.keyHeads, "attention.head_count_kv"
		}
		if rows != heads*c.dim || c.dim%2 != 0 {
			return badfile.Tensor(t.Name, "%d rows for %d heads of %d (%s)", rows, heads, c.dim, badfile.Quote(c.key(key)))
		}
		view = unpermuted(heads, rows)
	case plusOne:
		view = Shifted{-1}
	}
	return c.add(Tensor{Name: c.hfName(row, at), Shape: t.Shape, From: []int{i}, View: view})
}

func (c *conversion) readExperts(i int, t gguf.Tensor, row tensor, at place) error {
	if len(t.Shape) != 3 && !(at.suffix == "bias" && len(t.Shape) == 2) || int64(t.Shape[0]) != c.experts {
		return badfile.Tensor(t.Name, "its shape is %v, but there are %d experts", t.Shape, c.experts)
	}
	each := t.Shape[1:]
	rows := int64(shape.Rows(each))
	if len(each) == 1 {
		return unsupportedf("tensor %s is not one of a model of the architecture %s", badfile.Quote(t.Name), badfile.Quote(c.arch))
	}
	for x := range c.experts {
		at.expert = x
		if err := c.add(Tensor{Name: c.hfName(row, at), Shape: each, From: []int{i}, View: part(x * rows)}); err != nil {
			return err
		}
	}
	return nil
}

func (c *conversion) add(t Tensor) error {
	if _, ok := c.names[t.Name]; ok {
		return badfile.Tensor(c.source.Tensors[t.From[0]].Name, "the model has another %s", badfile.Quote(t.Name))
	}
	c.names[t.Name] = len(c.tensors)
	c.tensors = append(c.tensors, t)
	return nil
}

// match returns the row of the table for a name of llama.cpp's.
func (c *conversion) match(name string) (row tensor, at place, ok bool, err error) {
	at = place{layer: -1, expert: -1}
	rest := name
	for _, suffix := range []string{"weight", "bias"} {
		if s, ok := strings.CutSuffix(name, "."+suffix); ok {
			rest, at.suffix = s, suffix
		}
	}
	if s, ok := strings.CutPrefix(rest, "blk."); ok {
		n, after, ok := strings.Cut(s, ".")
		if !ok {
			return row, at, false, nil
		}
		if at.layer, ok = parseIndex(n); !ok || at.layer >= c.layers {
			return row, at, false, fmt.Errorf("layer %.20s, but %s is %d", n, badfile.Quote(c.key("block_count")), c.layers)
		}
		rest = "N." + after
	}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 && at.layer >= 0 {
		if x, ok := parseIndex(rest[i+1:]); ok {
			if x >= c.experts {
				return row, at, false, fmt.Errorf("expert %d, but there are %d", x, c.experts)
			}
			at.expert = x
			rest = rest[:i] + ".X"
		}
	}
	i := slices.IndexFunc(c.family.tensors, func(t tensor) bool { return t.gguf == rest })
	if i < 0 {
		return row, at, false, nil
	}
	return c.family.tensors[i], at, true, nil
}

// parseIndex reads the number of a layer or an expert.
func parseIndex(s string) (int64, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int64(n), err == nil && strconv.FormatUint(n, 10) == s
}

// hfName returns the name of a tensor in the model.
func (c *conversion) hfName(row tensor, at place) string {
	name := row.hf
	if rest, ok := strings.CutPrefix(name, "N."); ok {
		name = fmt.Sprintf("%s%d.%s", c.family.layerPrefix(), at.layer, rest)
	}
	if at.expert >= 0 {
		name = strings.Replace(name, ".X.", fmt.Sprintf(".%d.", at.expert), 1)
	}
	if at.suffix != "" {
		name += "." + at.suffix
	}
	return name
}

func (f *family) layerPrefix() string { return "model.layers." }

// checkComplete returns an error about the first tensor that the family needs and
// the files do not have.
func (c *conversion) checkComplete() error {
	for _, row := range c.family.tensors {
		if row.need == optional {
			continue
		}
		layers, each := int64(1), int64(1)
		if strings.HasPrefix(row.hf, "N.") {
			layers = c.layers
		}
		if strings.Contains(row.hf, ".X.") {
			each = c.experts
		}
		for at := (place{suffix: "weight"}); at.layer < layers; at.layer++ {
			for at.expert = 0; at.expert < each; at.expert++ {
				name := c.hfName(row, at)
				if _, ok := c.names[name]; !ok {
					return badfile.New("tensor %s is missing, which is to be %s", badfile.Quote(strings.Replace(row.gguf, "N.", fmt.Sprintf("blk.%d.", at.layer), 1)+".weight"), badfile.Quote(name))
				}
			}
		}
	}
	return nil
}

// readConfig reads the keys of the family into config.json.
func (c *conversion) readConfig() error {
	f := c.family
	c.config["architectures"] = []string{f.architecture}
	c.config["model_type"] = f.modelType
	for k, v := range f.constants {
		c.config[k] = v
	}
	for _, fd := range f.fields {
		if err := c.readField(fd); err != nil {
			return err
		}
	}
	var err error
	size := func(name string, most int64) int64 {
		n, ok, e := c.integer(c.key(name), 1, most)
		if e != nil && err == nil {
			err = e
		}
		if !ok && e == nil && err == nil {
			err = badfile.New("%s is missing", badfile.Quote(c.key(name)))
		}
		return n
	}
	c.layers = size("block_count", maxLayers)
	c.hidden = size("embedding_length", maxSize)
	c.heads = size("attention.head_count", maxSize)
	c.keyHeads = c.heads
	if c.has(c.key("attention.head_count_kv")) {
		c.keyHeads = size("attention.head_count_kv", maxSize)
	}
	if c.has(c.key("expert_count")) && hasExperts(c.keys) {
		c.experts = size("expert_count", maxExperts)
	}
	if err != nil {
		return err
	}
	return c.readHeadDim()
}

func (c *conversion) readField(fd field) error {
	key := c.key(fd.key)
	var v any
	var ok bool
	var err error
	switch fd.kind {
	case integer:
		v, ok, err = c.integer(key, 1, maxSize)
	case float:
		v, ok, err = c.number(key)
	}
	switch {
	case err != nil:
		return err
	case ok:
		c.config[fd.name] = v
	case fd.need:
		return badfile.New("%s is missing", badfile.Quote(key))
	case fd.def != nil:
		c.config[fd.name] = fd.def
	}
	return nil
}

func (c *conversion) readHeadDim() error {
	if c.hidden%c.heads == 0 {
		c.dim = c.hidden / c.heads
	}
	if c.family.headDim == quotient {
		if c.dim == 0 {
			return badfile.New("%s is %d, no multiple of %s, %d", badfile.Quote(c.key("embedding_length")), c.hidden, badfile.Quote(c.key("attention.head_count")), c.heads)
		}
		return nil
	}
	n, ok, err := c.integer(c.key("attention.key_length"), 1, maxSize)
	if err != nil {
		return err
	}
	if ok {
		c.dim = n
		if v, ok, err := c.integer(c.key("attention.value_length"), 1, maxSize); err != nil {
			return err
		} else if ok && v != n {
			return unsupportedf("%s is %d, but %s is %d", badfile.Quote(c.key("attention.value_length")), v, badfile.Quote(c.key("attention.key_length")), n)
		}
	}
	if c.dim == 0 {
		return badfile.New("%s is %d, no multiple of %s, %d, and there is no %s", badfile.Quote(c.key("embedding_length")), c.hidden, badfile.Quote(c.key("attention.head_count")), c.heads, badfile.Quote(c.key("attention.key_length")))
	}
	c.config["head_dim"] = c.dim
	if c.keyHeads > c.heads || c.heads%c.keyHeads != 0 {
		return badfile.New("%s is %d, which %s, %d, does not divide", badfile.Quote(c.key("attention.head_count")), c.heads, badfile.Quote(c.key("attention.head_count_kv")), c.keyHeads)
	}
	c.config["num_key_value_heads"] = c.keyHeads
	if c.heads > math.MaxInt64/c.dim {
		return badfile.New("%d heads of %d (%s)", c.heads, c.dim, badfile.Quote(c.key("attention.head_count")))
	}
	return nil
}

// finishConfig adds what config.json says of tensors, of tokens and of rotary
// positions.
func (c *conversion) finishConfig() error {
	if len(c.embedding.Shape) != 2 || int64(c.embedding.Shape[1]) != c.hidden {
		return badfile.Tensor(c.embedding.Name, "its shape is %v, but %s is %d", c.embedding.Shape, badfile.Quote(c.key("embedding_length")), c.hidden)
	}
	vocab := int64(c.embedding.Shape[0])
	c.config["vocab_size"] = vocab
	_, head := c.names["lm_head.weight"]
	c.config["tie_word_embeddings"] = !head
	c.config["torch_dtype"] = c.dtype()
	for _, id := range tokenIDs {
		n, ok, err := c.integer("tokenizer.ggml."+id.key, 0, vocab-1)
		if err != nil {
			return err
		}
		if ok && id.config != "" {
			c.config[id.config] = n
		}
	}
	if err := c.readRopeKeys(); err != nil {
		return err
	}
	if c.family.finish != nil {
		return c.family.finish(c)
	}
	return nil
}

// dtype returns the type that holds the weights of all matrices exactly.
func (c *conversion) dtype() string {
	names := map[gguf.Type]string{gguf.F16: "float16", gguf.BF16: "bfloat16"}
	dtype := ""
	for _, t := range c.source.Tensors {
		if len(t.Shape) < 2 {
			continue
		}
		name := names[t.Type]
		if name == "" || dtype != "" && dtype != name {
			return "float32"
		}
		dtype = name
	}
	if dtype == "" {
		return "float32"
	}
	return dtype
}

// llamaBiases says whether linear layers have biases, for which Llama's
// configuration has one member for attention and one for the rest.
func (c *conversion) llamaBiases() error {
	for _, b := range []struct {
		member string
		of     []string
	}{
		{"attention_bias", []string{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}},
		{"mlp_bias", []string{"mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}},
	} {
		n := int64(0)
		for _, name := range b.of {
			for layer := range c.layers {
				if _, ok := c.names[fmt.Sprintf("model.layers.%d.%s.bias", layer, name)]; ok {
					n++
				}
			}
		}
		if n != 0 && n != c.layers*int64(len(b.of)) {
			return unsupportedf("only %d of the linear layers have a bias", n)
		}
		c.config[b.member] = n > 0
	}
	return nil
}
