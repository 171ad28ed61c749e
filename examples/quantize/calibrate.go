package main

import (
	"fmt"
	"io"
	"math"
	"os"

	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// A calibration is what -calibrate asks for.
type calibration struct {
	text    string // the file
	samples int
	length  int
	seed    uint64
	options calibrate.Options
}

// wouldGive is printed without -calibrate.
const wouldGive = "codes are chosen by the weights alone, as the paper does; with -calibrate TEXT by what the model makes of a text, which leaves less than half of the divergence at 3 bits"

// A network is a model that texts are on their way through.
type network interface {
	calibrate.Network
	Close()
}

// open opens the model at path, and starts the texts on their way.
func (c *calibration) open(path string, stdout io.Writer) (network, func(), error) {
	data, err := os.ReadFile(c.text)
	if err != nil {
		return nil, nil, err
	}
	f, err := llm.OpenFile(path)
	if err != nil {
		return nil, nil, err
	}
	n, err := c.decoder(f, string(data), stdout)
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return n, func() { n.Close(); f.Close() }, nil
}

// decoder returns the network of a language model.
func (c *calibration) decoder(f *llm.File, text string, stdout io.Writer) (network, error) {
	t, err := f.Tokenizer("")
	if err != nil {
		return nil, err
	}
	tokens, err := t.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.text, err)
	}
	before := []int{f.Config.BOS}
	texts, err := calibrate.Sample(tokens, before, nil, c.samples, min(c.length, f.Config.Context), c.seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.text, err)
	}
	c.list(stdout, texts)
	return f.NewNetwork(texts)
}

func (c *calibration) list(w io.Writer, texts [][]int) {
	fmt.Fprintf(w, "calibrating with %s of up to %d tokens of %s\n", plural(len(texts), "text", "texts"), len(texts[0]), show(c.text))
}

// gains prints what calibration gained in each step.
type gains struct {
	w     io.Writer
	clear func()         // makes room for a line
	sum   calibrate.Gain // of the step under way
}

func (g *gains) add(x calibrate.Gain) {
	if x.Step != g.sum.Step {
		g.flush()
		g.sum = calibrate.Gain{Step: x.Step}
	}
	g.sum.Vectors = max(g.sum.Vectors, x.Vectors)
	g.sum.Plain += x.Plain
	g.sum.Calibrated += x.Calibrated
}

// flush prints the line of a step.
func (g *gains) flush() {
	s := g.sum
	if s.Vectors == 0 {
		return
	}
	g.clear()
	fmt.Fprintf(g.w, "step %d: error of outputs %.4g with the paper's choice, %.4g calibrated: %+.2f dB (%d vectors)\n",
		s.Step, s.Plain, s.Calibrated, 10*math.Log10(s.Calibrated/s.Plain), s.Vectors)
	g.sum.Vectors = 0
}

// start returns the calibrator of a run, and what is to be called at its end. clear
// makes room for a line.
func (c *calibration) start(path string, stdout io.Writer, clear func()) (*calibrate.Sequential, func(), error) {
	n, end, err := c.open(path, stdout)
	if err != nil {
		return nil, nil, err
	}
	s := calibrate.NewSequential(n, c.options)
	g := &gains{w: stdout, clear: clear}
	s.Report = g.add
	return s, func() { g.flush(); end() }, nil
}
