package hf

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
)

// Limits on what a file may say. They are far above any published model.
const (
	maxLayers  = 1 << 12
	maxExperts = 1 << 14
	maxTensors = 1 << 20
	maxSize    = 1 << 31 // of a dimension, a context, a vocabulary
	maxFactors = 1 << 16 // of rotary frequencies
)

// A conversion converts one model.
type conversion struct {
	keys
	source Source
	family *family

	config               map[string]any
	layers, hidden       int64
	heads, keyHeads, dim int64
	experts              int64

	tensors []Tensor
	names   map[string]int   // in tensors
	factors map[op][]float32 // of rotary frequencies, by where they are
}

func (c *conversion) run() error {
	c.config = map[string]any{}
	c.names = map[string]int{}
	c.factors = map[op][]float32{}
	for _, step := range []func() error{c.readConfig, c.readTensors, c.checkComplete, c.finishConfig} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// key returns a key of the family's in full.
func (c *conversion) key(name string) string { return c.arch + "." + name }

func (c *conversion) quoted(name string) string { return badfile.Quote(c.key(name)) }

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

// readTensor adds the tensor of the model that tensor i of the source holds.
func (c *conversion) readTensor(i int, t gguf.Tensor) error {
	row, at, ok, err := c.match(t.Name)
	switch {
	case err != nil:
		return badfile.Tensor(t.Name, "%v", err)
	case !ok:
		return c.strange(t)
	}
	x := Tensor{Name: c.hfName(row, at), Shape: t.Shape, From: []int{i}, View: Copied{}}
	rank := len(t.Shape)
	switch row.op {
	case ropeFactors, longFactors, shortFactors:
		return c.readFactors(row.op, i, t)
	case experts:
		return c.addExperts(x, row, at, t)
	case firstOfTwo, oddOfTwo:
		return c.addHalf(x, row.op, at, t)
	case queryRows, keyRows:
		heads, key := c.heads, "attention.head_count"
		if row.op == keyRows {
			heads, key = c.keyHeads, "attention.head_count_kv"
		}
		if rank == 0 || int64(t.Shape[0]) != heads*c.dim || c.dim%2 != 0 {
			return badfile.Tensor(t.Name, "its shape is %v, want rows for %d heads (%s) of %d", t.Shape, heads, c.quoted(key), c.dim)
		}
		x.View = unpermuted(heads, heads*c.dim)
	case plusOne:
		x.View = Shifted{-1}
	case transpose:
		if at.suffix == "bias" {
			break
		}
		if rank != 2 {
			return badfile.Tensor(t.Name, "its shape is %v, want two dimensions", t.Shape)
		}
		x.Shape = []int{t.Shape[1], t.Shape[0]}
		x.View = Transposed{1, int64(t.Shape[0]), int64(t.Shape[1])}
	case stacked:
		if at.suffix == "bias" {
			break
		}
		if rank != 3 {
			return badfile.Tensor(t.Name, "its shape is %v, want three dimensions", t.Shape)
		}
		x.Shape = []int{t.Shape[0], t.Shape[2], t.Shape[1]}
		x.View = Transposed{int64(t.Shape[0]), int64(t.Shape[1]), int64(t.Shape[2])}
	case addRow:
		if rank == 1 {
			x.Shape = []int{1, t.Shape[0]}
		}
	}
	return c.add(x)
}

// strange returns the error for a tensor that the family does not have.
func (c *conversion) strange(t gguf.Tensor) error {
	return unsupportedf("tensor %s is not known for the architecture %s", badfile.Quote(t.Name), badfile.Quote(c.arch))
}

// addExperts adds a tensor for each expert of one that has them all.
func (c *conversion) addExperts(x Tensor, row tensor, at place, t gguf.Tensor) error {
	if len(t.Shape) != 3 || int64(t.Shape[0]) != c.experts {
		return badfile.Tensor(t.Name, "its shape is %v, want matrices for %d experts (%s)", t.Shape, c.experts, c.quoted("expert_count"))
	}
	x.Shape = t.Shape[1:]
	for at.expert = range c.experts {
		x.Name = c.hfName(row, at)
		x.View = rowsFrom(at.expert * int64(t.Shape[1]))
		if err := c.add(x); err != nil {
			return err
		}
	}
	return nil
}

// addHalf adds a tensor with the even or odd columns of one of the model, which is
// complete once both are there.
func (c *conversion) addHalf(x Tensor, o op, at place, t gguf.Tensor) error {
	switch rank := len(t.Shape); {
	case at.suffix == "bias" && rank == 2:
		x.Shape = []int{t.Shape[0], 2 * t.Shape[1]}
		x.View = InTurn{}
	case at.suffix == "weight" && rank == 3:
		x.Shape = []int{t.Shape[0], t.Shape[2], 2 * t.Shape[1]}
		x.View = Transposed{int64(t.Shape[0]), int64(t.Shape[1]), int64(t.Shape[2])}
	default:
		return badfile.Tensor(t.Name, "its shape is %v, want three dimensions, and two for a bias", t.Shape)
	}
	half := 0
	if o == oddOfTwo {
		half = 1
	}
	j, ok := c.names[x.Name]
	if !ok {
		from := []int{-1, -1}
		from[half], x.From = x.From[0], from
		return c.add(x)
	}
	y := &c.tensors[j]
	switch other := y.From[1-half]; {
	case y.From[half] >= 0:
		return c.add(x) // an error
	case !slices.Equal(y.Shape, x.Shape) || c.source.Tensors[other].Type != t.Type:
		o := c.source.Tensors[other]
		return badfile.Tensor(t.Name, "%v of shape %v, but tensor %s is %v of shape %v", t.Type, t.Shape, badfile.Quote(o.Name), o.Type, o.Shape)
	}
	y.From[half] = x.From[0]
	return nil
}

func (c *conversion) add(t Tensor) error {
	if j, ok := c.names[t.Name]; ok {
		from := max(c.tensors[j].From[0], c.tensors[j].From[len(c.tensors[j].From)-1])
		return badfile.Tensor(c.source.Tensors[max(t.From[0], t.From[len(t.From)-1])].Name, "it would become %s, as tensor %s does", badfile.Quote(t.Name), badfile.Quote(c.source.Tensors[from].Name))
	}
	if len(c.tensors) == maxTensors {
		return badfile.New("more than %d tensors (%s)", maxTensors, c.quoted("expert_count"))
	}
	c.names[t.Name] = len(c.tensors)
	c.tensors = append(c.tensors, t)
	return nil
}

// match returns the row of the table for a name of llama.cpp's.
func (c *conversion) match(name string) (row tensor, at place, ok bool, err error) {
	at = place{layer: -1, expert: -1}
	rest, isWeight := strings.CutSuffix(name, ".weight")
	at.suffix = "weight"
	if !isWeight {
		var isBias bool
		if rest, isBias = strings.CutSuffix(name, ".bias"); !isBias {
			return row, at, false, nil
		}
		at.suffix = "bias"
	}
	if s, ok := strings.CutPrefix(rest, "blk."); ok {
		n, after, ok := strings.Cut(s, ".")
		if !ok {
			return row, at, false, nil
		}
		if at.layer, ok = parseIndex(n); !ok || at.layer >= c.layers {
			return row, at, false, fmt.Errorf("it is of layer %.20q, but %s is %d", n, c.quoted("block_count"), c.layers)
		}
		rest = "N." + after
	}
	if i := strings.LastIndexByte(rest, '.'); i >= 0 && at.layer >= 0 {
		if x, ok := parseIndex(rest[i+1:]); ok {
			if x >= c.experts {
				return row, at, false, fmt.Errorf("it is of expert %d, but there are %d", x, c.experts)
			}
			at.expert = x
			rest = rest[:i] + ".X"
		}
	}
	for _, t := range c.family.tensors {
		if t.gguf == rest {
			return t, at, at.suffix == "weight" || t.has == weightBias || t.has == mayBias, nil
		}
	}
	return row, at, false, nil
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
		name = fmt.Sprintf("%s%d.%s", c.family.layers, at.layer, rest)
	}
	if at.expert >= 0 {
		name = strings.Replace(name, ".X.", fmt.Sprintf(".%d.", at.expert), 1)
	}
	switch {
	case !row.op.bare():
		return name + "." + at.suffix
	case at.suffix == "bias":
		return name + "_bias"
	}
	return name
}

