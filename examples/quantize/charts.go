package main

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// An svg is a drawing whose colours come from the page's style.
type svg struct {
	strings.Builder
	width, height float64
}

func newSVG(width, height float64, label string) *svg {
	s := &svg{width: width, height: height}
	s.printf(`<svg viewBox="0 0 %g %g" style="--w:%gpx;max-width:%gpx" role="img" aria-label="%s">`, width, height, width, width, html.EscapeString(label))
	return s
}

func (s *svg) printf(format string, args ...any) { fmt.Fprintf(&s.Builder, format, args...) }

func (s *svg) text(x, y float64, anchor, class, text string) {
	s.printf(`<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`, x, y, anchor, class, html.EscapeString(text))
}

func (s *svg) html() template.HTML {
	return template.HTML(s.String() + "</svg>")
}

// ticks returns about n round numbers from lo to hi.
func ticks(lo, hi float64, n int) []float64 {
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(n))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(m*step) <= float64(n) {
			step *= m
			break
		}
	}
	var ts []float64
	for t := math.Ceil(lo/step) * step; t <= hi+step/1e6; t += step {
		ts = append(ts, t)
	}
	return ts
}

const colours = 8 // of the style's .c0 … .c7

// errorChart draws the SQNR of every tensor by layer, a line for each kind.
func errorChart(rows []reportRow) template.HTML {
	names, byKind := kinds(rows)
	lo, hi := math.Inf(1), math.Inf(-1)
	first, last := math.MaxInt, 0
	for _, r := range rows {
		if q := r.Stats.SQNR(); !math.IsInf(q, 0) {
			lo, hi = min(lo, q), max(hi, q)
		}
		first, last = min(first, max(r.Layer, 0)), max(last, r.Layer)
	}
	if lo > hi {
		return "" // nothing has an error
	}
	margin := max((hi-lo)*.1, .1)
	lo, hi = lo-margin, hi+margin
	const left, right, top, bottom, width = 48., 220., 20., 34., 920.
	height := max(260, 30+18*float64(len(names)))
	s := newSVG(width, height+top+bottom, "SQNR of every tensor by layer")
	x := func(layer int) float64 {
		return left + 12 + (width-left-right-24)*(float64(max(layer, 0)-first)+.0001)/max(float64(last-first), .0002)
	}
	y := func(q float64) float64 { return top + height*(hi-q)/(hi-lo) }
	for _, t := range ticks(lo, hi, 6) {
		s.printf(`<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" class="grid"/>`, left, width-right, y(t), y(t))
		s.text(left-6, y(t)+4, "end", "tick", fmt.Sprintf("%.4g", t))
	}
	s.text((left+width-right)/2, height+top+bottom-5, "middle", "tick", "layer")
	s.text(left-6, top+4, "end", "tick", "dB")
	for layer := first; layer <= last; layer += (last-first)/16 + 1 {
		s.text(x(layer), height+top+16, "middle", "tick", fmt.Sprint(layer))
	}
	for i, name := range names {
		rs, main := byKind[name], usual(byKind[name])
		s.printf(`<polyline class="line c%d" points="`, i%colours)
		for _, r := range rs {
			if q := r.Stats.SQNR(); !math.IsInf(q, 0) && r.To.DType == main {
				s.printf("%.1f,%.1f ", x(r.Layer), y(q))
			}
		}
		s.printf(`"/>`)
		for _, r := range rs {
			q := r.Stats.SQNR()
			if math.IsInf(q, 0) {
				continue
			}
			class := "dot"
			if r.To.DType != main {
				class = "ring"
			}
			s.printf(`<circle cx="%.1f" cy="%.1f" r="3.5" class="%s c%d"><title>%s, %s: %.2f dB</title></circle>`, x(r.Layer), y(q), class, i%colours, html.EscapeString(show(r.To.Name)), r.To.DType, q)
		}
	}
	legend(s, names, byKind, width-right+14, top, height, y)
	return s.html()
}

// legend writes the names of the lines beside their ends, moved apart where they
// would touch.
func legend(s *svg, names []string, byKind map[string][]reportRow, x, top, height float64, y func(float64) float64) {
	type label struct {
		y float64
		i int
	}
	var ls []label
	for i, name := range names {
		rs := byKind[name]
		q := rs[len(rs)-1].Stats.SQNR()
		at := top + 8
		if !math.IsInf(q, 0) {
			at = y(q)
		}
		ls = append(ls, label{at, i})
	}
	for i := range ls { // insertion sort by y
		for j := i; j > 0 && ls[j].y < ls[j-1].y; j-- {
			ls[j], ls[j-1] = ls[j-1], ls[j]
		}
	}
	const gap = 16
	for i := range ls {
		if i > 0 {
			ls[i].y = max(ls[i].y, ls[i-1].y+gap)
		}
	}
	bottom := top + height
	for i := len(ls) - 1; i >= 0; i-- {
		ls[i].y = min(ls[i].y, bottom)
		bottom = ls[i].y - gap
	}
	for _, l := range ls {
		s.printf(`<circle cx="%.1f" cy="%.1f" r="4" class="dot c%d"/>`, x, l.y, l.i%colours)
		rs := byKind[names[l.i]]
		s.text(x+9, l.y+4, "start", "label", show(short(names[l.i])))
		s.text(s.width-2, l.y+4, "end", "tick", fmt.Sprintf("%.2f", rs[len(rs)-1].Stats.SQNR()))
	}
}

