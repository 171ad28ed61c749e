package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/hugepage"
	"github.com/bitmod-go/bitmod/internal/mapping"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// packed is a quantized tensor of a file.
type packed struct {
	f          *safetensors.File
	rows, cols int
	types      []Part               // one, or several
	stored     []safetensors.Tensor // as quantized.stored returns them

	// If there are several parts, these are set when first needed: the part of each
	// row, and for each rankRows rows the number of rows of each part before them.
	mu    sync.Mutex
	order []uint8
	ranks []int
}

const rankRows = 4096

// parts returns the stored tensors.
func (p *packed) parts() []safetensors.Tensor { return p.stored }

// matrix returns rows lo to hi−1. It takes them from the mapping of the file if there
// is one, and reads them otherwise.
func (p *packed) matrix(lo, hi int, from *mapping.Mapping) (*quant.Matrix, error) {
	if len(p.types) == 1 {
		return p.part(0, lo, hi, from)
	}
	order, ranks, err := p.readOrder()
	if err != nil {
		return nil, err
	}
	var first, to [maxParts]int // rows of each part
	block := lo / rankRows
	copy(first[:len(p.types)], ranks[block*len(p.types):])
	for _, i := range order[block*rankRows : lo] {
		first[i]++
	}
	to = first
	for _, i := range order[lo:hi] {
		to[i]++
	}
	var parts []*quant.Matrix
	var number [maxParts]uint8 // of the part among those that have a row here
	for i := range p.types {
		if first[i] == to[i] {
			continue
		}
		m, err := p.part(i, first[i], to[i], from)
		if err != nil {
			return nil, fmt.Errorf("part %d: %w", i, err)
		}
		number[i] = uint8(len(parts))
		parts = append(parts, m)
	}
	of := make([]uint8, hi-lo)
	for row, i := range order[lo:hi] {
		of[row] = number[i]
	}
	return quant.NewMixed(parts, of)
}

// readOrder returns the part of each row, and the ranks. It reads the order once, and
// checks the indices and the number of rows of each part.
func (p *packed) readOrder() (order []uint8, ranks []int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.order != nil {
		return p.order, p.ranks, nil
	}
	order = make([]uint8, p.rows) // the file has as many bytes
	if err := readSection(p.f.Section(p.stored[0]), order, 0); err != nil {
		return nil, nil, err
	}
	var counts [maxParts]int
	for row, i := range order {
		if int(i) >= len(p.types) {
			return nil, nil, fmt.Errorf("%w: order: row %d is in part %d of %d", quant.ErrFormat, row, i, len(p.types))
		}
		if row%rankRows == 0 {
			ranks = append(ranks, counts[:len(p.types)]...)
		}
		counts[i]++
	}
	for i, t := range p.types {
		if counts[i] != t.Rows {
			return nil, nil, fmt.Errorf("%w: order: %d rows are in part %d, which has %d", quant.ErrFormat, counts[i], i, t.Rows)
		}
	}
	p.order, p.ranks = order, ranks
	return order, ranks, nil
}

// part is matrix for rows of a part.
func (p *packed) part(i, lo, hi int, from *mapping.Mapping) (*quant.Matrix, error) {
	const perPart = 4
	stored := p.stored[len(p.stored)-perPart*len(p.types)+perPart*i:]
	codes, scales, rowScales, special := stored[0], stored[1], stored[2], stored[3]
	rowBytes := func(t safetensors.Tensor) ([]byte, error) {
		first, n := int64(lo)*int64(t.Cols()), (hi-lo)*t.Cols()
		if from != nil {
			return from.Bytes()[t.Begin+first:][:n:n], nil
		}
		b := hugepage.Bytes(n)
		return b, readParallel(p.f.Section(t), b, first)
	}
	var s quant.Storage
	if from != nil {
		s.Owner = from
	}
	var err error
	if s.Codes, err = rowBytes(codes); err != nil {
		return nil, err
	}
	if s.Scales, err = rowBytes(scales); err != nil {
		return nil, err
	}
	if s.Selectors, err = rowBytes(special); err != nil {
		return nil, err
	}
	if from != nil {
		s.RowScales = floatsAt(from.Bytes(), rowScales.Begin+4*int64(lo), hi-lo)
	}
	if s.RowScales == nil {
		s.RowScales = make([]float32, hi-lo)
		if err := p.f.Read(s.RowScales, rowScales, int64(lo)); err != nil {
			return nil, err
		}
	}
	t := p.types[i]
	if s.RowScales, err = foldRowScales(t.Type, s.RowScales); err != nil {
		return nil, err
	}
	return quant.New(t.Type, t.GroupSize, hi-lo, p.cols, s)
}

// floatsAt returns n floats at off in b without copying, or nil if they are not aligned
// or the machine is big-endian.
func floatsAt(b []byte, off int64, n int) []float32 {
	p := unsafe.Pointer(&b[off])
	if one := [2]byte{1}; binary.NativeEndian.Uint16(one[:]) != 1 || uintptr(p)%4 != 0 {
		return nil
	}
	return unsafe.Slice((*float32)(p), n)
}

