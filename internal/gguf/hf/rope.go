package hf

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
)

// readFactors reads a tensor of factors by which rotary frequencies are divided.
func (c *conversion) readFactors(o op, i int, t gguf.Tensor) error {
	n := t.Elements()
	if len(t.Shape) != 1 || n < 1 || n > maxFactors || !t.Type.IsFloat() {
		return badfile.Tensor(t.Name, "%v of shape %v, want one factor for every two dimensions of a head", t.Type, t.Shape)
	}
	c.factors[o] = make([]float32, n)
	if err := c.source.Read(i, c.factors[o]); err != nil {
		return err
	}
	for j, f := range c.factors[o] {
		if !(f > 0 && f <= math.MaxFloat32) {
			return badfile.Tensor(t.Name, "the factor at %d is %v", j, f)
		}
	}
	return nil
}

// readRope sets rope_scaling from keys, and from tensors with factors.
func (c *conversion) readRope() error {
	if theta, ok := c.config["rope_theta"].(number); ok && theta.value <= 0 {
		return badfile.New("%s is %v", c.quoted("rope.freq_base"), theta.value)
	}
	n, ok, err := c.integer(c.key("rope.dimension_count"), 0, maxSize)
	if err != nil {
		return err
	}
	if ok && n != c.dim {
		if c.family.modelType != "phi3" || n < 2 || n > c.dim {
			return unsupportedf("%s is %d, but the size of a head is %d", c.quoted("rope.dimension_count"), n, c.dim)
		}
		c.config["partial_rotary_factor"] = number{float64(n) / float64(c.dim), 64}
	}
	scaling, err := c.ropeScaling()
	if err != nil {
		return err
	}
	c.config["rope_scaling"] = scaling
	return nil
}

// ropeScaling returns the value of rope_scaling, which may be nil.
func (c *conversion) ropeScaling() (any, error) {
	const typeKey, factorKey = "rope.scaling.type", "rope.scaling.factor"
	kind, _, err := get[string](c.keys, c.key(typeKey))
	if err != nil {
		return nil, err
	}
	factor, ok, err := c.number(c.key(factorKey))
	if err != nil {
		return nil, err
	}
	if !ok { // the key of old files
		if factor, ok, err = c.number(c.key("rope.scale_linear")); err != nil {
			return nil, err
		} else if ok && kind == "" {
			kind = "linear"
		}
	}
	if attention, ok, err := c.number(c.key("rope.scaling.attn_factor")); err != nil {
		return nil, err
	} else if ok && attention.value != 1 && c.factors[longFactors] == nil {
		return nil, unsupportedf("%s is %v", c.quoted("rope.scaling.attn_factor"), attention.value)
	}
	none := kind == "" || kind == "none"
	switch {
	case len(c.factors) > 0 && !none && kind != "longrope":
		return nil, unsupportedf("it has factors of rotary frequencies, and %s is %s", c.quoted(typeKey), badfile.Quote(kind))
	case c.factors[ropeFactors] != nil && none:
		return c.llama3(c.factors[ropeFactors])
	case c.factors[longFactors] != nil || c.factors[shortFactors] != nil:
		return c.longRope(c.factors[longFactors], c.factors[shortFactors])
	case none || kind == "linear" && ok && factor.value == 1:
		return nil, nil
	case kind != "linear" && kind != "yarn":
		return nil, unsupportedf("%s is %s", c.quoted(typeKey), badfile.Quote(kind))
	case !ok:
		return nil, badfile.New("%s is missing, but %s is %s", c.quoted(factorKey), c.quoted(typeKey), badfile.Quote(kind))
	case factor.value <= 0:
		return nil, badfile.New("%s is %v", c.quoted(factorKey), factor.value)
	case kind == "yarn":
		return c.yarn(factor)
	}
	return map[string]any{"rope_type": "linear", "factor": factor}, nil
}

func (c *conversion) yarn(factor number) (any, error) {
	s := map[string]any{"rope_type": "yarn", "factor": factor}
	n, err := c.size("rope.scaling.original_context_length", maxSize)
	if err != nil {
		return nil, err
	}
	s["original_max_position_embeddings"] = n
	for _, m := range []struct{ key, name string }{
		{"yarn_attn_factor", "attention_factor"}, {"yarn_beta_fast", "beta_fast"}, {"yarn_beta_slow", "beta_slow"},
	} {
		x, ok, err := c.number(c.key("rope.scaling." + m.key))
		if err != nil {
			return nil, err
		}
		if ok {
			s[m.name] = x
		}
	}
	for _, name := range []string{"rope.scaling.yarn_ext_factor", "rope.scaling.yarn_log_multiplier"} {
		if c.has(c.key(name)) {
			return nil, unsupportedf("rope_scaling has no member for %s", c.quoted(name))
		}
	}
	return s, nil
}

