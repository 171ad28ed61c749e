package hf

import (
	"fmt"
	"math"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
)

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
	if err := c.checkKeys(); err != nil {
		return err
	}
	var err error
	if c.layers, err = c.size("block_count", maxLayers); err != nil {
		return err
	}
	if c.hidden, err = c.size("embedding_length", maxSize); err != nil {
		return err
	}
	if c.heads, err = c.size("attention.head_count", maxSize); err != nil {
		return err
	}
	c.keyHeads = c.heads
	if c.has(c.key("attention.head_count_kv")) {
		if c.keyHeads, err = c.size("attention.head_count_kv", maxSize); err != nil {
			return err
		}
	}
	if hasExperts(c.keys) {
		if c.experts, err = c.size("expert_count", maxExperts); err != nil {
			return err
		}
	}
	return c.readHeadDim()
}

// size returns the value of a key that is needed and positive.
func (c *conversion) size(name string, most int64) (int64, error) {
	n, ok, err := c.integer(c.key(name), 1, most)
	if err == nil && !ok {
		err = badfile.New("%s is missing", c.quoted(name))
	}
	return n, err
}

func (c *conversion) readField(fd field) error {
	key := c.key(fd.key)
	var v any
	var ok bool
	var err error
	switch fd.kind {
	case integer:
		v, ok, err = c.integer(key, 1, maxSize)
	case countOrNone:
		var n int64
		n, ok, err = c.integer(key, 0, maxSize)
		if n > 0 {
			v = n
		}
	case float:
		v, ok, err = c.number(key)
	}
	switch {
	case err != nil:
		return err
	case ok:
		c.config[fd.name] = v
	case fd.need == must:
		return badfile.New("%s is missing", badfile.Quote(key))
	case fd.def != nil:
		c.config[fd.name] = fd.def
	}
	return nil
}

// readHeadDim finds the size of a head, and checks the numbers of heads.
func (c *conversion) readHeadDim() error {
	if c.hidden%c.heads == 0 {
		c.dim = c.hidden / c.heads
	}
	for _, name := range []string{"attention.key_length", "attention.value_length"} {
		n, ok, err := c.integer(c.key(name), 1, maxSize)
		switch {
		case err != nil:
			return err
		case !ok:
			continue
		case name == "attention.key_length" && !c.family.noHeadDim:
			c.dim = n
		case n != c.dim:
			return unsupportedf("%s is %d, but the size of a head is %d", c.quoted(name), n, c.dim)
		}
	}
	switch {
	case c.dim == 0:
		return badfile.New("%s is %d, not a multiple of %s, which is %d", c.quoted("embedding_length"), c.hidden, c.quoted("attention.head_count"), c.heads)
	case c.heads%c.keyHeads != 0:
		return badfile.New("%s is %d, not a multiple of %s, which is %d", c.quoted("attention.head_count"), c.heads, c.quoted("attention.head_count_kv"), c.keyHeads)
	case c.heads > math.MaxInt64/c.dim:
		return badfile.New("%s is %d, for heads of %d", c.quoted("attention.head_count"), c.heads, c.dim)
	}
	if !c.family.noHeadDim {
		c.config["head_dim"] = c.dim
	}
	for _, fd := range c.family.fields {
		if fd.key == "attention.head_count_kv" {
			c.config[fd.name] = c.keyHeads
		}
	}
	return nil
}

// finishConfig adds the members of config.json about tensors, tokens and rotary
// positions.
func (c *conversion) finishConfig() error {
	e := c.embedding()
	if len(e.Shape) != 2 || int64(e.Shape[1]) != c.hidden {
		return badfile.Tensor("token_embd.weight", "its shape is %v, but %s is %d", e.Shape, c.quoted("embedding_length"), c.hidden)
	}
	vocab := int64(e.Shape[0])
	c.config["vocab_size"] = vocab
	c.config["torch_dtype"] = c.dtype()
	if !c.family.encoder {
		c.config["tie_word_embeddings"] = !c.gives("lm_head.weight")
	}
	for _, id := range tokenIDs {
		n, ok, err := c.integer("tokenizer.ggml."+id.key, 0, max(vocab-1, 0))
		if err != nil {
			return err
		}
		if ok && id.config != "" && (!c.family.encoder || id.config == "pad_token_id") {
			c.config[id.config] = n
		}
	}
	if !c.family.noRope {
		if err := c.readRope(); err != nil {
			return err
		}
	}
	if c.family.finish != nil {
		return c.family.finish(c)
	}
	return nil
}

// gives reports whether the model has a tensor.
func (c *conversion) gives(name string) bool { _, ok := c.names[name]; return ok }

// embedding returns the tensor of tokens, which is there.
func (c *conversion) embedding() Tensor {
	return c.tensors[c.names[c.hfName(c.family.tensors[0], place{-1, -1, "weight"})]]
}

// rowsOf returns the first dimension of a tensor that is there.
func (c *conversion) rowsOf(name string) int64 {
	if s := c.tensors[c.names[name]].Shape; len(s) > 0 {
		return int64(s[0])
	}
	return 0
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
				if c.gives(fmt.Sprintf("model.layers.%d.%s.bias", layer, name)) {
					n++
				}
			}
		}
		if n != 0 && n != c.layers*int64(len(b.of)) {
			return unsupportedf("%d of %d linear layers have a bias (%s), want all or none", n, c.layers*int64(len(b.of)), b.member)
		}
		c.config[b.member] = n > 0
	}
	return nil
}

// gemma adds facts that files do not have and llama.cpp knows: the scale of queries,
// which differs for the largest model, the one with largest layers; and that one layer
// in pattern has attention without a window.
func (c *conversion) gemma(largest, pattern int64) error {
	scalar := c.dim
	if c.layers == largest {
		scalar = c.hidden / c.heads
	}
	c.config["query_pre_attn_scalar"] = scalar
	types := make([]string, c.layers)
	_, window := c.config["sliding_window"]
	for i := range types {
		types[i] = "full_attention"
		if window && (int64(i)+1)%pattern != 0 {
			types[i] = "sliding_attention"
		}
	}
	c.config["layer_types"] = types
	return nil
}

// bert refuses models that are similar to BERT, and takes sizes from tensors.
func (c *conversion) bert() error {
	const types, positions = "embeddings.token_type_embeddings.weight", "embeddings.position_embeddings.weight"
	if !c.gives(types) {
		return unsupportedf("tensor %s is missing: the model is similar to BERT, but not one", badfile.Quote("token_types.weight"))
	}
	c.config["type_vocab_size"] = c.rowsOf(types)
	c.config["max_position_embeddings"] = c.rowsOf(positions)
	return nil
}
