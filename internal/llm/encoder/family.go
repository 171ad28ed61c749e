package encoder

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A family describes models with the same network: their names of tensors, their keys
// of config.json, and how they differ from other families.
type family struct {
	models   []string // values of model_type
	prefixes []string // before all names, in files of models with a head on top

	names names
	keys  keys

	afterPadding bool // positions of tokens count from the padding token's number on
	preNorm      bool // norms are before attention and feed-forward network, and one last

	eps     float64 // the default, unless config.json has a key for it
	padding int     // the default, unless config.json has a key for it

	ignored []string // keys that change nothing
	unused  []string // prefixes of the names of tensors that are no part of the encoder
}

// names has the names of tensors, without ".weight" and ".bias". Names in a layer
// follow its prefix. Tensors that a family does not have are "".
type names struct {
	words, positions, types, embedNorm, project string
	relative                                    string

	layer                                    string // with %d
	query, key, value, output                string
	attentionNorm, up, down, feedForwardNorm string

	lastNorm string
}

// keys are the known keys of config.json.
type keys struct {
	dim, hidden, layers, heads, vocab, positions string
	types, eps, activation, embedding, buckets   string
}

// families has all families.
var families = []*family{&bert, &roberta, &robertaPreNorm, &electra, &distilbert, &mpnet}

func familyOf(model string) (*family, error) {
	var all []string
	for _, f := range families {
		if slices.Contains(f.models, model) {
			return f, nil
		}
		all = append(all, f.models...)
	}
	return nil, formatErrorf("model_type is %q, want one of %q", model, all)
}

// activations by the name that config.json has.
var activations = map[string]floats.Activation{
	"gelu": floats.GELU, "gelu_python": floats.GELU,
	"gelu_new": floats.GELUTanh, "gelu_pytorch_tanh": floats.GELUTanh, "gelu_fast": floats.GELUTanh, "gelu_python_tanh": floats.GELUTanh, "gelu_accurate": floats.GELUTanh,
	"silu": floats.SiLU, "swish": floats.SiLU,
	"relu": floats.ReLU,
}

// Keys that change nothing in a forward pass: about training, generation, tasks, and
// who wrote the file with what.
var ignoredKeys = []string{
	"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "_name_or_path", "name_or_path", "_num_labels",
	"initializer_range", "initializer_factor", "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout",
	"gradient_checkpointing", "use_cache", "output_past", "output_attentions", "output_hidden_states", "return_dict", "return_dict_in_generate", "torchscript",
	"bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
	"id2label", "label2id", "num_labels", "problem_type", "finetuning_task", "task_specific_params", "tie_word_embeddings", "tie_encoder_decoder",
	"directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers", "pooler_size_per_head", "pooler_type",
	"summary_activation", "summary_last_dropout", "summary_type", "summary_use_proj", "summary_first_dropout", "summary_proj_to_labels",
	"chunk_size_feed_forward", "language", "license", "tokenizer_class", "prefix", "attn_implementation", "_attn_implementation", "_attn_implementation_autoset",
	"quantization_config", "transformers_weights", // are for package checkpoint, which reads the weights, or refuses them
}

// Keys that would change results, with the only values that they may have. null stands
// for a key that is not there.
var fixedKeys = map[string][]string{
	"is_decoder":              {"false", "null"},
	"is_encoder_decoder":      {"false", "null"},
	"add_cross_attention":     {"false", "null"},
	"pruned_heads":            {"{}", "null"},
	"position_embedding_type": {`"absolute"`, "null"},
	"adapters":                {"null"},
	"auto_map":                {"null"},
}

// isBuffer reports whether a tensor is a list of numbers that old versions of
// transformers saved: 0, 1, 2 … for positions, and 0 for types.
func isBuffer(name string) bool {
	return strings.HasSuffix(name, "embeddings.position_ids") || strings.HasSuffix(name, "embeddings.token_type_ids")
}

// of returns the name in the i-th layer.
func (n *names) of(i int, name string) string { return fmt.Sprintf(n.layer, i) + name }

// Known reports whether models of a model_type are encoders that the engine runs.
func Known(modelType string) bool {
	_, err := familyOf(modelType)
	return err == nil
}
