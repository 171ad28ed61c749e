package llm

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// Sampling has the publisher's settings for sampling from a model. Fields without a
// setting are nil.
type Sampling struct {
	Temperature, TopP *float64
	TopK              *int
	Unused            []string // settings that a [Sampler] does not have, by name
}

// unusedSampling are the settings that change what is sampled, with the values that change
// nothing.
var unusedSampling = []struct {
	name string
	off  []float64
}{
	{"repetition_penalty", []float64{1}}, {"encoder_repetition_penalty", []float64{1}}, {"no_repeat_ngram_size", []float64{0}},
	{"min_p", []float64{0}}, {"typical_p", []float64{1}}, {"epsilon_cutoff", []float64{0}}, {"eta_cutoff", []float64{0}},
	{"top_h", nil}, {"penalty_alpha", []float64{0}}, {"num_beams", []float64{1}}, {"diversity_penalty", []float64{0}}, {"guidance_scale", []float64{1}},
	{"min_length", []float64{0}}, {"min_new_tokens", []float64{0}},
}

// readGeneration reads generation_config.json, if it is there: how to sample, and the
// tokens that end a text, which take precedence over config.json's.
func (f *File) readGeneration() error {
	const name = "generation_config.json"
	data, err := badfile.ReadFile(f.companions, name, maxConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	k, err := parseKeys(data)
	if err != nil {
		return formatErrorf("%s: %v", name, err)
	}
	var eos ints
	if k.get("eos_token_id", &eos) {
		f.Config.EOS = eos
	}
	s := &f.Sampling
	var temperature, topP float64
	var topK int
	sample := true
	if k.get("temperature", &temperature) {
		s.Temperature = &temperature
	}
	if k.get("top_p", &topP) {
		s.TopP = &topP
	}
	if k.get("top_k", &topK) {
		s.TopK = &topK
	}
	if k.get("do_sample", &sample) && !sample {
		s.Temperature = new(float64)
	}
	if *k.err != nil {
		return formatErrorf("%s: %v", name, *k.err)
	}
	switch {
	case s.Temperature != nil && !(*s.Temperature >= 0):
		return formatErrorf("%s: temperature is %v, want 0 or more", name, *s.Temperature)
	case s.TopP != nil && !(*s.TopP > 0 && *s.TopP <= 1):
		return formatErrorf("%s: top_p is %v, want more than 0 and at most 1", name, *s.TopP)
	case s.TopK != nil && *s.TopK < 0:
		return formatErrorf("%s: top_k is %d, want 0 or more", name, *s.TopK)
	}
	for _, u := range unusedSampling {
		var x float64
		raw, ok := k.values[u.name]
		if !ok || string(raw) == "null" || json.Unmarshal(raw, &x) == nil && slices.Contains(u.off, x) {
			continue
		}
		s.Unused = append(s.Unused, u.name)
	}
	return nil
}
