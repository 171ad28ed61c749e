package hf

import "io"

// Data reads the elements of a tensor, row by row.
type Data interface {
	// Read and Read64 read elements from first on.
	Read(dst []float32, first int64) error
	Read64(dst []float64, first int64) error
}

// A View computes the elements of one tensor from those of others. Memory is bounded by
// some rows.
type View interface {
	// Open returns the elements of a tensor of the given shape.
	Open(shape []int, from []Data) Data
}

// Copied is the View of a tensor that is as it was.
type Copied struct{}

// Open returns the elements as they are.
func (Copied) Open(_ []int, from []Data) Data { return from[0] }

// Rows is the View of a tensor whose rows are in another order, or a part of a larger
// tensor. Rows of all types are whole blocks, so that their bytes can be moved.
type Rows struct {
	// From returns the row of the source that is row r.
	From func(r int64) int64
}

// Open returns rows of the first source.
func (v Rows) Open(shape []int, from []Data) Data {
	cols := int64(1)
	if len(shape) > 1 {
		cols = int64(shape[len(shape)-1])
	}
	return rowData{from[0], v.From, cols}
}

type rowData struct {
	d    Data
	from func(int64) int64
	cols int64
}

func (r rowData) Read(dst []float32, first int64) error {
	return r.each(int64(len(dst)), first, func(at, n, src int64) error { return r.d.Read(dst[at:at+n], src) })
}

func (r rowData) Read64(dst []float64, first int64) error {
	return r.each(int64(len(dst)), first, func(at, n, src int64) error { return r.d.Read64(dst[at:at+n], src) })
}

// each calls read for runs of n elements that lie together in the source.
func (r rowData) each(n, first int64, read func(at, n, src int64) error) error {
	for at := int64(0); at < n; {
		row, col := (first+at)/r.cols, (first+at)%r.cols
		from := r.from(row)
		run := r.cols - col
		for next := int64(1); run < n-at && r.from(row+next) == from+next; next++ {
			run += r.cols
		}
		run = min(run, n-at)
		if err := read(at, run, from*r.cols+col); err != nil {
			return err
		}
		at += run
	}
	return nil
}

// Bytes returns a reader of the bytes of a tensor of size bytes in rows rows,
// given those of the source.
func (v Rows) Bytes(source io.ReaderAt, rows, size int64) *io.SectionReader {
	return io.NewSectionReader(rowBytes{source, v.From, size / max(rows, 1), size}, 0, size)
}

type rowBytes struct {
	r         io.ReaderAt
	from      func(int64) int64
	row, size int64
}

func (r rowBytes) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		if off >= r.size {
			return n, io.EOF
		}
		row, skip := off/r.row, off%r.row
		part := p[n:min(int64(len(p)), int64(n)+r.row-skip)]
		m, err := r.r.ReadAt(part, r.from(row)*r.row+skip)
		n += m
		off += int64(m)
		if m < len(part) {
			if err == nil || err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	return n, nil
}

// unpermuted returns the order of rows that llama.cpp changes for its rotary
// embedding, which turns pairs of neighbours where Hugging Face's turns halves.
func unpermuted(heads, rows int64) Rows {
	dim := rows / heads
	half := dim / 2
	return Rows{func(r int64) int64 {
		head, at := r/dim, r%dim
		return head*dim + at%half*2 + at/half
	}}
}

// rowsFrom returns the view of rows from first on.
func rowsFrom(first int64) Rows { return Rows{func(r int64) int64 { return first + r }} }

// Shifted is the View of a tensor to which a number was added.
type Shifted struct{ By float32 }

// Open returns the elements with v.By added in float32.
func (v Shifted) Open(_ []int, from []Data) Data { return shifted{from[0], v.By} }

type shifted struct {
	d  Data
	by float32
}

func (s shifted) Read(dst []float32, first int64) error {
	if err := s.d.Read(dst, first); err != nil {
		return err
	}
	for i := range dst {
		dst[i] += s.by
	}
	return nil
}

