package llm

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// keys are the keys of a JSON object of config.json. They remember the first error, and
// which keys were read, as a key that is not read may change the results of a model.
type keys struct {
	path   string // of the object, with a dot at the end
	values map[string]json.RawMessage
	read   map[string]bool
	inner  []*keys
	err    *error
}

// parseKeys returns the keys of config.json.
func parseKeys(data []byte) (*keys, error) {
	k := &keys{read: map[string]bool{}, err: new(error)}
	return k, json.Unmarshal(data, &k.values)
}

// fail records the first error.
func (k *keys) fail(format string, args ...any) {
	if *k.err == nil {
		*k.err = formatErrorf(format, args...)
	}
}

// name quotes a key.
func (k *keys) name(key string) string { return badfile.Quote(k.path + key) }

// get reads a key to dst and reports whether it is there and not null.
func (k *keys) get(key string, dst any) bool {
	k.read[key] = true
	v, ok := k.values[key]
	if !ok || string(bytes.TrimSpace(v)) == "null" {
		return false
	}
	if err := json.Unmarshal(v, dst); err != nil {
		k.fail("%s: %v", k.name(key), err)
		return false
	}
	return true
}

// integer, number, boolean and word return the value of a key, or a default.

func (k *keys) integer(key string, def int) int {
	x := def
	k.get(key, &x)
	return x
}

func (k *keys) number(key string, def float64) float64 {
	x := def
	k.get(key, &x)
	return x
}

func (k *keys) boolean(key string, def bool) bool {
	x := def
	k.get(key, &x)
	return x
}

func (k *keys) word(key, def string) string {
	x := def
	k.get(key, &x)
	return x
}

// must fails if a key has another value than the only one that is supported.
func must[T comparable](k *keys, key string, want T) {
	x := want
	if k.get(key, &x) && x != want {
		k.fail("%s is %v, which is not supported, want %v", k.name(key), x, want)
	}
}

// object returns the keys of an object, nil if there is none.
func (k *keys) object(key string) *keys {
	o := &keys{path: k.path + key + ".", read: map[string]bool{}, err: k.err}
	if !k.get(key, &o.values) {
		return nil
	}
	k.inner = append(k.inner, o)
	return o
}

// checkRead returns the first error, or else an error for a key that was not read,
// unless it is known to be harmless or its value is empty.
func (k *keys) checkRead(harmless ...[]string) error {
	if *k.err != nil {
		return *k.err
	}
	for _, key := range slices.Sorted(maps.Keys(k.values)) {
		known := k.read[key] || slices.ContainsFunc(harmless, func(list []string) bool { return slices.Contains(list, key) })
		if !known && !isNothing(k.values[key]) {
			return formatErrorf("%s is %s, but this key is not known for this family of models, and may change what the model computes",
				k.name(key), badfile.Quote(shorten(string(k.values[key]))))
		}
	}
	for _, o := range k.inner {
		if err := o.checkRead(); err != nil {
			return err
		}
	}
	return nil
}

// isNothing reports whether a value means off or empty.
func isNothing(v json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(v)), "") {
	case "null", "false", "[]", "{}", `""`:
		return true
	}
	return false
}

func shorten(s string) string {
	const most = 60
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}

// harmless are keys that any config.json may have and that change no result: they are
// about training, about programs, about how text is written and tokens are chosen.
var harmless = strings.Fields(`
	architectures model_type transformers_version torch_dtype dtype _name_or_path name_or_path _commit_hash auto_map
	quantization_config compression_config transformers_weights transformers.js_config unsloth_version unsloth_fixed is_llama_config
	_attn_implementation attn_implementation _attn_implementation_autoset _attn_implementation_internal cache_implementation use_cache
	output_attentions output_hidden_states output_scores return_dict return_dict_in_generate use_return_dict torchscript use_bfloat16
	initializer_range initializer_factor attention_dropout hidden_dropout resid_pdrop embd_pdrop attn_pdrop embedding_dropout dropout
	hidden_dropout_prob attention_probs_dropout_prob classifier_dropout
	pretraining_tp chunk_size_feed_forward is_decoder router_aux_loss_coef output_router_logits router_jitter_noise
	pad_token_id sep_token_id unk_token_id cls_token_id mask_token_id decoder_start_token_id tokenizer_class prefix model_max_length
	problem_type id2label label2id finetuning_task task_specific_params
	max_length min_length max_new_tokens do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p min_p
	typical_p repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences
	forced_bos_token_id forced_eos_token_id remove_invalid_values exponential_decay_length_penalty suppress_tokens begin_suppress_tokens
`)