// checkComplete returns an error about the first tensor that the family needs and
// the files do not have.
func (c *conversion) checkComplete() error {
	for _, t := range c.tensors {
		if slices.Contains(t.From, -1) {
			return badfile.New("%s is made of two tensors, but only one of them is there", badfile.Quote(t.Name))
		}
	}
	for _, row := range c.family.tensors {
		suffixes := []string{"weight"}
		switch row.has {
		case weightMay:
			continue
		case weightBias:
			suffixes = append(suffixes, "bias")
		}
		layers, each := int64(1), int64(1)
		if strings.HasPrefix(row.hf, "N.") {
			layers = c.layers
		}
		if strings.Contains(row.hf, ".X.") {
			each = c.experts
		}
		for _, suffix := range suffixes {
			for layer := range layers {
				for expert := range each {
					name := c.hfName(row, place{layer, expert, suffix})
					if _, ok := c.names[name]; !ok {
						from := strings.Replace(row.gguf, "N.", fmt.Sprintf("blk.%d.", layer), 1) + "." + suffix
						return badfile.New("tensor %s, which becomes %s, is missing", badfile.Quote(from), badfile.Quote(name))
					}
				}
			}
		}
	}
	return nil
}

// ignored are keys that say nothing about the network, or are checked elsewhere.
var ignored = []string{
	"vocab_size", "attention.key_length", "attention.value_length", "tensor_data_layout", "pooling_type",
}

var ropeKeys = []string{
	"rope.dimension_count", "rope.scale_linear", "rope.scaling.type", "rope.scaling.factor", "rope.scaling.original_context_length",
	"rope.scaling.attn_factor", "rope.scaling.finetuned", "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_attn_factor",
	"rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_log_multiplier",
}

// checkKeys refuses a model with a key that its family does not have, as its network is
// not known.
func (c *conversion) checkKeys() error {
	known := map[string]bool{}
	for _, names := range [][]string{ignored, c.family.known} {
		for _, name := range names {
			known[name] = true
		}
	}
	for _, f := range c.family.fields {
		known[f.key] = true
	}
	if !c.family.noRope {
		for _, name := range ropeKeys {
			known[name] = true
		}
	}
	for _, k := range slices.Sorted(maps.Keys(c.pairs)) {
		name, ok := strings.CutPrefix(k, c.arch+".")
		if !ok || known[name] {
			continue
		}
		if causal, ok := c.pairs[k].(bool); name == "attention.causal" && ok && causal {
			continue
		}
		return unsupportedf("%s is not a known key of the architecture %s", badfile.Quote(k), badfile.Quote(c.arch))
	}
	return nil
}
