package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// scale is the command of that name.
func scale(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	collect(100)
	fs := newFlags()
	var (
		o llm.ScaleOptions
		c calibration
	)
	out := fs.String("out", "", "`file` or directory to write")
	fs.TextVar(&o.Config.Type, "type", datatype.BitMoD4, "data `type` that the result will be quantized to")
	fs.IntVar(&o.Config.GroupSize, "group", 0, "number of `columns` that will share a scale; 0 is the type's default, 128 for most types")
	fs.IntVar(&o.Config.Workers, "workers", 0, "number of goroutines; 0 is one per processor")
	fs.BoolVar(&o.Config.Search, "search", false, "choose scales for a result that will be quantized with -search")
	feedback := fs.Bool("feedback", false, "choose scales for a result that will be quantized with -calibrate")
	fs.StringVar(&c.text, "calibrate", "", "choose scales with the text in `file`; the name default stands for the module's own text")
	fs.IntVar(&c.samples, "nsamples", 0, "number of `texts` to choose scales with, and with -feedback of other texts to compare them on, from all over the file; 0 is enough for 16,384 tokens")
	fs.IntVar(&c.length, "length", 0, "number of `tokens` in each text; 0 is 512")
	fs.Uint64Var(&c.seed, "seed", 1, "`number` that chooses the places of the texts in the file")
	overwrite := fs.Bool("overwrite", false, "replace a model that is there")
	paths, err := cli.Parse(fs, usage, args, stderr, "the model")
	if err != nil {
		return err
	}
	switch {
	case *out == "":
		return cli.Usagef("-out is missing")
	case c.text == "":
		return cli.Usagef("-calibrate is missing")
	case c.isStatistics():
		return cli.Usagef("-calibrate is %s: scales need a text", c.text)
	case c.samples < 0 || c.length < 0:
		return cli.Usagef("-nsamples is %d and -length %d, want 0 or more", c.samples, c.length)
	}
	if *feedback {
		o.Config.Search, o.Config.Feedback = true, calibrate.GPTQ().Feedback
	}
	source, err := checkpoint.Open(paths[0])
	if err != nil {
		return err
	}
	defer source.Close()
	if err := free(paths[0], *out, *overwrite); err != nil {
		return err
	}
	if isEncoder(source) {
		return fmt.Errorf("%s is an encoder: scale works for language models only", paths[0])
	}
	f, err := llm.OpenFile(paths[0])
	if err != nil {
		return err
	}
	defer f.Close()
	if o.Texts, o.Held, err = c.scaleTexts(f, *feedback); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "choosing scales with %s of up to %d tokens from %s", plural(len(o.Texts), "text", "texts"), len(o.Texts[0]), c.shown())
	if *feedback {
		fmt.Fprintf(stdout, ", and comparing them on %d others", len(o.Held))
	}
	fmt.Fprintln(stdout)
	report := &scaleReport{w: stdout}
	o.Report = report.add
	s, err := f.ScaleChannels(ctx, o)
	if err != nil {
		return err
	}
	report.flush()
	for _, why := range s.Skipped {
		fmt.Fprintf(stdout, "no scales for %s\n", why)
	}
	fmt.Fprintf(stdout, "%s changed, others copied\n", plural(s.Scaled(), "tensor is", "tensors are"))
	return writeScaled(ctx, source, s, *out, *overwrite, stdout, stderr)
}

// scaleTexts returns texts to choose scales with, the same as quantizing takes, and if
// compare is set as many others to compare them on.
func (c *calibration) scaleTexts(f *llm.File, compare bool) (texts, held [][]int, err error) {
	text, err := c.read()
	if err != nil {
		return nil, nil, err
	}
	if !compare {
		texts, err = c.decoderTexts(f, text)
		return texts, nil, err
	}
	own := *c
	count, _ := c.size(decoderLength, f.Config.Context)
	own.samples = 2 * count
	all, err := own.decoderTexts(f, text)
	if err != nil {
		return nil, nil, err
	}
	if len(all) < 2 {
		return nil, nil, fmt.Errorf("%s: one text of %d tokens, want at least two: one to choose scales with, and one to compare them on", c.text, len(all[0]))
	}
	half := len(all) / 2
	return all[:half], all[half:], nil
}

// free returns an error unless a model may be written to out.
func free(source, out string, overwrite bool) error {
	a, err := os.Stat(source)
	if err != nil {
		return err
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return fmt.Errorf("%s: %w: it is the model to scale", out, checkpoint.ErrExists)
	}
	if overwrite {
		return nil
	}
	there, err := checkpoint.Open(out)
	if err != nil {
		return nil // and if it is something else, Save leaves it alone
	}
	there.Close()
	return fmt.Errorf("%s: %w: a model is there; -overwrite replaces it", out, checkpoint.ErrExists)
}

func writeScaled(ctx context.Context, source *checkpoint.Checkpoint, s *llm.Scaling, out string, overwrite bool, stdout, stderr io.Writer) error {
	metadata := source.Metadata()
	maps.DeleteFunc(metadata, func(key, _ string) bool { return strings.HasPrefix(key, "gguf.") })
	metadata["format"] = "pt" // transformers opens no file without it
	bar := newProgress(stderr)
	err := checkpoint.Save(ctx, out, s.Entries(), checkpoint.SaveOptions{Metadata: metadata, Progress: bar.update})
	bar.end()
	if err != nil {
		return err
	}
	r := &checkpoint.Result{}
	if !strings.HasSuffix(out, ".safetensors") {
		scaled, err := checkpoint.Open(out)
		if err != nil {
			return err
		}
		defer scaled.Close()
		if r.Companions, err = checkpoint.CopyCompanions(ctx, source, out, scaled.Tensors(), overwrite); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%s is written\n", out)
	listCompanions(stdout, out, r)
	return nil
}

// A scaleReport prints what scales gain in each layer.
type scaleReport struct {
	w     io.Writer
	layer int
	names []string
	sums  map[string][2]float64 // of errors, by name: with scales and without
}

func (r *scaleReport) add(x llm.ScaledInput) {
	if x.Layer != r.layer || r.sums == nil {
		r.flush()
		r.layer, r.names, r.sums = x.Layer, nil, make(map[string][2]float64)
	}
	sum, ok := r.sums[x.Matrices]
	if !ok {
		r.names = append(r.names, x.Matrices)
	}
	r.sums[x.Matrices] = [2]float64{sum[0] + x.Error, sum[1] + x.Unscaled}
}

// flush prints the line of a layer.
func (r *scaleReport) flush() {
	if r.sums == nil {
		return
	}
	var list []string
	for _, name := range r.names {
		change := 0.
		if s := r.sums[name]; s[0] != s[1] {
			change = 10 * math.Log10(s[0]/s[1])
		}
		list = append(list, fmt.Sprintf("%s %+.2f dB", name, change))
	}
	fmt.Fprintf(r.w, "layer %d: error of outputs: %s\n", r.layer, strings.Join(list, ", "))
}