func (s shifted) Read64(dst []float64, first int64) error { return widened(s, dst, first) }

// widened reads float32 elements as float64.
func widened(d interface {
	Read(dst []float32, first int64) error
}, dst []float64, first int64) error {
	buf := make([]float32, min(len(dst), 4096))
	for len(dst) > 0 {
		part := buf[:min(len(dst), len(buf))]
		if err := d.Read(part, first); err != nil {
			return err
		}
		for i, x := range part {
			dst[i] = float64(x)
		}
		dst, first = dst[len(part):], first+int64(len(part))
	}
	return nil
}

// Transposed is the View of a tensor, or of a stack of several, that was [in, out] and
// is [out, in]. A tensor made of k sources has their rows in turn as its columns.
type Transposed struct {
	stack, rows, cols int64 // of each source
}

// Open returns the elements in the order of the transpose. Reading them in the order of
// the sources is faster: see [Turned].
func (v Transposed) Open(_ []int, from []Data) Data { return Turned{v, from} }

// Turned are the elements of a [Transposed].
type Turned struct {
	v    Transposed
	from []Data
}

func (t Turned) Read(dst []float32, first int64) error {
	return readTurned(t, dst, first, Data.Read)
}

func (t Turned) Read64(dst []float64, first int64) error {
	return readTurned(t, dst, first, Data.Read64)
}

// Untransposed returns the transpose of the last two dimensions: rows of the
// sources, in turn.
func (t Turned) Untransposed() Data { return inTurn{t} }

// maxTurned is the largest number of rows that are made at a time.
const maxTurned = 256

// readTurned reads some columns of the sources, a row at a time, into rows.
func readTurned[T float32 | float64](t Turned, dst []T, first int64, read func(d Data, dst []T, first int64) error) error {
	v, k := t.v, int64(len(t.from))
	width := v.rows * k
	var buf [maxTurned]T
	for len(dst) > 0 {
		row, skip := first/width, first%width
		at, col := row/v.cols, row%v.cols
		n := min((skip+int64(len(dst))+width-1)/width, v.cols-col, maxTurned)
		strip := buf[:n]
		end := min(skip+int64(len(dst)), n*width)
		for i := range width {
			if n == 1 && (i < skip || i >= end) {
				continue
			}
			if err := read(t.from[i%k], strip, (at*v.rows+i/k)*v.cols+col); err != nil {
				return err
			}
			for r, x := range strip {
				if p := int64(r)*width + i; p >= skip && p < end {
					dst[p-skip] = x
				}
			}
		}
		dst, first = dst[end-skip:], first+end-skip
	}
	return nil
}

// InTurn is the View of a tensor whose columns come from several in turn.
type InTurn struct{}

// Open returns an element of each source in turn.
func (InTurn) Open(_ []int, from []Data) Data { return inTurn{Turned{Transposed{cols: 1}, from}} }

// inTurn has the rows of several sources in turn.
type inTurn struct{ t Turned }

func (d inTurn) Read(dst []float32, first int64) error {
	return readInTurn(d.t, dst, first, Data.Read)
}

func (d inTurn) Read64(dst []float64, first int64) error {
	return readInTurn(d.t, dst, first, Data.Read64)
}

func readInTurn[T float32 | float64](t Turned, dst []T, first int64, read func(d Data, dst []T, first int64) error) error {
	k := int64(len(t.from))
	if k == 1 {
		return read(t.from[0], dst, first)
	}
	for len(dst) > 0 {
		row, skip := first/t.v.cols, first%t.v.cols
		part := dst[:min(int64(len(dst)), t.v.cols-skip)]
		if err := read(t.from[row%k], part, row/k*t.v.cols+skip); err != nil {
			return err
		}
		dst, first = dst[len(part):], first+int64(len(part))
	}
	return nil
}
