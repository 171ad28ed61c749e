package checkpoint

import (
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// FP8: a weight NAME of F8_E4M3 or F8_E5M2 [rows, cols], or [experts, rows,
// cols], is multiplied by scales, which are
//
//	NAME_scale_inv  [⌈rows/128⌉, ⌈cols/128⌉]  of blocks: DeepSeek, Qwen; a factor in spite of its name
//	NAME_scale      [rows, 1] or [rows]       of rows: compressed-tensors, FBGEMM
//	                [experts, 1, cols]        of columns: FBGEMM's experts, stored [in, out]
//	                [], [1] or [experts]      of the tensor: compressed-tensors, ModelOpt
//	                [rows, cols/32]           powers of two (F8_E8M0 or U8): MXFP8
//
// Each shape occurs under each name, as floats or as powers of two. A weight is
// float32(w)·float32(scale), rounded once to float32.

// A scaled is the data of such a weight.
type scaled struct {
	name       string // of the weight
	w, s       plain
	rows, cols int // of one matrix of w
	// A scale is of blockRows × blockCols weights; a matrix has gridRows × gridCols.
	blockRows, blockCols, gridRows, gridCols int
	shared                                   bool // all matrices have the same scales
}

func (p *scaled) parts() []raw { return []raw{p.w, p.s} }

func (p *scaled) Read(dst []float32, first int64) error   { return readScaled(p, dst, first) }
func (p *scaled) Read64(dst []float64, first int64) error { return readScaled(p, dst, first) }

// maxScales is the largest number of scales that are read at a time, unless a row has
// more.
const maxScales = 1 << 14

func readScaled[T float32 | float64](p *scaled, dst []T, first int64) error {
	if err := read(p.w, dst, first); err != nil {
		return err
	}
	var scales []float32
	from, to := 0, 0                // rows of the grid, which scales has
	colFrom, width := 0, p.gridCols // the columns that it has of them
	cols := int64(p.cols)
	for len(dst) > 0 {
		row, col := int(first/cols), int(first%cols)
		n := min(len(dst), p.cols-col)
		at := p.gridRow(row)
		if at < from || at >= to {
			from, colFrom, width = at, 0, p.gridCols
			last := p.gridRow(row + (col+len(dst)-1)/p.cols)
			to = min(last+1, from+max(1, maxScales/p.gridCols))
			if last == from && n == len(dst) { // a part of one row
				colFrom = col / p.blockCols
				width = (col+n-1)/p.blockCols + 1 - colFrom
			}
			scales = grow(&scales, (to-from)*width)
			if err := p.readScales(scales, int64(from)*int64(p.gridCols)+int64(colFrom)); err != nil {
				return err
			}
		}
		own := scales[(at-from)*width:][:width]
		for part := dst[:n]; len(part) > 0; {
			s := own[col/p.blockCols-colFrom]
			m := min(len(part), p.blockCols-col%p.blockCols)
			for i, x := range part[:m] {
				part[i] = T(float32(x) * s)
			}
			part, col = part[m:], col+m
		}
		dst, first = dst[n:], first+int64(n)
	}
	return nil
}

// gridRow returns the row of scales for a row of the weight.
func (p *scaled) gridRow(row int) int {
	in := row % p.rows / p.blockRows
	if p.shared {
		return in
	}
	return row/p.rows*p.gridRows + in
}

func (p *scaled) readScales(dst []float32, first int64) error {
	if err := p.s.Read(dst, first); err != nil {
		return err
	}
	for i, s := range dst {
		if math.IsNaN(float64(s)) || math.IsInf(float64(s), 0) {
			return tensorError(p.name, fmt.Errorf("%w: its scale %s is %v at element %d", quant.ErrNotFinite, badfile.Quote(p.s.t.Name), s, first+int64(i)))
		}
	}
	return nil
}

// scaleNames returns the names that the scale of a weight may have.
func scaleNames(name string) []string {
	names := []string{name + "_scale_inv", name + "_scale"}
	if module, leaf := splitLeaf(name); leaf == "weight" {
		// The names of DeepSeek, Mistral and ComfyUI.
		names = append(names, child(module, "scale"), child(module, "qscale_weight"), child(module, "scale_weight"))
	}
	return names
}

// activationScales are leaves that programs for inference in 8 bits use, for
// activations and caches.
var activationScales = []string{
	"input_scale", "input_scale_ub", "activation_scale", "output_scale", "input_zero_point", "output_zero_point", "qscale_act",
	"input_activation_scale", "output_activation_scale", "scale_input",
}

// cacheScales are leaves of this kind in modules without weights.
var cacheScales = []string{"k_scale", "v_scale", "q_scale", "prob_scale", "kv_scale"}

// fp8 reads FP8 weights.
func (r *recognizer) fp8() {
	for i, t := range r.c.tensors {
		if r.taken[i] || t.DType != string(safetensors.E4M3) && t.DType != string(safetensors.E5M2) {
			continue
		}
		module, leaf := splitLeaf(t.Name)
		if isScale(leaf) || module == "" && leaf == "scaled_fp8" {
			continue
		}
		scale := -1
		var others []string
		for _, name := range scaleNames(t.Name) {
			if j, ok := r.find(name); ok {
				if scale < 0 {
					scale = j
				} else {
					others = append(others, name)
				}
			}
		}
		for _, suffix := range []string{"_zero_point", "_scale_2", "_global_scale"} {
			if _, ok := r.find(t.Name + suffix); ok {
				others = append(others, t.Name+suffix)
			}
		}
		switch {
		case scale < 0 && len(others) == 0 && !r.config.scaled() && len(r.scalesOf(module, leaf)) == 0:
			continue // floats like any other
		case scale < 0 && len(others) == 0:
			r.bad(i, nil, "it is %s without its scale %s", t.DType, badfile.Quote(scaleNames(t.Name)[0]))
			continue
		case scale < 0 || len(others) > 0:
			r.bad(i, others, "it is %s, and the meaning of %s for it is unknown", t.DType, badfile.Quote(others[0]))
			continue
		}
		s := r.c.tensors[scale]
		p, ok := r.scaled(i, scale)
		if !ok {
			r.bad(i, []string{s.Name}, "its scale %s is %s %v, which does not fit %s %v%s", badfile.Quote(s.Name), s.DType, s.Shape, t.DType, t.Shape, r.config.inBlocks())
			continue
		}
		t.Bytes += s.Bytes
		r.become(stored{t, p}, i, scale)
		r.leaveOutActivations(t.Name)
	}
}

// scaled returns the data of a weight with a scale, and false if their types or
// shapes do not fit.
func (r *recognizer) scaled(weight, scale int) (*scaled, bool) {
	t, s := r.c.tensors[weight], r.c.tensors[scale]
	w, ok1 := r.c.data[weight].(plain)
	d, ok2 := r.c.data[scale].(plain)
	power := s.DType == "U8" || s.DType == string(safetensors.E8M0)
	if power {
		d.t.DType = safetensors.E8M0 // U8 is how programs without the type write it
	}
	if !ok1 || !ok2 || !power && (!s.Float || d.t.DType.Bits() == 8) || t.Elements() == 0 {
		return nil, false
	}
	p := &scaled{name: t.Name, w: w, s: d, rows: 1, cols: t.Cols(), gridRows: 1, gridCols: 1}
	var lead []int
	if n := len(t.Shape); n >= 2 {
		p.rows, lead = t.Shape[n-2], t.Shape[:n-2]
	}
	p.blockRows, p.blockCols = p.rows, p.cols
	if s.Elements() == 1 {
		p.shared = true
		return p, true
	}
	if len(s.Shape) < len(lead) || !slices.Equal(s.Shape[:len(lead)], lead) {
		return nil, false
	}
	switch rest := s.Shape[len(lead):]; {
	case len(rest) == 0: // one of each matrix
		return p, true
	case len(rest) == 1 && rest[0] == p.rows:
		return p, p.grid(p.rows, 1, power, r.config)
	case len(rest) == 2:
		return p, p.grid(rest[0], rest[1], power, r.config)
	}
	return nil, false
}

// grid sets the layout of rows × cols scales for a matrix: one scale for the matrix,
// for each row or column, or for each block. Blocks have the size in the configuration,
// or else 128 × 128, or else are squares. It returns false if no such layout fits.
func (p *scaled) grid(rows, cols int, power bool, q quantization) bool {
	ceil := func(n, by int) int { return (n-1)/by + 1 }
	p.gridRows, p.gridCols = rows, cols
	blocks := q.blocks
	if q.block != ([2]int{}) {
		blocks = append(slices.Clone(blocks), q.block)
	}
	if len(blocks) == 0 {
		blocks = [][2]int{{128, 128}}
		if b := p.rows / max(rows, 1); b > 0 && b*rows == p.rows && b*cols == p.cols {
			blocks = append(blocks, [2]int{b, b})
		}
	}
	if power {
		blocks = append(slices.Clone(blocks), [2]int{1, 32})
	}
	switch {
	case rows == 1 && cols == 1:
		return true
	case rows == p.rows && cols == 1:
		p.blockRows = 1
		return true
	case rows == 1 && cols == p.cols && len(p.w.t.Shape) > 2:
		p.blockCols = 1
		return true
	case rows == p.cols && cols == 1 && len(p.w.t.Shape) > 2: // the same, as FBGEMM writes it
		p.gridRows, p.gridCols, p.blockCols = 1, rows, 1
		return true
	}
	for _, b := range blocks {
		if rows == ceil(p.rows, b[0]) && cols == ceil(p.cols, b[1]) {
			p.blockRows, p.blockCols = b[0], b[1]
			return true
		}
	}
	return false
}

// leaveOutActivations drops tensors for the activations of a weight.
func (r *recognizer) leaveOutActivations(weight string) {
	module, leaf := splitLeaf(weight)
	for _, s := range activationScales {
		names := []string{child(module, s)}
		if leaf != "weight" {
			names = []string{weight + "_" + s}
		}
		for _, name := range names {
			r.leaveOut(name, "it scales activations for inference in 8 bits")
		}
	}
}

// leaveOutCaches drops tensors for caches, if there are weights of 8 bits.
func (r *recognizer) leaveOutCaches() {
	if len(r.replace) == 0 {
		return
	}
	for _, t := range r.c.tensors {
		if module, leaf := splitLeaf(t.Name); slices.Contains(cacheScales, leaf) || module == "" && leaf == "scaled_fp8" {
			r.leaveOut(t.Name, "it belongs to inference in 8 bits")
		}
	}
}
