package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

//go:embed report.html
var reportHTML string

// A report has the contents of the HTML page.
type report struct {
	Source     string
	Settings   string
	Elapsed    time.Duration
	Sum        totals
	Bits       float64 // a quantized weight
	Worst      reportRow
	Rows       []reportRow // quantized tensors, the least precise first
	Kept       []checkpoint.Item
	Errors     template.HTML // charts
	Choices    []choiceChart
	Histograms []histogramChart
}

// A reportRow is one quantized tensor.
type reportRow struct {
	checkpoint.Item
	Kind  string // its name with * for the layer
	Layer int    // -1 if its name has none
	Bar   template.HTML
}

// BitsPerWeight is for the template.
func (r reportRow) BitsPerWeight() float64 { return bitsPerWeight(r.To) }

type choiceChart struct {
	Type   string
	Legend template.HTML
	SVG    template.HTML
}

type histogramChart struct {
	Kind      string
	Tensors   int
	SVG       template.HTML
	Beyond    string // the share of weights beyond 3 σ
	BeyondTen string // beyond 5 σ
}

func newReport(source string, plan *checkpoint.Plan, res *checkpoint.Result, elapsed time.Duration) *report {
	r := &report{Source: source, Settings: plan.Settings(), Elapsed: elapsed.Round(10 * time.Millisecond), Sum: sums(res.Items)}
	for _, it := range res.Items {
		if !it.To.Quantized {
			r.Kept = append(r.Kept, it)
		}
	}
	r.Rows = rowsOf(res.Items)
	for i := range r.Rows {
		r.Rows[i].Bar = choiceBar(r.Rows[i].Item)
	}
	r.Bits = 8 * float64(r.Sum.quantizedTo) / float64(max(r.Sum.weights, 1))
	r.Errors = errorChart(r.Rows)
	r.Choices = choiceCharts(r.Rows)
	r.Histograms = histogramCharts(r.Rows)
	slices.SortStableFunc(r.Rows, func(a, b reportRow) int { return cmp.Compare(a.Stats.SQNR(), b.Stats.SQNR()) })
	if len(r.Rows) > 0 {
		r.Worst = r.Rows[0]
	}
	return r
}

// rowsOf returns the quantized tensors in the order of the layers.
func rowsOf(items []checkpoint.Item) []reportRow {
	var rows []reportRow
	for _, it := range items {
		if it.To.Quantized {
			kind, layer := kindOf(it.To.Name)
			rows = append(rows, reportRow{Item: it, Kind: kind, Layer: layer})
		}
	}
	slices.SortStableFunc(rows, func(a, b reportRow) int { return cmp.Compare(a.Layer, b.Layer) })
	return rows
}

// short returns the part of a kind after the layer, without .weight.
func short(kind string) string {
	kind = strings.TrimSuffix(kind, ".weight")
	if _, after, ok := strings.Cut(kind, "*."); ok {
		return after
	}
	return kind
}

// kinds returns the rows of each kind, both in the order of the rows.
func kinds(rows []reportRow) (names []string, byKind map[string][]reportRow) {
	byKind = make(map[string][]reportRow)
	for _, row := range rows {
		if byKind[row.Kind] == nil {
			names = append(names, row.Kind)
		}
		byKind[row.Kind] = append(byKind[row.Kind], row)
	}
	return names, byKind
}

func (r *report) Tensors() int              { return r.Sum.quantized + r.Sum.kept }
func (r *report) Size(n int64) string       { return cli.Size(n) }
func (r *report) Quantized() int            { return r.Sum.quantized }
func (r *report) From() string              { return cli.Size(r.Sum.from) }
func (r *report) To() string                { return cli.Size(r.Sum.to) }
func (r *report) Ratio() float64            { return float64(r.Sum.from) / float64(max(r.Sum.to, 1)) }
func (r *report) SQNR() float64             { return r.Sum.stats.SQNR() }
func (r *report) Percent(x float64) float64 { return 100 * math.Sqrt(x) }
func (r *report) Short(name string) string  { return show(short(name)) }
func (r *report) Show(name string) string   { return show(name) }

// Name returns the name of the source, or of its directory if it is called model.
func (r *report) Name() string {
	base := filepath.Base(r.Source)
	name, _, _ := strings.Cut(base, ".safetensors")
	if name != "model" {
		return name
	}
	path, err := filepath.Abs(r.Source)
	if err != nil {
		return name
	}
	return filepath.Base(filepath.Dir(path))
}

// Shape writes dimensions as in 4096 × 11008.
func (r *report) Shape(dims []int) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(dims), "[]"), " ", " × ")
}

// Mixed reports whether tensors of one kind have several types.
func (r *report) Mixed() bool {
	_, byKind := kinds(r.Rows)
	for _, rows := range byKind {
		if i := slices.IndexFunc(rows, func(x reportRow) bool { return x.To.DType != usual(rows) }); i >= 0 {
			return true
		}
	}
	return false
}

// usual returns the most frequent type of rows.
func usual(rows []reportRow) string {
	counts := make(map[string]int)
	best := ""
	for _, r := range rows {
		t := r.To.DType
		if counts[t]++; counts[t] > counts[best] {
			best = t
		}
	}
	return best
}

// Skipped returns the tensors that should have been quantized and were not.
func (r *report) Skipped() []checkpoint.Item {
	return slices.DeleteFunc(slices.Clone(r.Kept), func(it checkpoint.Item) bool { return !it.Skipped })
}

type keptGroup struct {
	Reason string
	Count  int
	Bytes  int64
	Names  string
}

// KeptByRule counts the other tensors that are not quantized, by reason and kind.
func (r *report) KeptByRule() []keptGroup {
	var gs []keptGroup
	for _, it := range r.Kept {
		if it.Skipped {
			continue
		}
		kind, _ := kindOf(it.From.Name)
		i := slices.IndexFunc(gs, func(g keptGroup) bool { return g.Reason == it.Reason && g.Names == kind })
		if i < 0 {
			i = len(gs)
			gs = append(gs, keptGroup{Reason: it.Reason, Names: kind})
		}
		gs[i].Count++
		gs[i].Bytes += it.From.Bytes
	}
	return gs
}

// writeReport writes the page to a file.
func writeReport(path string, r *report) error {
	t, err := template.New("report").Parse(reportHTML)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return atomicfile.Creator(atomicfile.Create).WriteFile(path, b.Bytes())
}
