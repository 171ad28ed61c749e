package hf

import (
	"math"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
)

// readRope reads the factors by which rotary frequencies are divided.
func (c *conversion) readRope(i int, t gguf.Tensor) error {
	n := t.Elements()
	if len(t.Shape) != 1 || n < 1 || n > maxFactors || !t.Type.IsFloat() {
		return badfile.Tensor(t.Name, "%v of shape %v, want one factor for every two dimensions of a head", t.Type, t.Shape)
	}
	c.rope = make([]float32, n)
	return c.source.Read(i, c.rope)
}

// readRopeKeys makes rope_scaling of the keys about it, and of rope_freqs.
func (c *conversion) readRopeKeys() error {
	n, ok, err := c.integer(c.key("rope.dimension_count"), 0, maxSize)
	if err != nil {
		return err
	}
	if ok && n != c.dim {
		return unsupportedf("%s is %d, but heads have %d dimensions", badfile.Quote(c.key("rope.dimension_count")), n, c.dim)
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
	kind, _, err := get[string](c.keys, c.key("rope.scaling.type"))
	if err != nil {
		return nil, err
	}
	factor, ok, err := c.number(c.key("rope.scaling.factor"))
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
	if c.rope != nil && (kind == "" || kind == "none") {
		return c.llama3()
	}
	switch {
	case c.rope != nil:
		return nil, unsupportedf("it has rope_freqs, and %s is %s", badfile.Quote(c.key("rope.scaling.type")), badfile.Quote(kind))
	case kind == "" || kind == "none" || kind == "linear" && factor.value == 1:
		return nil, nil
	case !ok || factor.value <= 0:
		return nil, badfile.New("%s is %v, for %s %s", badfile.Quote(c.key("rope.scaling.factor")), factor.value, badfile.Quote(c.key("rope.scaling.type")), badfile.Quote(kind))
	case kind == "linear":
		return map[string]any{"rope_type": "linear", "factor": factor}, nil
	case kind == "yarn":
		return c.yarn(factor)
	}
	return nil, unsupportedf("%s is %s", badfile.Quote(c.key("rope.scaling.type")), badfile.Quote(kind))
}

func (c *conversion) yarn(factor number) (any, error) {
	s := map[string]any{"rope_type": "yarn", "factor": factor}
	n, ok, err := c.integer(c.key("rope.scaling.original_context_length"), 1, maxSize)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, badfile.New("%s is missing, which yarn needs", badfile.Quote(c.key("rope.scaling.original_context_length")))
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
	for _, key := range []string{"yarn_ext_factor", "yarn_log_multiplier"} {
		if c.has(c.key("rope.scaling." + key)) {
			return nil, unsupportedf("%s has no place in Hugging Face's rope_scaling", badfile.Quote(c.key("rope.scaling."+key)))
		}
	}
	return s, nil
}

// llama3 finds the parameters of Llama 3's scaling that give the factors of
// rope_freqs. The frequencies of long waves are divided by one factor, those of
// short ones are left, and those between are interpolated. Files have the result
// alone; that all published models stretch 8192 positions, with 1 and 4 as bounds,
// is what llama.cpp's converter assumes too.
func (c *conversion) llama3() (any, error) {
	const low, high, context = 1, 4, 8192
	if int64(len(c.rope)) != c.dim/2 {
		return nil, badfile.Tensor("rope_freqs.weight", "%d factors, want %d, one for every two dimensions of a head", len(c.rope), c.dim/2)
	}
	base := c.config["rope_theta"].(number)
	factor := float64(c.rope[len(c.rope)-1])
	if factor == 1 {
		factor = 8
	}
	ones := true
	for i, got := range c.rope {
		ones = ones && got == 1
		wave := 2 * math.Pi * math.Pow(base.value, float64(2*i)/float64(c.dim))
		want := factor
		switch {
		case wave < context/high:
			want = 1
		case wave <= context/low:
			smooth := (context/wave - low) / (high - low)
			want = 1 / ((1-smooth)/factor + smooth)
		}
		if !ones && !(math.Abs(float64(got)-want) <= 1e-4*want) {
			return nil, unsupportedf("rope_freqs.weight has the factor %v at %d, where Llama 3's scaling by %v has %.6v", got, i, factor, want)
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
