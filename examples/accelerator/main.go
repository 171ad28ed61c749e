// Accelerator shows the gains of the paper's hardware (arXiv 2411.11745). It prints cycles,
// speedups and energy of BitMoD's accelerator, an FP16 design, ANT and OliVe for six
// language models, beside the paper's figures. For one model and design it prints what
// limits each layer. Package serial/accelerator makes the figures. The model, array,
// bandwidth, precision and context may be your own:
//
//	go run ./examples/accelerator                  # the paper's tables
//	go run ./examples/accelerator -json
//	go run ./examples/accelerator -model ~/Llama-3.2-1B/config.json -context 4096
//	go run ./examples/accelerator -model llama-3-8b -bits 4.08 -bandwidth 64 -rows 64 -cols 32
//
// Compare the speedups with the paper's. In the last table, see "bound by": one token at
// a time, every layer waits for memory, so bits count and arithmetic does not.
//
// With -svg DIRECTORY, the program runs examples/accelerator/svg, which draws plots of
// the same figures. That is a separate module because of its dependencies.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/serial/accelerator"
)

func main() { cli.Main("accelerator", run) }

const usage = `usage: go run ./examples/accelerator [flags]

Compares the accelerators of the BitMoD paper.
`

func run(_ context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.svg != "" {
		return draw(o.svg, stdout, stderr)
	}
	return o.print(stdout)
}

// plots is the module that draws, from the root of the repository.
const plots = "examples/accelerator/svg"

// draw runs that module with the go command, which may have to download its
// dependencies.
func draw(dir string, stdout, stderr io.Writer) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(plots, "go.mod")); err != nil {
		return fmt.Errorf("-svg works in the root folder of the repository: %w", err)
	}
	c := exec.Command("go", "run", "-C", plots, ".", "-svg", dir)
	c.Stdout, c.Stderr = stdout, stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return nil
}

// clock is the clock of the paper's designs, in Hz. The model itself counts cycles.
const clock = 1e9

type options struct {
	json    bool
	svg     string
	models  []accelerator.Model // of the tables
	model   accelerator.Model   // of the layers
	design  string
	array   accelerator.Array // zero fields: the design's own
	tokens  int
	context int
	system  accelerator.System
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{system: accelerator.DefaultSystem()}
	fs := flag.NewFlagSet("accelerator", flag.ContinueOnError)
	fs.BoolVar(&o.json, "json", false, "print only speedups and cycles, as JSON")
	model := fs.String("model", "", "`name` of one of the paper's models, or the path of a config.json, for all tables; by default these show six models, and the layers of llama-2-7b")
	fs.StringVar(&o.design, "design", "bitmod_lossy", "`name` of the design to show layer by layer: fp16, bitmod_lossless, bitmod_lossy, ant or olive")
	fs.Float64Var(&o.array.WeightBits, "bits", 0, "weight `bits` of that design")
	fs.IntVar(&o.array.Rows, "rows", 0, "`rows` of that design's array: output channels at a time")
	fs.IntVar(&o.array.Cols, "cols", 0, "`columns` of that design's array: tokens at a time")
	fs.IntVar(&o.tokens, "tokens", 256, "number of new `tokens` in the first pass that is shown layer by layer")
	fs.IntVar(&o.context, "context", 256, "number of `tokens` of context in the passes that are shown layer by layer")
	bandwidth := fs.Float64("bandwidth", 32, "bandwidth of DRAM in `GB/s`, for all tables")
	fs.BoolVar(&o.system.PerHeadAttention, "per-head", false, "count attention head by head, unlike the paper's simulator")
	fs.StringVar(&o.svg, "svg", "", "only draw speedup.svg, energy.svg and roofline.svg in `directory`; needs a clone of the repository and the go command")
	if _, err := cli.Parse(fs, usage, args, stderr); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(accelerator.Designs(""), func(d accelerator.Design) bool { return d.Name == o.design }) {
		return nil, cli.Usagef("-design: no design %q", o.design)
	}
	o.system.DRAMBits = *bandwidth * 8 * 1e9 / clock
	o.models = accelerator.Models()
	name := *model
	if name == "" {
		name = "llama-2-7b"
	}
	var err error
	if o.model, err = load(name); err != nil {
		return nil, cli.Usagef("-model: %w", err)
	}
	if *model != "" {
		o.models = []accelerator.Model{o.model}
	}
	return o, nil
}

// load finds a model by name, or reads a config.json.
func load(name string) (accelerator.Model, error) {
	if filepath.Ext(name) != ".json" && !strings.ContainsRune(name, filepath.Separator) {
		return accelerator.FindModel(name)
	}
	config, err := os.ReadFile(name)
	if err != nil {
		return accelerator.Model{}, err
	}
	m, err := accelerator.ParseModel(config)
	if err != nil {
		return accelerator.Model{}, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

func (o *options) print(w io.Writer) error {
	e, err := accelerator.Evaluate(o.models, o.system)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(w, e)
	}
	t := table{w: w}
	t.cycles(e)
	t.speedups(e, len(o.models) == len(accelerator.Models()) && o.system.DRAMBits == 256 && !o.system.PerHeadAttention)
	t.energy(e)
	if err := t.layers(o); err != nil {
		return err
	}
	return t.err
}

type tasks[T int64 | float64] struct {
	Discriminative T `json:"discriminative"`
	Generative     T `json:"generative"`
}

type speedup struct {
	tasks[float64]
	Overall float64 `json:"overall"`
}

// printJSON prints the speedups of BitMoD by the design that it is compared
// with, and the cycles by design and model, the generative ones for one token.
func printJSON(w io.Writer, e *accelerator.Evaluation) error {
	out := struct {
		Speedup map[string]speedup                 `json:"speedup"`
		Cycles  map[string]map[string]tasks[int64] `json:"cycles"`
	}{map[string]speedup{}, map[string]map[string]tasks[int64]{}}
	for _, name := range []string{"fp16", "ant", "olive"} {
		s := e.Speedup(name)
		out.Speedup[name] = speedup{tasks[float64]{s.Discriminative, s.Generative}, s.Overall}
	}
	for i, rs := range e.Results {
		for _, r := range rs {
			name := r.Design.Name
			if out.Cycles[name] == nil {
				out.Cycles[name] = map[string]tasks[int64]{}
			}
			out.Cycles[name][e.Models[i].Name] = tasks[int64]{r.Discriminative.Cycles, r.Generative.Cycles}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}
