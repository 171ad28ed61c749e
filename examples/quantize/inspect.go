package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A summary is the output of inspect, and its JSON.
type summary struct {
	Path          string            `json:"path"`
	Files         []string          `json:"files"`
	Bytes         int64             `json:"bytes"`
	Elements      int64             `json:"elements"`
	BitsPerWeight float64           `json:"bits_per_weight"` // of all
	Metadata      map[string]string `json:"metadata"`
	Tensors       []tensorSummary   `json:"tensors"`
}

type tensorSummary struct {
	Name          string           `json:"name"`
	Type          string           `json:"type"`
	Shape         []int            `json:"shape"`
	Role          checkpoint.Role  `json:"role,omitempty"`
	Bytes         int64            `json:"bytes"`
	BitsPerWeight float64          `json:"bits_per_weight"`
	GroupSize     int              `json:"group_size,omitempty"`
	Parts         []partSummary    `json:"parts,omitempty"` // rows of several types
	Original      string           `json:"original,omitempty"`
	Transposed    bool             `json:"transposed,omitempty"`
	Groups        map[string]int64 `json:"groups,omitempty"` // by codebook
	choices       []int64
	tensor        checkpoint.Tensor
}

// A partSummary describes the rows of one type in a tensor with rows of several.
type partSummary struct {
	Type      string `json:"type"`
	GroupSize int    `json:"group_size"`
	Rows      int    `json:"rows"`
}

// inspect is the command of that name.
func inspect(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	fs := newFlags()
	asJSON := fs.Bool("json", false, "print JSON")
	paths, err := cli.Parse(fs, usage, args, stderr, "the checkpoint")
	if err != nil {
		return err
	}
	c, err := checkpoint.Open(paths[0])
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := summarize(ctx, c)
	if err != nil {
		return err
	}
	if *asJSON {
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(stdout, asciiJSON(b))
		return err
	}
	return s.print(stdout)
}

func summarize(ctx context.Context, c *checkpoint.Checkpoint) (*summary, error) {
	s := &summary{Path: c.Path(), Files: c.Files(), Metadata: c.Metadata(), Tensors: []tensorSummary{}}
	tensors := c.Tensors()
	slices.SortStableFunc(tensors, func(a, b checkpoint.Tensor) int { return compareNames(a.Name, b.Name) })
	for _, t := range tensors {
		ts := tensorSummary{
			Name: t.Name, Type: t.DType, Shape: t.Shape, Role: t.Role, Bytes: t.Bytes,
			GroupSize: t.GroupSize, Original: t.Original, Transposed: t.Transposed, tensor: t,
		}
		for _, p := range t.Parts {
			ts.Parts = append(ts.Parts, partSummary{p.Type.String(), p.GroupSize, p.Rows})
		}
		n := t.Elements()
		if n > 0 {
			ts.BitsPerWeight = 8 * float64(t.Bytes) / float64(n)
		}
		if t.Quantized {
			st, err := c.Stats(ctx, t.Name)
			if err != nil {
				return nil, err
			}
			ts.choices = st.Choices
			if !t.Type.Asymmetric() && len(st.Choices) > 1 {
				ts.Groups = make(map[string]int64)
				for i, cb := range t.Type.Codebooks() {
					ts.Groups[cb.Name()] = st.Choices[i]
				}
			}
		}
		s.Bytes += t.Bytes
		s.Elements += n
		s.Tensors = append(s.Tensors, ts)
	}
	if s.Elements > 0 {
		s.BitsPerWeight = 8 * float64(s.Bytes) / float64(s.Elements)
	}
	return s, nil
}

func (s *summary) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %d files, %d tensors, %d elements, %s, %.3f bits an element\n", s.Path, len(s.Files), len(s.Tensors), s.Elements, cli.Size(s.Bytes), s.BitsPerWeight)
	for _, k := range slices.Sorted(maps.Keys(s.Metadata)) {
		fmt.Fprintf(w, "%s: %s\n", show(k), value(s.Metadata[k]))
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "tensor\trole\tshape\ttype\tgroup\tbits/weight\tbytes\tgroups by codebook, %")
	for _, t := range s.Tensors {
		group := ""
		if t.GroupSize > 0 {
			group = fmt.Sprint(t.GroupSize)
		}
		detail := shares(t.tensor.Type, t.choices)
		for i, p := range t.Parts {
			if i > 0 {
				detail += ", "
			}
			detail += fmt.Sprintf("%d rows %s:%d", p.Rows, p.Type, p.GroupSize)
		}
		fmt.Fprintf(tab, "%s\t%s\t%v\t%s\t%s\t%.3f\t%s\t%s\n", show(t.Name), t.Role, t.Shape, show(t.Type), group, t.BitsPerWeight, cli.Size(t.Bytes), detail)
	}
	return tab.Flush()
}

// value formats a value of the metadata. JSON stays as it is; the rest is formatted as
// names are.
func value(v string) string {
	const most = 150
	cut := ""
	if r := []rune(v); len(r) > most {
		v, cut = string(r[:most]), fmt.Sprintf("… (%d bytes)", len(v))
	}
	for _, r := range v {
		if !strconv.IsPrint(r) || r == utf8.RuneError {
			return strconv.Quote(v) + cut
		}
	}
	return v + cut
}

// asciiJSON escapes all characters that terminals may act upon, which leaves the same
// JSON.
func asciiJSON(b []byte) string {
	var s strings.Builder
	for _, r := range string(b) {
		switch {
		case r == '\n' || strconv.IsPrint(r):
			s.WriteRune(r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			fmt.Fprintf(&s, "\\u%04x\\u%04x", hi, lo)
		default:
			fmt.Fprintf(&s, "\\u%04x", r)
		}
	}
	return s.String()
}
