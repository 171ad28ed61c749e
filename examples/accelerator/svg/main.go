// Svg draws what examples/accelerator prints, in the manner of the paper's
// figures 7 and 8 (arXiv 2411.11745): speedup and energy of the five designs on
// six language models, and where the layers of one model lie under the roofline
// of one design. It shows how to turn the reports of package accelerator into plots.
//
//	go run -C examples/accelerator/svg . -svg DIRECTORY
//
// writes speedup.svg, energy.svg and roofline.svg there.
package main

import (
	"flag"
	"fmt"
	"image/color"
	"math"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/serial/accelerator"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func main() {
	dir := flag.String("svg", "", "`directory` to write speedup.svg, energy.svg and roofline.svg to")
	model := flag.String("model", "llama-2-7b", "`name` of the model under the roofline")
	flag.Parse()
	if *dir == "" || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "usage: svg -svg DIRECTORY [-model NAME]")
		os.Exit(2)
	}
	if err := write(*dir, *model); err != nil {
		fmt.Fprintln(os.Stderr, "svg:", err)
		os.Exit(1)
	}
}

func write(dir, model string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	e, err := accelerator.Evaluate(accelerator.Models(), accelerator.DefaultSystem())
	if err != nil {
		return err
	}
	speedup := func(base, r accelerator.Result) float64 { return float64(base.Cycles(true)) / float64(r.Cycles(true)) }
	energy := func(base, r accelerator.Result) float64 { return r.Energy(true).Total() / base.Energy(true).Total() }
	if err := bars(e, speedup, "Speedup over FP16, 256 + 20 tokens", filepath.Join(dir, "speedup.svg")); err != nil {
		return err
	}
	if err := bars(e, energy, "Energy relative to FP16, 256 + 20 tokens", filepath.Join(dir, "energy.svg")); err != nil {
		return err
	}
	return roofline(model, filepath.Join(dir, "roofline.svg"))
}

// colors are the designs', in the order of accelerator.Designs.
var colors = []color.Color{
	color.RGBA{0xd6, 0x4f, 0x4f, 255}, color.RGBA{0x8a, 0x8a, 0x8a, 255}, color.RGBA{0x15, 0x64, 0xc0, 255},
	color.RGBA{0xf0, 0xa0, 0x30, 255}, color.RGBA{0x54, 0xb4, 0x32, 255},
}

// bars draws a group of bars for each model, and one for their mean.
func bars(e *accelerator.Evaluation, value func(base, r accelerator.Result) float64, title, file string) error {
	p := plot.New()
	p.Title.Text = title
	p.Legend.Top = true
	p.Y.Min = 0
	p.Add(plotter.NewGrid())
	const width = 9
	names := make([]string, 0, len(e.Models)+1)
	for _, m := range e.Models {
		names = append(names, m.Name)
	}
	for k, first := range e.Results[0] {
		var vs plotter.Values
		mean := 0.
		for _, rs := range e.Results {
			v := value(rs[0], rs[k])
			vs = append(vs, v)
			mean += v / float64(len(e.Results))
		}
		b, err := plotter.NewBarChart(append(vs, mean), vg.Points(width))
		if err != nil {
			return err
		}
		b.Color = colors[k%len(colors)]
		b.LineStyle.Width = 0
		b.Offset = vg.Points(width * float64(k-len(e.Results[0])/2))
		p.Add(b)
		p.Legend.Add(first.Design.Name, b)
	}
	p.NominalX(append(names, "mean")...)
	p.X.Min, p.X.Max = -.5, float64(len(names))+1.7 // room for the outer bars and the legend
	return p.Save(24*vg.Centimeter, 9*vg.Centimeter, file)
}

// roofline draws the layers of a model on BitMoD's lossy setting: multiplications
// a cycle against multiplications per byte of DRAM traffic, under what the
// array and the memory allow.
func roofline(model, file string) error {
	m, err := accelerator.FindModel(model)
	if err != nil {
		return err
	}
	s, d := accelerator.DefaultSystem(), accelerator.BitMoDLossy()
	// The reference's attention products are not those of mathematics; head by
	// head they are.
	s.PerHeadAttention = true
	p := plot.New()
	p.Title.Text = m.Name + " on " + d.Name
	p.X.Label.Text, p.Y.Label.Text = "MACs per byte", "MACs per cycle"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Add(plotter.NewGrid())
	for i, t := range []struct {
		name string
		task accelerator.Task
	}{{"prefill", accelerator.Discriminative()}, {"generation", accelerator.Generative()}} {
		r, err := accelerator.Simulate(d, m, t.task, s)
		if err != nil {
			return err
		}
		peak := d.PeakMACs(t.task)
		var roof, layers plotter.XYs
		bytes := s.DRAMBits / 8
		for _, x := range []float64{.5, peak / bytes, 1000} {
			roof = append(roof, plotter.XY{X: x, Y: math.Min(peak, x*bytes)})
		}
		for _, l := range r.Layers {
			layers = append(layers, plotter.XY{X: l.MACs / float64(l.Traffic), Y: l.MACs / float64(l.Cycles())})
		}
		line, err := plotter.NewLine(roof)
		if err != nil {
			return err
		}
		dots, err := plotter.NewScatter(layers)
		if err != nil {
			return err
		}
		line.Color, dots.Color, dots.Shape = colors[2*i], colors[2*i], draw.CircleGlyph{}
		p.Add(line, dots)
		p.Legend.Add(t.name, line, dots)
	}
	return p.Save(14*vg.Centimeter, 10*vg.Centimeter, file)
}