// llama3 finds the parameters of Llama 3's scaling that give the factors of rope_freqs.
// The frequencies of long waves are divided by one factor, those of short ones are
// left, and those between are interpolated. Files have only the result. As llama.cpp's
// converter does, llama3 assumes that models stretch 8192 positions, with 1 and 4 as
// bounds, as all published models do.
func (c *conversion) llama3(factors []float32) (any, error) {
	const low, high, context = 1, 4, 8192
	if int64(len(factors)) != c.dim/2 {
		return nil, badfile.Tensor("rope_freqs.weight", "%d factors, want %d, one for every two dimensions of a head", len(factors), c.dim/2)
	}
	base := c.config["rope_theta"].(number).value
	factor := float64(factors[len(factors)-1])
	ones := true
	for i, got := range factors {
		ones = ones && got == 1
		wave := 2 * math.Pi * math.Pow(base, float64(2*i)/float64(c.dim))
		want := factor
		switch {
		case wave < context/high:
			want = 1
		case wave <= context/low:
			smooth := (context/wave - low) / (high - low)
			want = 1 / ((1-smooth)/factor + smooth)
		}
		if !(math.Abs(float64(got)-want) <= 1e-4*want) {
			return nil, unsupportedf("factor %d of tensor %s is %v, but Llama 3's scaling by %v makes it %.6v", i, badfile.Quote("rope_freqs.weight"), got, factor, want)
		}
	}
	if ones {
		return nil, nil
	}
	return map[string]any{
		"rope_type": "llama3", "factor": number{factor, 32}, "low_freq_factor": number{low, 64},
		"high_freq_factor": number{high, 64}, "original_max_position_embeddings": int64(context),
	}, nil
}

// longRope returns the scaling of Phi-3, which has factors for texts that are
// longer than the first models could read, and for others.
func (c *conversion) longRope(long, short []float32) (any, error) {
	n := int64(float64(c.dim) * c.partial() / 2)
	if int64(len(long)) != n || int64(len(short)) != n {
		return nil, badfile.Tensor("rope_factors_long.weight", "%d factors, and %d of %s, want %d of both", len(long), len(short), badfile.Quote("rope_factors_short.weight"), n)
	}
	original, err := c.size("rope.scaling.original_context_length", maxSize)
	if err != nil {
		return nil, err
	}
	// Hugging Face has a rule for the scale of attention; other values are refused.
	want := 1.0
	if scale := float64(c.config["max_position_embeddings"].(int64)) / float64(original); scale > 1 {
		want = math.Sqrt(1 + math.Log(scale)/math.Log(float64(original)))
	}
	if got, ok, err := c.number(c.key("rope.scaling.attn_factor")); err != nil {
		return nil, err
	} else if ok && !(math.Abs(got.value-want) <= 1e-4*want) {
		return nil, unsupportedf("%s is %v, want %.6v", c.quoted("rope.scaling.attn_factor"), got.value, want)
	}
	return map[string]any{"type": "longrope", "rope_type": "longrope", "long_factor": numbers(long), "short_factor": numbers(short)}, nil
}

func numbers(fs []float32) []number {
	ns := make([]number, len(fs))
	for i, f := range fs {
		ns[i] = number{float64(f), 32}
	}
	return ns
}

// partial returns the share of a head that turns.
func (c *conversion) partial() float64 {
	if p, ok := c.config["partial_rotary_factor"].(number); ok {
		return p.value
	}
	return 1
}

// phi3 checks that config.json can express the files.
func (c *conversion) phi3() error {
	if !c.has(c.key("attention.sliding_window")) {
		return unsupportedf("%s is missing, as in old files", c.quoted("attention.sliding_window"))
	}
	if s, ok := c.config["rope_scaling"].(map[string]any); ok && s["rope_type"] != "longrope" {
		return unsupportedf("%s is %s", c.quoted("rope.scaling.type"), badfile.Quote(s["rope_type"].(string)))
	}
	original, ok, err := c.integer(c.key("rope.scaling.original_context_length"), 1, maxSize)
	if err != nil {
		return err
	}
	if !ok {
		original = c.config["max_position_embeddings"].(int64)
	}
	c.config["original_max_position_embeddings"] = original
	return nil
}

// gptOSS adds that the bounds of YaRN are not rounded, which files do not say.
func (c *conversion) gptOSS() error {
	if s, ok := c.config["rope_scaling"].(map[string]any); ok && s["rope_type"] == "yarn" {
		s["truncate"] = false
	}
	return nil
}
