package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// bitsConfigs returns the configurations that -bits chooses from. More of them gain
// little: with 23, the expected loss of SmolLM2-135M at 3.5 to 6.1 bits falls by 8 to 29 %,
// and a matrix of many parts takes longer to multiply. Minifloats of 5 and 6 bits cost its
// layers two thirds of the loss of integers. With many bits, types of 3 bits are left out
// for integers of 7 bits and of 8 in small groups, which take away 12 % of the expected loss
// at 6.15 bits, 22 % at 6.55 and 25 % at 8.5. With few bits those gain nothing.
func bitsConfigs(bits float64) []quant.Config {
	if bits > manyBits {
		return []quant.Config{
			{Type: datatype.BitMoD4, GroupSize: 32}, {Type: datatype.FP5E2M2, GroupSize: 64}, {Type: datatype.FP6E2M3, GroupSize: 64},
			{Type: datatype.Int7, GroupSize: 32}, {Type: datatype.Int8, GroupSize: 32}, {Type: datatype.Int8, GroupSize: 16},
		}
	}
	return []quant.Config{
		{Type: datatype.BitMoD3, GroupSize: 128}, {Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.BitMoD4, GroupSize: 32},
		{Type: datatype.FP5E2M2, GroupSize: 64}, {Type: datatype.FP6E2M3, GroupSize: 64}, {Type: datatype.Int8, GroupSize: 32},
	}
}

// manyBits is the largest number of bits for which types of 3 bits are worth their place.
const manyBits = 5.5

// shareOut gives each row, or all rows of a tensor, a type and a group size. All quantized
// tensors together, embedding and head included, take at most o.bits bits a weight, with
// the least expected loss.
func (o *options) shareOut(ctx context.Context, w io.Writer, source *checkpoint.Checkpoint) error {
	tensors, err := o.toShare(source)
	if err != nil {
		return err
	}
	a, err := o.assess(ctx, source, tensors)
	if err != nil {
		return err
	}
	byRow := a.byRow && !o.byTensor
	var choices [][]quant.Cost
	budget := 0.0
	for i := range a.worths {
		x := &a.worths[i]
		budget += o.bits / 8 * float64(x.Rows()) * float64(x.Cols)
		if byRow {
			choices = append(choices, rowChoices(x)...)
		} else {
			choices = append(choices, tensorChoices(x))
		}
	}
	picked, err := quant.Allot(choices, int(budget))
	if err != nil {
		return fmt.Errorf("%v bits a weight: %w", o.bits, err)
	}
	o.rules.Mixed = make(map[string]checkpoint.Mixed)
	var parts []checkpoint.Part
	for _, c := range bitsConfigs(o.bits) {
		parts = append(parts, checkpoint.Part{Type: c.Type, GroupSize: c.GroupSize})
	}
	n := 0
	weights := make(map[checkpoint.Part]int)
	for i := range a.worths {
		x := &a.worths[i]
		order := make([]uint8, x.Rows())
		for row := range order {
			order[row] = picked[n]
			if byRow {
				n++
			}
			weights[parts[order[row]]] += x.Cols
		}
		if !byRow {
			n++
		}
		o.rules.Mixed[x.Tensor] = checkpoint.Mixed{Parts: parts, Order: order}
	}
	fmt.Fprintf(w, "chose the types of %s for %v bits a weight by %s\n", plural(len(a.worths), "tensor", "tensors"), o.bits, a.measure)
	total := 8 * budget / o.bits
	for _, p := range slices.SortedFunc(maps.Keys(weights), func(a, b checkpoint.Part) int { return slices.Index(parts, a) - slices.Index(parts, b) }) {
		fmt.Fprintf(w, "  %4.1f %% of the weights are %v in groups of %d\n", 100*float64(weights[p])/total, p.Type, p.GroupSize)
	}
	return nil
}

// toShare returns the tensors that a plan quantizes, including embedding and head.
func (o *options) toShare(source *checkpoint.Checkpoint) ([]checkpoint.Tensor, error) {
	other := *o
	other.rules.Types = nil
	if len(o.rules.Include) == 0 {
		other.rules.Include = []string{"linear", "embeddings", "head"}
	}
	plan, err := checkpoint.NewPlan(source, other.planOptions())
	if err != nil {
		return nil, err
	}
	var tensors []checkpoint.Tensor
	for _, it := range plan.Items() {
		if it.To.Quantized && !it.From.Quantized {
			tensors = append(tensors, it.To)
		}
	}
	return tensors, nil
}

func tensorChoices(x *llm.Worth) []quant.Cost {
	choices := make([]quant.Cost, len(x.RowBytes))
	for c, bytes := range x.RowBytes {
		choices[c].Bytes = bytes * x.Rows()
		for _, l := range x.Losses[c] {
			choices[c].Loss += float64(l)
		}
	}
	return choices
}

func rowChoices(x *llm.Worth) [][]quant.Cost {
	rows := make([][]quant.Cost, x.Rows())
	for row := range rows {
		for c, bytes := range x.RowBytes {
			// One more byte holds the type of the row.
			rows[row] = append(rows[row], quant.Cost{Bytes: bytes + 1, Loss: float64(x.Losses[c][row])})
		}
	}
	return rows
}
