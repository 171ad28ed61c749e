package checkpoint

import (
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// MXFP4: 32 weights of a row, two to a byte with the first in the low half,
// share a scale of E8M0. gpt-oss stores NAME [experts, in, out], which is what its
// layer multiplies by, as
//
//	NAME_blocks  U8  [experts, out, in/32, 16]
//	NAME_scales  U8  [experts, out, in/32]
//
// and OpenAI's own files NAME [experts, out, in] as NAME.blocks and NAME.scales.
// DeepSeek stores NAME.weight [out, in] as I8 [out, in/2], beside NAME.scale
// F8_E8M0 [out, in/32]. A weight is value·2^(scale−127) in float32.

// An mxfp4 is the data of such a weight, in the order in which it is stored.
type mxfp4 struct{ codes, scales plain }

const mxGroup = 32

func (p *mxfp4) parts() []raw { return []raw{p.codes, p.scales} }

func (p *mxfp4) Read(dst []float32, first int64) error   { return readMXFP4(p, dst, first) }
func (p *mxfp4) Read64(dst []float64, first int64) error { return readMXFP4(p, dst, first) }

func readMXFP4[T float32 | float64](p *mxfp4, dst []T, first int64) error {
	values := [16]float32{0, .5, 1, 1.5, 2, 3, 4, 6}
	for i, v := range values[:8] {
		values[8+i] = -v
	}
	const most = 1 << 12 // groups at a time
	codes, scales := p.codes.Bytes(), p.scales.Bytes()
	var buf, exps []byte
	for len(dst) > 0 {
		group, skip := first/mxGroup, int(first%mxGroup)
		groups := min((skip+len(dst)+mxGroup-1)/mxGroup, most)
		if err := readSection(codes, grow(&buf, groups*mxGroup/2), group*mxGroup/2); err != nil {
			return err
		}
		if err := readSection(scales, grow(&exps, groups), group); err != nil {
			return err
		}
		n := min(len(dst), groups*mxGroup-skip)
		for i := range dst[:n] {
			at := skip + i
			code := buf[at/2] >> (at % 2 * 4) & 15
			dst[i] = T(values[code] * rawfloat.ExponentE8M0(exps[at/mxGroup]))
		}
		dst, first = dst[n:], first+int64(n)
	}
	return nil
}

// A swapped exchanges the last two dimensions of data. Its matrices are stored as their
// transposes, of rows × cols.
type swapped struct {
	data
	rows, cols int
}

func (p swapped) parts() []raw { return p.data.(compound).parts() }

func (p swapped) Read(dst []float32, first int64) error   { return readSwapped(p, dst, first) }
func (p swapped) Read64(dst []float64, first int64) error { return readSwapped(p, dst, first) }

// readSwapped fills dst with rows of the transposes, or parts of rows, in one pass over
// the stored rows.
func readSwapped[T float32 | float64](p swapped, dst []T, first int64) error {
	size := int64(p.rows) * int64(p.cols)
	for len(dst) > 0 {
		matrix, in := first/size, first%size
		col, row := int(in/int64(p.rows)), int(in%int64(p.rows))
		// Take a part of one row of the transpose, or some whole rows.
		rows, cols := min(p.rows-row, len(dst)), 1
		if row == 0 && len(dst) >= p.rows {
			rows, cols = p.rows, min(len(dst)/p.rows, p.cols-col)
		}
		strip := make([]T, cols)
		for i := range rows {
			if err := read(p.data, strip, matrix*size+int64(row+i)*int64(p.cols)+int64(col)); err != nil {
				return err
			}
			for j, x := range strip {
				dst[j*rows+i] = x
			}
		}
		dst, first = dst[rows*cols:], first+int64(rows*cols)
	}
	return nil
}

// mxfp4 reads MXFP4 weights.
func (r *recognizer) mxfp4() {
	for i, t := range r.c.tensors {
		if r.taken[i] {
			continue
		}
		if t.DType == "U8" {
			for _, suffix := range [][2]string{{"_blocks", "_scales"}, {".blocks", ".scales"}} {
				if name, ok := strings.CutSuffix(t.Name, suffix[0]); ok && name != "" {
					r.blocks(i, name, suffix[1])
				}
			}
		}
		if t.DType == "I8" {
			r.pairs(i)
		}
	}
}

// blocks reads a tensor that may have the blocks of a weight.
func (r *recognizer) blocks(i int, name, suffix string) {
	t := r.c.tensors[i]
	n := len(t.Shape)
	if n < 3 || t.Shape[n-1] != mxGroup/2 {
		return // something else
	}
	j, ok := r.find(name + suffix)
	if !ok {
		r.bad(i, nil, "it has blocks of MXFP4 without their scales %s", badfile.Quote(name+suffix))
		return
	}
	s := r.c.tensors[j]
	if s.DType != "U8" || !slices.Equal(s.Shape, t.Shape[:n-1]) || t.Elements() == 0 {
		r.bad(i, []string{s.Name}, "its scales %s are %s %v, want U8 %v for blocks of MXFP4 %v", badfile.Quote(s.Name), s.DType, s.Shape, t.Shape[:n-1], t.Shape)
		return
	}
	if _, ok := r.c.byName[name]; ok {
		r.bad(i, []string{s.Name}, "it has blocks of MXFP4 for %s, which is there too", badfile.Quote(name))
		return
	}
	d := &mxfp4{r.c.data[i].(plain), r.c.data[j].(plain)}
	logical := stored{Tensor{Name: name, DType: "MXFP4", Bytes: t.Bytes + s.Bytes, Float: true}, d}
	logical.Shape = append(slices.Clone(t.Shape[:n-2]), t.Shape[n-2]*mxGroup)
	if suffix == "_scales" && n == 4 {
		out, in := logical.Shape[1], logical.Shape[2]
		logical.Shape[1], logical.Shape[2] = in, out
		logical.data = swapped{d, out, in}
	}
	r.become(logical, i, j)
}

// pairs reads a tensor that may have two weights to a byte.
func (r *recognizer) pairs(i int) {
	t := r.c.tensors[i]
	n := len(t.Shape)
	if n < 2 || t.Elements() == 0 || t.Cols()%(mxGroup/2) != 0 {
		return
	}
	for _, name := range scaleNames(t.Name) {
		j, ok := r.find(name)
		if !ok {
			continue
		}
		s := r.c.tensors[j]
		want := slices.Clone(t.Shape)
		want[n-1] /= mxGroup / 2
		if s.DType != string(safetensors.E8M0) || !slices.Equal(s.Shape, want) {
			continue
		}
		t.DType, t.Float, t.Bytes = "MXFP4", true, t.Bytes+s.Bytes
		t.Shape = append(slices.Clone(t.Shape[:n-1]), 2*t.Cols())
		r.become(stored{t, &mxfp4{r.c.data[i].(plain), r.c.data[j].(plain)}}, i, j)
		r.leaveOutActivations(t.Name)
		return
	}
}
