package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// convert writes opt.out: for each linear layer NAME of opt.in the parts of its
// matrix as NAME.codes, NAME.scales, NAME.special and NAME.row_scales, laid out
// as package quant's documentation draws them, and every other tensor as it is.
// A shape goes to the metadata, as "ROWS COLUMNS".
func convert(ctx context.Context, stdout io.Writer, opt options) (err error) {
	in, err := safetensors.Open(opt.in)
	if err != nil {
		return err
	}
	defer in.Close()

	start := time.Now()
	metadata := map[string]string{"format": "bitmod 1", "type": opt.config.Type.String()}
	matrices := map[string]*quant.Matrix{}
	var tensors []safetensors.Tensor
	var before, after int64
	for _, t := range in.Tensors() {
		if !linear(t) {
			tensors = append(tensors, t)
			fmt.Fprintf(stdout, "%s: copied, %s %v\n", t.Name, t.DType, t.Shape)
			continue
		}
		l, err := load(in, t)
		if err != nil {
			return err
		}
		m, err := quant.GroupContext(ctx, l.w, l.cols, opt.config)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		rep, err := quant.Measure(l.w, m, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", t.Name, err)
		}
		fmt.Fprintf(stdout, "%s: %v, SQNR %.2f dB\n", t.Name, m, rep.SQNR())
		matrices[t.Name] = m
		metadata["group_size"] = strconv.Itoa(m.GroupSize())
		metadata[t.Name] = fmt.Sprintf("%d %d", m.Rows(), m.Cols())
		for _, p := range parts(m) {
			tensors = append(tensors, safetensors.Tensor{Name: t.Name + p.suffix, DType: p.dtype, Shape: p.shape})
		}
		before += t.End - t.Begin
		after += int64(m.Bytes())
	}
	if len(matrices) == 0 {
		return fmt.Errorf("%s has no linear layer: no float matrix called ….weight that is not an embedding or lm_head", opt.in)
	}

	out, err := atomicfile.Create(opt.out)
	if err != nil {
		return err
	}
	if err := write(out, in, tensors, matrices, metadata); err != nil {
		out.Abort()
		return err
	}
	if err := out.Commit(); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d matrices, %d bytes became %d, in %.2f s\n", opt.out, len(matrices), before, after, time.Since(start).Seconds())
	return nil
}

func write(out io.WriterAt, in *safetensors.File, tensors []safetensors.Tensor, matrices map[string]*quant.Matrix, metadata map[string]string) error {
	w, err := safetensors.NewWriter(out, tensors, metadata)
	if err != nil {
		return err
	}
	for name, m := range matrices {
		for _, p := range parts(m) {
			if err := w.WriteAt(name+p.suffix, p.data, 0); err != nil {
				return err
			}
		}
	}
	buf := make([]byte, 1<<20)
	for _, t := range in.Tensors() {
		if matrices[t.Name] != nil {
			continue
		}
		r := in.Section(t)
		for off := int64(0); off < r.Size(); {
			n, err := io.ReadFull(r, buf[:min(int64(len(buf)), r.Size()-off)])
			if err != nil {
				return fmt.Errorf("reading %s: %w", t.Name, err)
			}
			if err := w.WriteAt(t.Name, buf[:n], off); err != nil {
				return err
			}
			off += int64(n)
		}
	}
	return w.Finish(metadata)
}

type part struct {
	suffix string
	dtype  safetensors.DType
	shape  []int
	data   []byte
}

func parts(m *quant.Matrix) []part {
	s := m.Storage()
	steps := make([]byte, 0, 4*len(s.RowScales))
	for _, x := range s.RowScales {
		steps = binary.LittleEndian.AppendUint32(steps, math.Float32bits(x))
	}
	return []part{
		{".codes", safetensors.U8, []int{m.Rows(), len(s.Codes) / m.Rows()}, s.Codes},
		{".scales", safetensors.U8, []int{m.Rows(), m.Groups()}, s.Scales},
		{".special", safetensors.U8, []int{m.Rows(), len(s.Selectors) / m.Rows()}, s.Selectors},
		{".row_scales", safetensors.F32, []int{len(s.RowScales)}, steps},
	}
}
