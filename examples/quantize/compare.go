package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/tinylm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

const defaultTypes = "bitmod4,int4_asym,int4,fp4,ant4,nf4,mxfp4,nvfp4,bitmod3,int3_asym,int3,fp3,ant3,nf3,int6,int8"

// compare quantizes the embedded model to every type and prints a line for each.
func compare(ctx context.Context, w io.Writer, opt options) error {
	f, err := checkpoint.OpenFS(tinylm.FS(), ".")
	if err != nil {
		return err
	}
	defer f.Close()
	var layers []layer
	weights := 0
	for _, t := range f.Tensors() {
		if !linear(t) {
			continue
		}
		l, err := load(f, t)
		if err != nil {
			return err
		}
		layers = append(layers, l)
		weights += len(l.w)
	}
	fmt.Fprintf(w, "%d linear layers of a trained language model, %.2f M weights\n\n", len(layers), float64(weights)/1e6)

	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tab, "type\tgroup\tbits/weight\tSQNR dB\tmax error\ttime ms\tM weights/s\t  codebooks chosen, % of groups\n")
	for _, typ := range opt.types {
		r, err := quantizeAll(ctx, layers, quant.Config{Type: typ, GroupSize: opt.config.GroupSize, Workers: opt.config.Workers})
		if err != nil {
			return err
		}
		fmt.Fprintf(tab, "%v\t%d\t%.3f\t%.2f\t%.4f\t%.1f\t%.0f\t  %s\n", typ, r.groupSize, 8*float64(r.bytes)/float64(weights),
			-10*math.Log10(r.noise/r.power), r.maxError, r.time.Seconds()*1e3, float64(weights)/r.time.Seconds()/1e6, shares(typ, r.groups))
	}
	return tab.Flush()
}

type result struct {
	groupSize    int
	bytes        int
	noise, power float64
	maxError     float64
	time         time.Duration // of quantization alone, the best of three
	groups       []int         // by codebook
}

func quantizeAll(ctx context.Context, layers []layer, c quant.Config) (result, error) {
	r := result{time: math.MaxInt64}
	ms := make([]*quant.Matrix, len(layers))
	for range 3 {
		start := time.Now()
		for i, l := range layers {
			m, err := quant.GroupContext(ctx, l.w, l.cols, c)
			if err != nil {
				return r, fmt.Errorf("%s: %w", l.name, err)
			}
			ms[i] = m
		}
		r.time = min(r.time, time.Since(start))
	}
	for i, m := range ms {
		rep, err := quant.Measure(layers[i].w, m, nil)
		if err != nil {
			return r, fmt.Errorf("%s: %w", layers[i].name, err)
		}
		noise := rep.MSE * float64(len(layers[i].w))
		r.noise += noise
		if rep.NMSE > 0 {
			r.power += noise / rep.NMSE
		}
		r.maxError = max(r.maxError, rep.MaxError)
		r.bytes += m.Bytes()
		r.groupSize = m.GroupSize()
		if r.groups == nil {
			r.groups = make([]int, len(rep.Choices))
		}
		for i, n := range rep.Choices {
			r.groups[i] += n
		}
	}
	return r, nil
}

// shares says how often each candidate codebook was chosen, where there is a
// choice by trial.
func shares[N int | int64](t datatype.Type, groups []N) string {
	if len(groups) < 2 || t.Asymmetric() {
		return ""
	}
	var total N
	for _, n := range groups {
		total += n
	}
	var s []string
	for i, cb := range t.Codebooks() {
		name := strings.TrimPrefix(strings.TrimPrefix(cb.Name(), t.String()), "/")
		s = append(s, fmt.Sprintf("%s: %.0f", name, 100*float64(groups[i])/float64(total)))
	}
	return strings.Join(s, "  ")
}
