package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A summary is what inspect prints, and its JSON.
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

// A partSummary is about the rows of one type of a tensor that has rows of several.
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
		e := json.NewEncoder(stdout)
		e.SetIndent("", "  ")
		return e.Encode(s)
	}
	return s.print(stdout)
}

func summarize(ctx context.Context, c *checkpoint.Checkpoint) (*summary, error) {
	s := &summary{Path: c.Path(), Files: c.Files(), Metadata: c.Metadata(), Tensors: []tensorSummary{}}
	for _, t := range c.Tensors() {
		ts := tensorSummary{
			Name: t.Name, Type: t.DType, Shape: t.Shape, Bytes: t.Bytes,
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
		v := s.Metadata[k]
		if r := []rune(v); len(r) > 150 {
			v = string(r[:150]) + fmt.Sprintf("… (%d bytes)", len(v))
		}
		fmt.Fprintf(w, "%s: %s\n", k, v)
	}
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "tensor\tshape\ttype\tgroup\tbits/weight\tbytes\tgroups by codebook, %")
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
		fmt.Fprintf(tab, "%s\t%v\t%s\t%s\t%.3f\t%s\t%s\n", t.Name, t.Shape, t.Type, group, t.BitsPerWeight, cli.Size(t.Bytes), detail)
	}
	return tab.Flush()
}
