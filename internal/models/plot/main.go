// Plot draws a table of measurements: bits a weight against divergence.
//
//	go run ./internal/models/plot docs/quality.tsv docs/quality.svg
//
// A line of the table has a series, a name, bits, a divergence and its standard error,
// with tabs between them; lines that begin with # are comments.
package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: go run ./internal/models/plot IN.tsv OUT.svg")
		os.Exit(2)
	}
	data, err := os.ReadFile(os.Args[1])
	if err == nil {
		var svg []byte
		if svg, err = draw(string(data)); err == nil {
			err = os.WriteFile(os.Args[2], svg, 0o644)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// A point is a line of the table.
type point struct {
	series, name string
	bits, kl, se float64
}

func parse(table string) ([]point, error) {
	var points []point
	n := 0
	for line := range strings.Lines(table) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Split(line, "\t")
		if len(words) != 5 {
			return nil, fmt.Errorf("line %d has %d columns, want 5", n, len(words))
		}
		p := point{series: words[0], name: words[1]}
		for i, to := range []*float64{&p.bits, &p.kl, &p.se} {
			x, err := strconv.ParseFloat(words[2+i], 64)
			if err != nil || !(x > 0) {
				return nil, fmt.Errorf("line %d: %q, want a positive number", n, words[2+i])
			}
			*to = x
		}
		points = append(points, p)
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("no points")
	}
	return points, nil
}

// The plot, in pixels.
const (
	width, height = 720, 440
	left, right   = 60, 16
	top, bottom   = 16, 44
)

var colours = []string{"#1b6ca8", "#d1495b", "#66a182", "#8d5a97", "#edae49"}

// draw returns the plot as SVG, with a logarithmic scale of divergences.
func draw(table string) ([]byte, error) {
	points, err := parse(table)
	if err != nil {
		return nil, err
	}
	x0, x1, y0, y1 := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, p := range points {
		x0, x1 = min(x0, math.Floor(p.bits)), max(x1, math.Ceil(p.bits))
		y0, y1 = min(y0, p.kl), max(y1, p.kl)
	}
	y0, y1 = math.Floor(2*math.Log10(y0))/2, math.Ceil(2*math.Log10(y1))/2
	x1, y1 = max(x1, x0+1), max(y1, y0+1)
	x := func(bits float64) float64 { return left + (bits-x0)/(x1-x0)*(width-left-right) }
	y := func(kl float64) float64 { return top + (y1-math.Log10(kl))/(y1-y0)*(height-top-bottom) }

	var b bytes.Buffer
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(s))
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12" fill="#222">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	for bits := x0; bits <= x1; bits++ {
		fmt.Fprintf(&b, `<path d="M%.1f %d V%d" stroke="#ddd"/>`+"\n", x(bits), top, height-bottom)
		text(x(bits), height-bottom+16, "middle", fmt.Sprint(bits))
	}
	for e := math.Floor(y0); e <= y1; e++ {
		for _, m := range []float64{1, 2, 5} {
			kl := m * math.Pow(10, e)
			if l := math.Log10(kl); l < y0-1e-9 || l > y1+1e-9 {
				continue
			}
			fmt.Fprintf(&b, `<path d="M%d %.1f H%d" stroke="#ddd"/>`+"\n", left, y(kl), width-right)
			text(left-6, y(kl)+4, "end", strconv.FormatFloat(kl, 'g', 2, 64))
		}
	}
	text((left+width-right)/2, height-8, "middle", "bits a weight, embedding and head included")
	fmt.Fprintf(&b, `<text transform="translate(14 %d) rotate(-90)" text-anchor="middle">KL divergence, nats</text>`+"\n", (top+height-bottom)/2)

	var order []string
	series := make(map[string][]point)
	for _, p := range points {
		if series[p.series] == nil {
			order = append(order, p.series)
		}
		series[p.series] = append(series[p.series], p)
	}
	for i, name := range order {
		colour := colours[i%len(colours)]
		line := ""
		for j, p := range series[name] {
			command := "L"
			if j == 0 {
				command = "M"
			}
			line += fmt.Sprintf("%s%.1f %.1f", command, x(p.bits), y(p.kl))
		}
		fmt.Fprintf(&b, `<g stroke="%s" fill="%s">`+"\n"+`<path d="%s" fill="none" stroke-width="1.5"/>`+"\n", colour, colour, line)
		for _, p := range series[name] {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`+"\n", x(p.bits), y(p.kl),
				html.EscapeString(fmt.Sprintf("%s %s: %v bits, %v ± %v", p.series, p.name, p.bits, p.kl, p.se)))
		}
		key := float64(top + 20 + 18*i)
		fmt.Fprintf(&b, `<path d="M%d %.1f h24" stroke-width="1.5"/>`+"\n"+`<circle cx="%d" cy="%.1f" r="3"/>`+"\n</g>\n", width-right-230, key, width-right-218, key)
		text(width-right-200, key+4, "start", name)
	}
	b.WriteString("</svg>\n")
	return b.Bytes(), nil
}
