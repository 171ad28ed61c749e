package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/bitmod-go/bitmod/serial/accelerator"
)

// A table prints, and remembers the first error.
type table struct {
	w   io.Writer
	err error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

// aligned calls f with a table whose cells, separated by tabs, line up.
func (t *table) aligned(f func(t *table)) {
	w := tabwriter.NewWriter(t.w, 0, 0, 2, ' ', tabwriter.AlignRight)
	in := table{w: w, err: t.err}
	f(&in)
	if t.err = in.err; t.err == nil {
		t.err = w.Flush()
	}
}

func (t *table) cycles(e *accelerator.Evaluation) {
	t.printf("Million cycles: one pass of 256 tokens, and one token after them\n\n")
	t.aligned(func(t *table) {
		t.printf("\t")
		for _, r := range e.Results[0] {
			t.printf("%s\ttoken\t", r.Design.Name)
		}
		t.printf("\n")
		for i, rs := range e.Results {
			t.printf("%s\t", e.Models[i].Name)
			for _, r := range rs {
				t.printf("%.1f\t%.2f\t", float64(r.Discriminative.Cycles)/1e6, float64(r.Generative.Cycles)/1e6)
			}
			t.printf("\n")
		}
	})
}

// paper has the speedups of arXiv 2411.11745, figure 7 and abstract.
var paper = map[string]accelerator.Comparison{
	"fp16":  {Discriminative: 1.99, Generative: 2.41},
	"ant":   {Discriminative: 1.72, Generative: 1.66, Overall: 1.69},
	"olive": {Discriminative: 1.56, Generative: 1.39, Overall: 1.48},
}

func (t *table) speedups(e *accelerator.Evaluation, beside bool) {
	t.printf("\nSpeedup of BitMoD (lossless over fp16, lossy over the others), mean over the models;\n" +
		"generative: the pass and 20 tokens\n\n")
	t.aligned(func(t *table) {
		t.printf("\tdiscriminative\tgenerative\toverall\t")
		if beside {
			t.printf("paper:\tdiscriminative\tgenerative\toverall\t")
		}
		t.printf("\n")
		for _, over := range []string{"fp16", "ant", "olive"} {
			s, p := e.Speedup(over), paper[over]
			t.printf("over %s\t%.3f\t%.3f\t%.3f\t", over, s.Discriminative, s.Generative, s.Overall)
			switch {
			case beside && p.Overall == 0:
				t.printf("\t%.2f\t%.2f\t\t", p.Discriminative, p.Generative)
			case beside:
				t.printf("\t%.2f\t%.2f\t%.2f\t", p.Discriminative, p.Generative, p.Overall)
			}
			t.printf("\n")
		}
	})
}

func (t *table) energy(e *accelerator.Evaluation) {
	t.printf("\nArea of the elements, and energy relative to fp16, mean over the models\n\n")
	t.aligned(func(t *table) {
		t.printf("\tmm²\tdiscriminative\tgenerative\t\n")
		for _, r := range e.Results[0] {
			d := r.Design
			_, disc := e.Relative(d.Name, false)
			_, gen := e.Relative(d.Name, true)
			t.printf("%s\t%.2f\t%.3f\t%.3f\t\n", d.Name, float64(d.Prefill.Rows*d.Prefill.Cols)*d.PEArea/1e6, disc, gen)
		}
	})
}

// layers prints the bound of each kind of layer, in both tasks.
func (t *table) layers(o *options) error {
	for _, d := range accelerator.Designs(o.model.Name) {
		if d.Name != o.design {
			continue
		}
		d.Prefill, d.Decode = o.override(d.Prefill), o.override(d.Decode)
		for _, pass := range []struct {
			array accelerator.Array
			task  accelerator.Task
		}{
			{d.Prefill, accelerator.Task{Tokens: o.tokens, Context: o.context}},
			{d.Decode, accelerator.Task{Tokens: 1, Context: o.context, Decode: true}},
		} {
			a, task := pass.array, pass.task
			r, err := accelerator.Simulate(d, o.model, task, o.system)
			if err != nil {
				return err
			}
			t.printf("\n%s on %s, %d × %d elements, %g-bit weights: %d new tokens, context %d\n\n",
				o.model.Name, d.Name, a.Rows, a.Cols, a.WeightBits, task.Tokens, task.Context)
			t.aligned(func(t *table) {
				t.printf("layer\tcount\tcompute cycles\tDRAM cycles\tof all\tMACs/byte\tbound by\t\n")
				for _, l := range r.Layers {
					t.printf("%s\t%d\t%d\t%d\t%.1f %%\t%.1f\t%s\t\n", l.Name, l.Count, l.Compute, l.DRAM,
						100*float64(l.Count)*float64(l.Cycles())/float64(r.Cycles), l.MACs/float64(l.Traffic), l.Bound())
				}
			})
			ms := float64(r.Cycles) / clock * 1e3
			t.printf("\n%d cycles, %.2f ms (%.1f tokens/s), %.1f mJ (%.0f %% DRAM)\n",
				r.Cycles, ms, float64(task.Tokens)/ms*1e3, r.Energy.Total()/1e9, 100*r.Energy.DRAM/r.Energy.Total())
		}
	}
	return nil
}

// override puts the fields that are given on the command line into a.
func (o *options) override(a accelerator.Array) accelerator.Array {
	if o.array.Rows != 0 {
		a.Rows = o.array.Rows
	}
	if o.array.Cols != 0 {
		a.Cols = o.array.Cols
	}
	if o.array.WeightBits != 0 {
		a.WeightBits = o.array.WeightBits
	}
	return a
}
