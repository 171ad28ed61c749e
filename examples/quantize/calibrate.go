package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strings"

	"github.com/bitmod-go/bitmod/internal/generaltext"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/internal/llm/encoder"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A calibration has the settings of -calibrate.
type calibration struct {
	text    string // the file
	samples int
	length  int
	seed    uint64
	options calibrate.Options
}

// wouldGive is printed without -calibrate.
const wouldGive = "codes depend on the weights alone, as in the paper; with -calibrate TEXT they also depend on the inputs of layers, which reduced the divergence of SmolLM2-135M at 3 bits to a third"

// A network is a model that is reading texts.
type network interface {
	calibrate.Network
	Close()
}

// open opens the model of a checkpoint and starts reading the texts.
func (c *calibration) open(source *checkpoint.Checkpoint, stdout io.Writer) (network, func(), error) {
	text, err := c.read()
	if err != nil {
		return nil, nil, err
	}
	var (
		f io.Closer
		n network
	)
	if isEncoder(source) {
		var e *encoder.File
		if e, err = encoder.OpenFile(source.Path()); err != nil {
			return nil, nil, err
		}
		f = e
		n, err = c.encoder(e, text, stdout)
	} else {
		var d *llm.File
		if d, err = llm.OpenFile(source.Path()); err != nil {
			return nil, nil, err
		}
		f = d
		n, err = c.decoder(d, text, stdout)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return n, func() { n.Close(); f.Close() }, nil
}

// isEncoder reports whether config.json says that a model is one.
func isEncoder(source *checkpoint.Checkpoint) bool {
	data, err := fs.ReadFile(source.Companions(), "config.json")
	if err != nil {
		return false // which the engine will say
	}
	var config struct {
		ModelType string `json:"model_type"`
	}
	return json.Unmarshal(data, &config) == nil && encoder.Known(config.ModelType)
}

// Defaults of -nsamples, in tokens, and of -length, for language models and encoders.
const (
	defaultTokens = 16384
	decoderLength = 512
	encoderLength = 64
)

// sample returns texts of at most most tokens.
func (c *calibration) sample(t tokenizer, text string, length, most int) ([][]int, error) {
	tokens, err := t.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.text, err)
	}
	count, length := c.size(length, most)
	before, after := t.Around()
	texts, err := calibrate.Sample(tokens, before, after, count, length, c.seed)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.text, err)
	}
	return texts, nil
}

// size returns the number of texts, and their length: the given one unless -length is
// set, and at most most.
func (c *calibration) size(length, most int) (count, tokens int) {
	if c.length > 0 {
		length = c.length
	}
	length = min(length, most)
	if c.samples > 0 {
		return c.samples, length
	}
	return (defaultTokens + length - 1) / length, length
}

// A tokenizer is the tokenizer of a language model or of an encoder.
type tokenizer interface {
	Encode(text string) ([]int, error)
	Around() (before, after []int)
}

// defaultText in the place of a file is the text that the module has.
const defaultText = "default"

// read returns the text.
func (c *calibration) read() (string, error) {
	if c.text == defaultText {
		return generaltext.Text, nil
	}
	data, err := os.ReadFile(c.text)
	return string(data), err
}

// isStatistics reports whether the file has statistics and not text.
func (c *calibration) isStatistics() bool {
	return strings.HasSuffix(c.text, ".gguf") || strings.HasSuffix(c.text, ".safetensors")
}

// statistics returns the statistics of a file, by the names of tensors in source.
func (c *calibration) statistics(source *checkpoint.Checkpoint) (*calibrate.Statistics, error) {
	s, err := calibrate.Load(c.text)
	if err != nil {
		return nil, err
	}
	if _, ok := source.Tensor(s.Tensors()[0]); !ok {
		s.Rename(calibrate.HuggingFaceName)
	}
	return s, nil
}

// static returns the calibrator of a file of statistics.
func (c *calibration) static(w io.Writer, source *checkpoint.Checkpoint) (checkpoint.Calibrator, error) {
	s, err := c.statistics(source)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, name := range s.Tensors() {
		if _, ok := source.Tensor(name); ok {
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("%s has no statistics of tensors of %s", c.text, source.Path())
	}
	fmt.Fprintf(w, "calibrating with statistics of %s from %s\n", plural(n, "tensor", "tensors"), show(c.text))
	return calibrate.NewStatic(s, c.options), nil
}

// decoder returns the network of a language model.
func (c *calibration) decoder(f *llm.File, text string, stdout io.Writer) (network, error) {
	texts, err := c.decoderTexts(f, text)
	if err != nil {
		return nil, err
	}
	c.list(stdout, texts)
	return f.NewNetwork(texts, c.options.Correction != 0)
}

func (c *calibration) decoderTexts(f *llm.File, text string) ([][]int, error) {
	t, err := f.Tokenizer("")
	if err != nil {
		return nil, err
	}
	return c.sample(t, text, decoderLength, f.Config.Context)
}

// encoder returns the network of an encoder.
func (c *calibration) encoder(f *encoder.File, text string, stdout io.Writer) (network, error) {
	t, err := f.Tokenizer()
	if err != nil {
		return nil, err
	}
	texts, err := c.sample(t, text, encoderLength, f.Config.MaxTokens())
	if err != nil {
		return nil, err
	}
	c.list(stdout, texts)
	return f.NewNetwork(texts, c.options.Correction != 0)
}

func (c *calibration) list(w io.Writer, texts [][]int) {
	fmt.Fprintf(w, "calibrating with %s of up to %d tokens from %s\n", plural(len(texts), "text", "texts"), len(texts[0]), c.shown())
}

// shown returns what is read, for people.
func (c *calibration) shown() string {
	if c.text == defaultText {
		return "the module's own text"
	}
	return show(c.text)
}

// gains prints what calibration gained in each layer.
type gains struct {
	w     io.Writer
	clear func()         // makes room for a line
	sum   calibrate.Gain // of the layer under way
}

func (g *gains) add(x calibrate.Gain) {
	if x.Layer != g.sum.Layer {
		g.flush()
		g.sum = calibrate.Gain{Layer: x.Layer}
	}
	g.sum.Vectors = max(g.sum.Vectors, x.Vectors)
	g.sum.Plain += x.Plain
	g.sum.Calibrated += x.Calibrated
}

// flush prints the line of a layer.
func (g *gains) flush() {
	s := g.sum
	if s.Vectors == 0 {
		return
	}
	g.clear()
	fmt.Fprintf(g.w, "layer %d: error of outputs %.4g with the paper's choice, %.4g calibrated: %+.2f dB (%d vectors)\n",
		s.Layer, s.Plain, s.Calibrated, 10*math.Log10(s.Calibrated/s.Plain), s.Vectors)
	g.sum.Vectors = 0
}

// start returns the calibrator of a run, its gains, of which the last layer's is to be
// flushed, and a function to call at the end. clear makes room for a line.
func (c *calibration) start(source *checkpoint.Checkpoint, stdout io.Writer, clear func()) (checkpoint.Calibrator, *gains, func(), error) {
	n, end, err := c.open(source, stdout)
	if err != nil {
		return nil, nil, nil, err
	}
	g := &gains{w: stdout, clear: clear}
	o := c.options
	o.Report = g.add
	return calibrate.NewSequential(n, o), g, end, nil
}
