package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
)

type rowWriter interface{ write(row) error }

// table writes rows for people, as they come.
type table struct {
	w    io.Writer
	head bool
}

func (t *table) write(r row) error {
	s := &r.score
	if !t.head {
		t.head = true
		note := "± is a standard error"
		if math.IsNaN(s.NLL.SE) {
			note = "one window, and so no standard errors"
		}
		if _, err := fmt.Fprintf(t.w, "%d tokens; %s\n\n%-30s%6s%6s%16s%16s%19s%14s%6s\n", s.Tokens, note,
			"type", "group", "bits", "ppl", "+ppl %", "KL", "top-1 %", "s"); err != nil {
			return err
		}
	}
	// A difference of losses is a ratio of perplexities.
	excess := 100 * math.Expm1(s.Excess.Mean)
	excessSE := 100 * math.Exp(s.Excess.Mean) * s.Excess.SE
	group := "–"
	if r.group != 0 {
		group = fmt.Sprint(r.group)
	}
	_, err := fmt.Fprintf(t.w, "%-30s%6s%6.2f%9.4f %s%9.2f %s%10.5f %s%8.2f %s%6.1f\n",
		r.name, group, r.bits, s.Perplexity.Mean, standardError(s.Perplexity.SE, 3), excess, standardError(excessSE, 2),
		s.KL.Mean, standardError(s.KL.SE, 5), 100*s.Top1.Mean, standardError(100*s.Top1.SE, 2), r.seconds)
	return err
}

// standardError returns ± and a number with some digits after the point, or spaces if
// there is no standard error, as for a single window of text.
func standardError(x float64, digits int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return strings.Repeat(" ", 3+digits) // as wide as ±0. and the digits
	}
	return fmt.Sprintf("±%.*f", digits, x)
}

// jsonLines writes rows for programs.
type jsonLines struct{ w io.Writer }

// Standard errors are null where there are none, with a single block of text.
type jsonRow struct {
	Type     string   `json:"type"`
	Group    int      `json:"group"` // 0 for float32
	Bits     float64  `json:"bits"`
	All      float64  `json:"all_bits,omitempty"` // of a file: of all weights, embedding included
	PPL      float64  `json:"ppl"`
	KL       float64  `json:"kl"`
	Top1     float64  `json:"top1"`
	PPLSE    *float64 `json:"ppl_se"`
	KLSE     *float64 `json:"kl_se"`
	Top1SE   *float64 `json:"top1_se"`
	NLL      float64  `json:"nll"`
	NLLSE    *float64 `json:"nll_se"`
	Excess   float64  `json:"excess_nll"`
	ExcessSE *float64 `json:"excess_nll_se"`
	Tokens   int      `json:"tokens"`
	Seconds  float64  `json:"seconds"`
}

func (j *jsonLines) write(r row) error {
	s := &r.score
	se := func(x float64) *float64 {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return &x
	}
	b, err := json.Marshal(jsonRow{
		Type: r.name, Group: r.group, Bits: r.bits, All: r.all,
		PPL: s.Perplexity.Mean, KL: s.KL.Mean, Top1: s.Top1.Mean,
		PPLSE: se(s.Perplexity.SE), KLSE: se(s.KL.SE), Top1SE: se(s.Top1.SE),
		NLL: s.NLL.Mean, NLLSE: se(s.NLL.SE), Excess: s.Excess.Mean, ExcessSE: se(s.Excess.SE),
		Tokens: s.Tokens, Seconds: math.Round(1000*r.seconds) / 1000,
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(j.w, "%s\n", b)
	return err
}
