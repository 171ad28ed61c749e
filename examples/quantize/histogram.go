package main

import (
	"fmt"
	"html/template"
	"math"
	"strings"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// histogramCharts draws the weights of each kind.
func histogramCharts(rows []reportRow) []histogramChart {
	names, byKind := kinds(rows)
	var charts []histogramChart
	for _, name := range names {
		var sum checkpoint.Stats
		for _, r := range byKind[name] {
			sum.Add(r.Stats)
		}
		h := &sum.Histogram
		charts = append(charts, histogramChart{
			Kind: show(short(name)), Tensors: len(byKind[name]), SVG: histogramSVG(h),
			Beyond: percent(beyond(h, 3)), BeyondTen: percent(beyond(h, 5)),
		})
	}
	return charts
}

// edge returns the lower edge of a bin of [checkpoint.Stats.Histogram], in σ.
func edge(bin int) float64 { return float64(bin)/8 - 6 }

// beyond returns the share of weights with magnitudes above n σ, which must be an edge.
func beyond(h *[96]int64, n float64) float64 {
	var out, total int64
	for i, c := range h {
		total += c
		if edge(i) >= n || edge(i+1) <= -n {
			out += c
		}
	}
	return float64(out) / float64(max(total, 1))
}

func percent(share float64) string {
	if share == 0 {
		return "none"
	}
	return fmt.Sprintf("%.2g%%", 100*share)
}

// histogramSVG draws counts on a logarithmic axis, which shows the tails, with the
// normal distribution of the same variance.
func histogramSVG(h *[96]int64) template.HTML {
	const left, width, height, bottom, top = 30., 280., 120., 18., 6.
	s := newSVG(left+width, top+height+bottom, "histogram of weights")
	var total int64
	for _, n := range h {
		total += n
	}
	binWidth := edge(1) - edge(0)
	const floor = -6.5 // decades below 1 a σ
	y := func(density float64) float64 {
		return top + height*min(1, max(0, math.Log10(density)/floor))
	}
	x := func(sigma float64) float64 { return left + width*(sigma/12+.5) }
	for _, sigma := range []float64{-3, 3} {
		s.printf(`<line x1="%.1f" x2="%.1f" y1="%g" y2="%g" class="grid"/>`, x(sigma), x(sigma), top, top+height)
	}
	for i, power := range []string{"1", "10⁻²", "10⁻⁴", "10⁻⁶"} {
		at := top + height*2*float64(-i)/floor
		s.printf(`<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" class="grid"/>`, left, left+width, at, at)
		s.text(left-4, at+4, "end", "tick", power)
	}
	for i, n := range h {
		if n == 0 {
			continue
		}
		at := y(float64(n) / float64(total) / binWidth)
		s.printf(`<rect x="%.2f" y="%.1f" width="%.2f" height="%.1f" class="fill c0"/>`, x(edge(i)), at, width*binWidth/12+.3, top+height-at)
	}
	s.printf(`<polyline class="normal" points="`)
	for sigma := -5.2; sigma <= 5.2; sigma += .1 {
		s.printf("%.1f,%.1f ", x(sigma), y(math.Exp(-sigma*sigma/2)/math.Sqrt(2*math.Pi)))
	}
	s.printf(`"/>`)
	for _, sigma := range []int{-6, -3, 0, 3, 6} {
		anchor := "middle"
		if sigma == -6 {
			anchor = "start"
		} else if sigma == 6 {
			anchor = "end"
		}
		s.text(x(float64(sigma)), top+height+14, anchor, "tick", strings.ReplaceAll(fmt.Sprintf("%dσ", sigma), "-", "−"))
	}
	return s.html()
}