// hasChoice reports whether groups of a type choose a codebook by trial.
func hasChoice(t datatype.Type) bool { return !t.Asymmetric() && len(t.Codebooks()) > 1 }

func codebookName(t datatype.Type, i int) string {
	name := strings.TrimPrefix(t.Codebooks()[i].Name(), t.String())
	return strings.ReplaceAll(strings.TrimPrefix(name, "/"), "-", "−")
}

// choiceBar draws the shares of the codebooks of one tensor.
func choiceBar(it checkpoint.Item) template.HTML {
	if !hasChoice(it.To.Type) {
		return ""
	}
	var total int64
	for _, n := range it.Stats.Choices {
		total += n
	}
	s := newSVG(160, 12, "shares of the codebooks")
	x := 0.
	for i, n := range it.Stats.Choices {
		w := 160 * float64(n) / float64(max(total, 1))
		s.printf(`<rect x="%.1f" y="0" width="%.1f" height="12" class="fill s%d"><title>%s: %.1f%%</title></rect>`, x, w, i%colours, codebookName(it.To.Type, i), 100*float64(n)/float64(max(total, 1)))
		x += w
	}
	return s.html()
}

// choiceCharts draws, for each type that has a choice, the shares by layer.
func choiceCharts(rows []reportRow) []choiceChart {
	var types []datatype.Type
	counts := make(map[datatype.Type]map[int][]int64)
	layers := make(map[datatype.Type][]int)
	for _, r := range rows {
		t := r.To.Type
		if !hasChoice(t) {
			continue
		}
		if counts[t] == nil {
			types = append(types, t)
			counts[t] = make(map[int][]int64)
		}
		if counts[t][r.Layer] == nil {
			layers[t] = append(layers[t], r.Layer)
			counts[t][r.Layer] = make([]int64, len(t.Codebooks()))
		}
		for i, n := range r.Stats.Choices {
			counts[t][r.Layer][i] += n
		}
	}
	var charts []choiceChart
	for _, t := range types {
		var key strings.Builder
		for i := range len(t.Codebooks()) {
			fmt.Fprintf(&key, `<span class="key"><i class="s%d"></i>%s</span>`, i%colours, html.EscapeString(codebookName(t, i)))
		}
		charts = append(charts, choiceChart{Type: t.String(), Legend: template.HTML(key.String()), SVG: choiceSVG(t, layers[t], counts[t])})
	}
	return charts
}

func choiceSVG(t datatype.Type, layers []int, counts map[int][]int64) template.HTML {
	const left, top, height, bottom, most = 48., 8., 170., 34., 920.
	step := min((most-left)/float64(len(layers)), 60)
	width := left + step*float64(len(layers))
	s := newSVG(width, top+height+bottom, "shares of the codebooks by layer")
	for _, share := range []float64{0, .25, .5, .75, 1} {
		y := top + height*(1-share)
		s.printf(`<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" class="grid"/>`, left, width, y, y)
		s.text(left-6, y+4, "end", "tick", fmt.Sprintf("%.0f%%", 100*share))
	}
	s.text((left+width)/2, top+height+bottom-5, "middle", "tick", "layer")
	every := max(1, int(math.Ceil(22/step)))
	for i, layer := range layers {
		var total int64
		for _, n := range counts[layer] {
			total += n
		}
		x, y := left+float64(i)*step+step*.08, top+height
		for j, n := range counts[layer] {
			h := height * float64(n) / float64(max(total, 1))
			y -= h
			s.printf(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="fill s%d"><title>layer %d, %s: %.1f%%</title></rect>`, x, y, step*.84, h, j%colours, layer, codebookName(t, j), 100*float64(n)/float64(max(total, 1)))
			if h > 26 && step > 36 {
				s.text(x+step*.42, y+h/2+4, "middle", "inside", fmt.Sprintf("%.0f%%", 100*float64(n)/float64(total)))
			}
		}
		name := fmt.Sprint(layer)
		if layer < 0 {
			name = "–"
		}
		if i%every == 0 {
			s.text(x+step*.42, top+height+16, "middle", "tick", name)
		}
	}
	return s.html()
}
