package llm

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestOtherForms opens a model with GPTQ weights. The error must name GPTQ, not a missing
// tensor.
func TestOtherForms(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tensors := []safetensors.Tensor{
		{Name: "model.layers.0.mlp.up_proj.qweight", DType: "I32", Shape: []int{8, 64}},
		{Name: "model.layers.0.mlp.up_proj.qzeros", DType: "I32", Shape: []int{1, 8}},
		{Name: "model.layers.0.mlp.up_proj.scales", DType: "F16", Shape: []int{1, 64}},
	}
	w, err := safetensors.NewWriter(f, tensors, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range tensors {
		if err := w.WriteAt(x.Name, make([]byte, x.Elements()*int64(x.DType.Bits()/8)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(nil); err != nil {
		t.Fatal(err)
	}
	config := `{"model_type":"llama","hidden_size":64,"intermediate_size":64,"num_hidden_layers":1,"num_attention_heads":2,"vocab_size":32,"rms_norm_eps":1e-5,"hidden_act":"silu","max_position_embeddings":16}`
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(config), 0o666); err != nil {
		t.Fatal(err)
	}
	if m, err := OpenFile(dir); !errors.Is(err, checkpoint.ErrUnsupported) || !strings.Contains(err.Error(), "GPTQ") {
		t.Errorf("%v, %v", m, err)
	}
}
