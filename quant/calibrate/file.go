package calibrate

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// The suffixes of tensor names in a file, see Save.
const (
	suffixSquares = ".in_sum2"
	suffixCounts  = ".counts"
	suffixHessian = ".hessian"
)

// Save writes the statistics to a safetensors file, or a directory, as
// [checkpoint.Save] does. A tensor NAME of m matrices with c columns has
//
//	NAME.counts   F32 [m, 1]          number of vectors
//	NAME.in_sum2  F32 [m, c]          Σ x² by column, or
//	NAME.hessian  F32 [m, c·(c+1)/2]  Σ x·xᵀ: the upper triangle, row by row
//
// The first two have the names that llama.cpp gives them in its importance matrices. A
// matrix without vectors has zeros. Sums are rounded to float32.
func (s *Statistics) Save(ctx context.Context, path string) error {
	if s == nil {
		return fmt.Errorf("calibrate: %w: nil Statistics", os.ErrInvalid)
	}
	var entries []checkpoint.Entry
	for _, name := range s.Tensors() {
		ins := s.inputs[name]
		suffix, width := suffixSquares, 0
		for _, in := range ins {
			if in != nil && in.hessian != nil {
				suffix = suffixHessian
			}
			if in != nil {
				width = in.cols()
			}
		}
		if suffix == suffixHessian {
			width = width * (width + 1) / 2
		}
		var sums, counts []float32
		for i, in := range ins {
			values, n := make([]float64, width), 0
			switch {
			case in == nil:
			case in.hessian != nil && suffix == suffixHessian:
				values, n = in.hessian.Sums(), in.hessian.Vectors()
			case in.hessian == nil && suffix == suffixSquares:
				values, n = in.squares, in.vectors
			}
			if len(values) != width {
				return fmt.Errorf("calibrate: tensor %q: %w: matrix %d has another number of columns", name, quant.ErrShape, i)
			}
			for _, v := range values {
				sums = append(sums, float32(v))
			}
			counts = append(counts, float32(n))
		}
		entries = append(entries,
			checkpoint.Entry{Name: name + suffixCounts, Floats: counts, Shape: []int{len(ins), 1}},
			checkpoint.Entry{Name: name + suffix, Floats: sums, Shape: []int{len(ins), width}})
	}
	return checkpoint.Save(ctx, path, entries, checkpoint.SaveOptions{})
}

// Load reads a file that Save has written, or an importance matrix of llama.cpp, a GGUF
// file of its program imatrix. [Statistics.Rename] with [HuggingFaceName] gives the
// latter the names of a Hugging Face model. The error for a file that is neither
// matches [quant.ErrFormat] and names the tensor.
func Load(path string) (*Statistics, error) {
	c, err := checkpoint.Open(path)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s := new(Statistics)
	for _, t := range c.Tensors() {
		if err := s.load(c, t); err != nil {
			return nil, fmt.Errorf("calibrate: %s: tensor %q: %w", path, t.Name, err)
		}
	}
	if len(s.inputs) == 0 {
		return nil, fmt.Errorf("calibrate: %s: %w: it has no tensors such as NAME%s or NAME%s", path, quant.ErrFormat, suffixSquares, suffixHessian)
	}
	return s, nil
}

func (s *Statistics) load(c *checkpoint.Checkpoint, t checkpoint.Tensor) error {
	name, squares := strings.CutSuffix(t.Name, suffixSquares)
	if !squares {
		var hessian bool
		if name, hessian = strings.CutSuffix(t.Name, suffixHessian); !hessian {
			return nil
		}
	}
	counts, ok := c.Tensor(name + suffixCounts)
	if !ok || counts.Rows() != t.Rows() || counts.Cols() != 1 || t.Rows() > maxMatrices {
		return fmt.Errorf("%w: shape %v, with counts of %v", quant.ErrFormat, t.Shape, counts.Shape)
	}
	if s.inputs == nil {
		s.inputs = make(map[string][]*input)
	}
	if s.inputs[name] != nil {
		return fmt.Errorf("%w: it has both squares and a Hessian", quant.ErrFormat)
	}
	ns := make([]float32, t.Rows())
	if err := c.ReadRows(ns, counts.Name, 0, t.Rows()); err != nil {
		return err
	}
	row := make([]float32, t.Cols())
	for i, n := range ns {
		if err := c.ReadRows(row, t.Name, i, i+1); err != nil {
			return err
		}
		in, err := newInput(row, n, squares)
		if err != nil {
			return fmt.Errorf("matrix %d: %w: %w", i, quant.ErrFormat, err)
		}
		s.inputs[name] = append(s.inputs[name], in)
	}
	return nil
}

// newInput returns the input of a matrix from its stored sums over n vectors.
func newInput(sums []float32, n float32, squares bool) (*input, error) {
	if !(n >= 0 && n < 1<<31) {
		return nil, fmt.Errorf("a count of %v", n)
	}
	wide := make([]float64, len(sums))
	for i, x := range sums {
		wide[i] = float64(x)
	}
	if !squares {
		h, err := quant.NewHessianOf(int(math.Sqrt(2*float64(len(sums)))), int(n), wide)
		return &input{hessian: h}, err
	}
	for i, x := range wide {
		if !(x >= 0) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("the sum of squares of column %d is %v", i, x)
		}
	}
	return &input{squares: wide, vectors: int(n)}, nil
}

// HuggingFaceName returns the name that most models of Hugging Face have for a tensor
// of llama.cpp, such as model.layers.3.mlp.down_proj.weight for blk.3.ffn_down.weight.
// It returns all other names, those of experts among them, as they are.
func HuggingFaceName(tensor string) string {
	outer := map[string]string{"output.weight": "lm_head.weight", "token_embd.weight": "model.embed_tokens.weight"}
	if name, ok := outer[tensor]; ok {
		return name
	}
	parts := strings.Split(tensor, ".")
	inner := map[string]string{
		"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
		"attn_qkv": "self_attn.qkv_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
	}
	if len(parts) != 4 || parts[0] != "blk" || inner[parts[2]] == "" {
		return tensor
	}
	return fmt.Sprintf("model.layers.%s.%s.%s", parts[1], inner[parts[2]], parts[3])
}
