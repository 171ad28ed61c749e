package tinylm

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"testing"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestModel checks that the weights are those that the configuration describes,
// all of them finite and no layer left at its start.
func TestModel(t *testing.T) {
	var c struct {
		Hidden       int  `json:"hidden_size"`
		Intermediate int  `json:"intermediate_size"`
		Layers       int  `json:"num_hidden_layers"`
		Heads        int  `json:"num_attention_heads"`
		KVHeads      int  `json:"num_key_value_heads"`
		HeadDim      int  `json:"head_dim"`
		Vocab        int  `json:"vocab_size"`
		Tied         bool `json:"tie_word_embeddings"`
	}
	config, err := fs.ReadFile(FS(), "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(config, &c); err != nil {
		t.Fatal(err)
	}
	if c.Vocab != 256 || !c.Tied || c.Hidden < 256 {
		t.Errorf("configuration %+v", c)
	}
	want := map[string][]int{
		"model.embed_tokens.weight": {c.Vocab, c.Hidden},
		"model.norm.weight":         {c.Hidden},
	}
	for l := range c.Layers {
		for name, shape := range map[string][]int{
			"self_attn.q_proj":         {c.Heads * c.HeadDim, c.Hidden},
			"self_attn.k_proj":         {c.KVHeads * c.HeadDim, c.Hidden},
			"self_attn.v_proj":         {c.KVHeads * c.HeadDim, c.Hidden},
			"self_attn.o_proj":         {c.Hidden, c.Heads * c.HeadDim},
			"mlp.gate_proj":            {c.Intermediate, c.Hidden},
			"mlp.up_proj":              {c.Intermediate, c.Hidden},
			"mlp.down_proj":            {c.Hidden, c.Intermediate},
			"input_layernorm":          {c.Hidden},
			"post_attention_layernorm": {c.Hidden},
		} {
			want[fmt.Sprintf("model.layers.%d.%s.weight", l, name)] = shape
		}
	}
	f, err := checkpoint.OpenFS(FS(), ".")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n := len(f.Tensors()); n != len(want) {
		t.Errorf("%d tensors, want %d", n, len(want))
	}
	for name, shape := range want {
		tensor, ok := f.Tensor(name)
		if !ok || fmt.Sprint(tensor.Shape) != fmt.Sprint(shape) || tensor.DType != "BF16" {
			t.Errorf("%s: %v, want %v", name, tensor, shape)
			continue
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		w := make([]float32, n)
		rows := 1 // a vector is a row
		if len(shape) == 2 {
			rows = shape[0]
		}
		if err := f.ReadRows(w, name, 0, rows); err != nil {
			t.Fatal(err)
		}
		var sum, squares float64
		for _, x := range w {
			sum += float64(x)
			squares += float64(x) * float64(x)
		}
		if !(squares > 0) || squares/float64(n) > 100 || sum == float64(n) {
			t.Errorf("%s: sum %v, mean square %v", name, sum, squares/float64(n))
		}
	}
}