// readParallel fills b from byte off of r on, with several goroutines if b is large:
// most of the time goes into the system's copying and clearing of pages.
func readParallel(r *io.SectionReader, b []byte, off int64) error {
	const share = 4 << 20
	if len(b) < 2*share {
		return readSection(r, b, off)
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, min(runtime.GOMAXPROCS(0), len(b)/share))
	for i := range errs {
		wg.Go(func() {
			for errs[i] == nil {
				lo := next.Add(share) - share
				if lo >= int64(len(b)) {
					return
				}
				errs[i] = readSection(r, b[lo:min(lo+share, int64(len(b)))], off+lo)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func readSection(r *io.SectionReader, b []byte, off int64) error {
	if err := badfile.ReadFull(r, b, off); err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	return nil
}

// foldRowScales converts the row scales of a file to the row scales of a Matrix. A file
// has one for each row. A Matrix of an NV type has one for the tensor, which is the same
// in all rows of the file. A Matrix of an MX type has none, and the file has ones.
func foldRowScales(t datatype.Type, scales []float32) ([]float32, error) {
	want := float32(1)
	switch t.Scale() {
	case datatype.RowStep:
		return scales, nil
	case datatype.E4M3:
		want = scales[0]
	}
	for row, s := range scales {
		if s != want {
			return nil, fmt.Errorf("%w: row_scales: row %d has %v, but all rows of %v have %v", quant.ErrFormat, row, s, t, want)
		}
	}
	if t.Scale() == datatype.E4M3 {
		return scales[:1], nil
	}
	return scales[:0], nil
}

// unfoldRowScales is the inverse of foldRowScales, for rows rows.
func unfoldRowScales(m *quant.Matrix) []float32 {
	scales := make([]float32, m.Rows())
	for row := range scales {
		scales[row] = m.RowScale(row)
	}
	return scales
}

func (p *packed) Read(dst []float32, first int64) error   { return readPacked(p, dst, first) }
func (p *packed) Read64(dst []float64, first int64) error { return readPacked(p, dst, first) }

// readPacked dequantizes a block of rows at a time.
func readPacked[T float32 | float64](p *packed, dst []T, first int64) error {
	row, skip := int(first/int64(p.cols)), int(first%int64(p.cols))
	buf := make([]float32, p.cols)
	for len(dst) > 0 {
		need := (skip + len(dst) + p.cols - 1) / p.cols
		m, err := p.matrix(row, row+min(need, blockRows(p.cols)), nil)
		if err != nil {
			return err
		}
		for r := range m.Rows() {
			if err := m.DequantizeRow(buf, r); err != nil {
				return err
			}
			n := min(len(dst), len(buf)-skip)
			for i, x := range buf[skip : skip+n] {
				dst[i] = T(x)
			}
			dst, skip = dst[n:], 0
		}
		row += m.Rows()
	}
	return nil
}

// Matrix reads a quantized tensor into memory, with large pages where the system offers
// them, or maps it, see [OpenMapped]. A shape of more than two dimensions becomes a
// matrix with the columns of the last. The error matches [ErrNoTensor],
// [quant.ErrShape] if the tensor is not quantized, or [quant.ErrFormat]. Only [Verify]
// checks checksums.
func (c *Checkpoint) Matrix(name string) (*quant.Matrix, error) {
	t, ok := c.Tensor(name)
	if !ok {
		return nil, &TensorError{name, ErrNoTensor}
	}
	return c.MatrixRows(name, 0, t.Rows())
}

// MatrixRows is [Checkpoint.Matrix] for rows lo to hi−1, lo < hi. It reads no others,
// for engines that split a layer and for tensors larger than memory. For a tensor with
// rows of several types, it also reads the part of each row once, and keeps it, a byte
// a row.
func (c *Checkpoint) MatrixRows(name string, lo, hi int) (*quant.Matrix, error) {
	i, ok := c.find(name)
	if !ok {
		return nil, &TensorError{name, ErrNoTensor}
	}
	p, ok := c.data[i].(*packed)
	if !ok {
		return nil, &TensorError{name, fmt.Errorf("%w: it is not quantized, but %s", quant.ErrShape, c.tensors[i].DType)}
	}
	if lo < 0 || hi <= lo || hi > p.rows {
		return nil, &TensorError{name, fmt.Errorf("%w: rows %d to %d of %d", quant.ErrShape, lo, hi, p.rows)}
	}
	m, err := p.matrix(lo, hi, p.f.Map())
	return m, tensorError(name, err)
}

// ReadRows reads rows lo to hi−1 of a tensor into dst, which must have (hi − lo)·Cols
// elements. Floats are converted to float32, exactly except for F64; quantized tensors
// are dequantized. Memory is bounded by a block of rows. The error matches
// [ErrNoTensor], [ErrUnsupported] if the elements are not floats, or [quant.ErrShape].
func (c *Checkpoint) ReadRows(dst []float32, name string, lo, hi int) error {
	i, ok := c.find(name)
	if !ok {
		return &TensorError{name, ErrNoTensor}
	}
	t := c.tensors[i]
	switch {
	case !t.Float:
		return &TensorError{name, c.whyNot(t)}
	case lo < 0 || hi < lo || hi > t.Rows():
		return &TensorError{name, fmt.Errorf("%w: rows %d to %d of %d", quant.ErrShape, lo, hi, t.Rows())}
	case len(dst) != (hi-lo)*t.Cols():
		return &TensorError{name, fmt.Errorf("%w: len(dst) is %d, want %d", quant.ErrShape, len(dst), (hi-lo)*t.Cols())}
	}
	return tensorError(name, c.data[i].Read(dst, int64(lo)*int64(t.Cols())))
}

const blockWeights = 1 << 18 // quantized or dequantized at a time

func blockRows(cols int) int { return max(1, blockWeights/max(cols, 1)) }

// leBytes returns the bytes of floats as the file has them.
func leBytes(vs []float32) []byte {
	b, _ := rawfloat.Append(make([]byte, 0, 4*len(vs)), vs, rawfloat.F32)
	return b
}
