package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm/encoder"
	"github.com/bitmod-go/bitmod/quant"
)

// mostCompared is the largest number of sentences for -compare.
const mostCompared = 10000

// A contender is one way to keep the weights of a model.
type contender struct {
	name    string
	weights weights
	e       *encoder.Embedder
	vectors [][]float32
	speed   []float64 // sentences a second, by round
}

// compare embeds the sentences with weights of several types, and compares the vectors
// with those of the stored weights. All types take turns, so that a machine that slows
// down does so for all of them.
func compare(ctx context.Context, o *options, f *encoder.File, from *source, stdout, stderr io.Writer) error {
	sentences, err := from.all(mostCompared)
	if err != nil {
		return err
	}
	list, err := contenders(o, f)
	if err != nil {
		return err
	}
	for i := range list {
		c := &list[i]
		if c.e, err = o.embedder(f, c.weights); err != nil {
			return err
		}
		defer c.e.Runner.Close()
	}
	if o.beside != "" {
		for path := range strings.SplitSeq(o.beside, ",") {
			c, err := o.other(path)
			if err != nil {
				return fmt.Errorf("-beside: %w", err)
			}
			defer c.e.Runner.Close()
			list = append(list, c)
		}
	}
	status := cli.NewStatus(stderr)
	tokens := 0
	for round := range o.rounds {
		for i := range list {
			c := &list[i]
			status.Show("round %d of %d: %s", round+1, o.rounds, c.name)
			s := session{e: c.e, status: status}
			if c.vectors, err = s.embed(ctx, sentences); err != nil {
				return err
			}
			c.speed = append(c.speed, s.perSecond(s.sentences))
			tokens = s.tokens
		}
	}
	status.Clear()
	fmt.Fprintf(stdout, "%d sentences, %.1f tokens each; %d goroutines, medians of %d turns\n\n", len(sentences), float64(tokens)/float64(len(sentences)), o.threads, o.rounds)
	fmt.Fprintf(stdout, "%-22s%6s%10s%9s%9s%9s%13s\n", "weights", "bits", "memory", "cosine", "least", "nearest", "sentences/s")
	for i := range list {
		c := &list[i]
		m := c.e.Model()
		mean, least := similar(list[0].vectors, c.vectors)
		_, err := fmt.Fprintf(stdout, "%-22s%6.2f%10s%9.5f%9.5f%8.1f%%%13.0f\n", c.name, m.BitsPerWeight(), cli.Size(m.Bytes()),
			mean, least, 100*sameNearest(list[0].vectors, c.vectors), cli.Median(c.speed))
		if err != nil {
			return err
		}
	}
	return nil
}

// contenders returns the weights as stored, and quantized to each type.
func contenders(o *options, f *encoder.File) ([]contender, error) {
	w, err := o.choose(f)
	if err != nil {
		return nil, err
	}
	list := []contender{{name: w.name, weights: w}}
	if len(f.Packed()) > 0 {
		return list, nil
	}
	configs, err := parseTypes(o.types)
	if err != nil {
		return nil, err
	}
	for _, c := range configs {
		name := c.Type.String()
		if c.GroupSize > 0 {
			name = fmt.Sprintf("%s, groups of %d", name, c.GroupSize)
		}
		list = append(list, contender{name: name, weights: weights{options: encoder.Options{Quantize: &c, Activations: o.activations}}})
	}
	return list, nil
}

// other reads another file of the same model. Its row has the name of the file.
func (o *options) other(path string) (contender, error) {
	f, err := encoder.OpenFile(path)
	if err != nil {
		return contender{}, err
	}
	defer f.Close()
	c := contender{name: filepath.Base(path), weights: weights{options: encoder.Options{Activations: o.activations}}}
	c.e, err = o.embedder(f, c.weights)
	return c, err
}

// defaultTypes are the types that are compared by default.
const defaultTypes = "int8,bitmod4/32,bitmod4/128,bitmod3/32,bitmod3/128"

// parseTypes reads a list of types, each alone or with the size of its groups.
func parseTypes(list string) ([]quant.Config, error) {
	var configs []quant.Config
	for name := range strings.SplitSeq(list, ",") {
		name, group, ok := strings.Cut(name, "/")
		t, err := datatype.Parse(name)
		if err != nil {
			return nil, cli.Usagef("-types: %w", err)
		}
		c := quant.Config{Type: t}
		if ok {
			if c.GroupSize, err = strconv.Atoi(group); err != nil || c.GroupSize < 1 {
				return nil, cli.Usagef("-types: groups of %q, want a number", group)
			}
		}
		configs = append(configs, c)
	}
	return configs, nil
}

// similar returns the mean and the least cosine of got to want.
func similar(want, got [][]float32) (mean, least float64) {
	least = 1
	for i := range want {
		c := encoder.Cosine(want[i], got[i])
		mean += c / float64(len(want))
		least = min(least, c)
	}
	return mean, least
}

// sameNearest returns the share of vectors whose nearest other vector is the same.
func sameNearest(want, got [][]float32) float64 {
	same := 0
	for i := range want {
		if nearest(want, i) == nearest(got, i) {
			same++
		}
	}
	return float64(same) / float64(len(want))
}

// nearest returns the index of the vector nearest to the i-th.
func nearest(all [][]float32, i int) int {
	best, at := -2.0, -1
	for j := range all {
		if j == i {
			continue
		}
		if c := encoder.Cosine(all[i], all[j]); c > best {
			best, at = c, j
		}
	}
	return at
}
