package main

import (
	"context"
	"fmt"
	"io"
	"regexp"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// bitsTypes are those among which -bits chooses, by tensor.
var bitsTypes = []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int5Asym, datatype.Int6Asym, datatype.Int8}

// worthTexts is the number of texts that say what a bit is worth: a backward pass takes
// twice as long as a forward pass.
const worthTexts = 4

// shareOut adds a rule for each tensor, so that all of the result, with what is kept,
// takes o.bits bits for a weight, or just below, and the loss of the model is least by
// what calibration says of it.
func (o *options) shareOut(ctx context.Context, w io.Writer, source *checkpoint.Checkpoint) error {
	if isEncoder(source) {
		return fmt.Errorf("-bits is for language models alone, as it goes by the loss of their predictions")
	}
	f, err := llm.OpenFile(source.Path())
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := o.calibration.read()
	if err != nil {
		return err
	}
	texts, err := o.calibration.decoderTexts(f, data)
	if err != nil {
		return err
	}
	configs := make([]quant.Config, len(bitsTypes))
	for i, t := range bitsTypes {
		configs[i] = quant.Config{Type: t, GroupSize: o.config.GroupSize, Workers: o.config.Workers}
	}
	worths, err := f.Worths(ctx, texts[:min(worthTexts, len(texts))], configs)
	if err != nil {
		return err
	}
	budget := 0.0
	rest := make(map[string]bool)
	for _, x := range worths {
		rest[x.Tensor] = true
	}
	kept := int64(0)
	for _, t := range source.Tensors() {
		budget += o.bits / 8 * float64(t.Elements())
		if !rest[t.Name] {
			kept += t.Bytes
		}
	}
	choices := make([][]quant.Choice, len(worths))
	for i, x := range worths {
		choices[i] = x.Choices
	}
	picked, err := quant.Allot(choices, int(budget)-int(kept))
	if err != nil {
		return fmt.Errorf("%v bits a weight: %w", o.bits, err)
	}
	loss := 0.0
	for i, x := range worths {
		p := "re:^" + regexp.QuoteMeta(x.Tensor) + "$"
		o.rules.Types = append(o.rules.Types, checkpoint.TypeRule{Pattern: p, Type: bitsTypes[picked[i]], GroupSize: o.config.GroupSize})
		loss += x.Choices[picked[i]].Loss
	}
	fmt.Fprintf(w, "types of %s for %v bits a weight: errors add about %.3g nats to the loss of a token without feedback\n", plural(len(worths), "tensor", "tensors"), o.bits, loss)
	return nil
}
