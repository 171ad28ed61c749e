package bbs

import (
	"math/bits"
	"slices"

	"github.com/bitmod-go/bitmod/serial"
)

const (
	groupSize    = 32 // weights that share metadata
	constantBits = 6  // bits of the constant in the metadata; 2 more count columns
	// maxRedundant is the largest number of redundant columns that the metadata
	// can count.
	maxRedundant = 3
)

// A Matrix holds INT8 weights, pruned and packed in bit columns. It is immutable and
// safe for concurrent use. The zero Matrix and nil have no rows.
type Matrix struct {
	config     Config
	rows, cols int
	sensitive  []bool
	start      []int // of each row in data
	data       []byte
}

// Compress prunes and packs w, which has rows × cols weights, row-major. scales[r] is the
// scale of row r; the rows with the largest scales are sensitive. Compress only reads its
// arguments. The error wraps [ErrShape] or [ErrConfig].
func Compress(w []int8, cols int, scales []float32, c Config) (*Matrix, error) {
	if cols < 1 || len(w) == 0 || len(w)%cols != 0 {
		return nil, shapeError("len(w)", len(w), "a multiple of %d (columns), at least 1", cols)
	}
	rows := len(w) / cols
	if len(scales) != rows {
		return nil, shapeError("len(scales)", len(scales), "%d (rows)", rows)
	}
	switch {
	case c.Method > ZeroPointShifting:
		return nil, configError("Config.Method", c.Method, "rounded averaging or zero-point shifting")
	case c.Columns < 1 || c.Columns > constantBits:
		return nil, configError("Config.Columns", c.Columns, "1…6")
	case !(c.Sensitive >= 0 && c.Sensitive <= 1):
		return nil, configError("Config.Sensitive", c.Sensitive, "0…1")
	}
	m := &Matrix{config: c, rows: rows, cols: cols, sensitive: sensitiveRows(scales, c.Sensitive)}
	for r := range rows {
		m.start = append(m.start, len(m.data))
		for group := range slices.Chunk(w[r*cols:(r+1)*cols], groupSize) {
			g := window{planes: 8}
			q := make([]int16, len(group))
			for i, v := range group {
				q[i] = int16(v)
			}
			if !m.sensitive[r] {
				g, q = c.prune(q)
				m.data = append(m.data, uint8(g.constant)<<2|uint8(g.redundant))
			}
			m.data = appendPlanes(m.data, q, g)
		}
	}
	return m, nil
}

func appendPlanes(dst []byte, q []int16, g window) []byte {
	for p := g.planes - 1; p >= 0; p-- {
		for eight := range slices.Chunk(q, 8) {
			var b byte
			for i, v := range eight {
				b |= byte(v>>p&1) << i
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// group reads the head of the group of row r that begins at data. It returns the planes
// of the group and the rest of data.
func (m *Matrix) group(r, weights int, data []byte) (g window, planes, rest []byte) {
	g.planes = 8
	if !m.sensitive[r] {
		g.redundant, g.constant = int(data[0]&3), int8(data[0])>>2
		if m.config.Method == RoundedAveraging {
			g.constant = int8(data[0] >> 2) // unsigned
		}
		g.low = m.config.Columns - g.redundant
		g.planes = 8 - m.config.Columns
		data = data[1:]
	}
	n := g.planes * ((weights + 7) / 8)
	return g, data[:n], data[n:]
}

// offset returns the number that the constant adds to each weight.
func (m *Matrix) offset(g window) int {
	if m.config.Method == ZeroPointShifting {
		return -int(g.constant)
	}
	return int(g.constant)
}

// Rows returns the number of rows: channels.
func (m *Matrix) Rows() int {
	if m == nil {
		return 0
	}
	return m.rows
}

// Cols returns the number of columns.
func (m *Matrix) Cols() int {
	if m == nil {
		return 0
	}
	return m.cols
}

// Bytes returns the size of the encoding: the remaining columns, the metadata and the
// marks of sensitive channels. The uncompressed size is Rows·Cols. The scales of
// channels are not counted in either.
func (m *Matrix) Bytes() int {
	if m == nil {
		return 0
	}
	return len(m.data) + (m.rows+7)/8
}

// Decompress writes the pruned weights to dst, Rows·Cols long (else [ErrShape]).
// Zero-point shifting may leave the range of int8 by up to 32.
func (m *Matrix) Decompress(dst []int16) error {
	if m == nil || m.rows == 0 {
		return errEmpty
	}
	if len(dst) != m.rows*m.cols {
		return shapeError("len(dst)", len(dst), "%d (rows × columns)", m.rows*m.cols)
	}
	for r := range m.rows {
		data := m.data[m.start[r]:]
		for out := range slices.Chunk(dst[r*m.cols:(r+1)*m.cols], groupSize) {
			var g window
			var planes []byte
			g, planes, data = m.group(r, len(out), data)
			stride := (len(out) + 7) / 8
			for i := range out {
				// The first plane is the sign: start from 0 or −1.
				v := -int(planes[i/8] >> (i % 8) & 1)
				for p := 1; p < g.planes; p++ {
					v = v<<1 | int(planes[p*stride+i/8]>>(i%8)&1)
				}
				out[i] = int16(v<<g.low + m.offset(g))
			}
		}
	}
	return nil
}

// Stats is what a multiplication cost on one processing element.
type Stats struct {
	Cycles int64 // one column of 8 weights in each
	Booth  int64 // what the same weights take as INT8, in Booth digits
	Bits   int64 // of the columns that are left
	Worked int64 // bits that the lanes worked on; Bits − Worked were skipped
}

// GEMV multiplies the pruned weights by the INT8 activations x, len(x) = Cols, and sets
// dst, of length Rows, to the exact sums. An element takes one column of 8 weights a
// cycle. At most four of its bits are ones, or at most four are zeros, and these go to
// the four lanes. The sums of eight activations, from which zeros are subtracted, are
// computed once for all rows. Like the dequantizer, these sums and the product of a
// group's constant with its activations count as no cycles of the element. The error
// wraps [ErrShape].
func (m *Matrix) GEMV(dst []int64, x []int8) (Stats, error) {
	if m == nil || m.rows == 0 {
		return Stats{}, errEmpty
	}
	if len(x) != m.cols {
		return Stats{}, shapeError("len(x)", len(x), "%d (columns)", m.cols)
	}
	if len(dst) != m.rows {
		return Stats{}, shapeError("len(dst)", len(dst), "%d (rows)", m.rows)
	}
	var st Stats
	for r := range m.rows {
		data := m.data[m.start[r]:]
		dst[r] = 0
		for a := range slices.Chunk(x, groupSize) {
			var g window
			var planes []byte
			g, planes, data = m.group(r, len(a), data)
			stride := (len(a) + 7) / 8
			var p serial.PE
			var all int64 // the sums that zeros were subtracted from, and the constant's
			for i := range stride {
				sub := a[8*i : min(8*i+8, len(a))]
				var sum int64
				for _, v := range sub {
					sum += int64(v)
				}
				all += int64(m.offset(g)) * sum
				for k := range g.planes {
					column := planes[k*stride+i]
					bit := g.planes - 1 - k
					sign := k == 0
					work, lanes, zeros := columnTerms(column, sub, sign, int8(bit+g.low))
					if err := p.StepInt8(&work, &lanes); err != nil {
						return Stats{}, err
					}
					if zeros {
						if sign {
							all -= sum << (bit + g.low)
						} else {
							all += sum << (bit + g.low)
						}
					}
					st.Bits += int64(len(sub))
					for _, t := range work {
						st.Worked += int64(t.Man)
					}
				}
			}
			// Sums of 32 products of 16 bits are far below 2^53.
			dst[r] += int64(p.Sum()) + all
			st.Cycles += int64(stride * g.planes)
			st.Booth += int64((len(a) + serial.Lanes - 1) / serial.Lanes * 4)
		}
	}
	return st, nil
}

// columnTerms puts the rarer kind of bits of a column of up to 8 weights on the four
// lanes. The terms of zeros are negated, because they are subtracted from the sum of all
// activations. In the sign column, the terms of ones are negative.
func columnTerms(column byte, x []int8, sign bool, bsig int8) (w [serial.Lanes]serial.Term, lanes [serial.Lanes]int8, zeros bool) {
	if zeros = bits.OnesCount8(column) > len(x)/2; zeros {
		column = ^column & (1<<len(x) - 1)
	}
	for i := range w {
		w[i].BSig = bsig
		if column != 0 {
			lanes[i] = x[bits.TrailingZeros8(column)]
			w[i].Man, w[i].Neg = 1, sign != zeros
			column &= column - 1
		}
	}
	return w, lanes, zeros
}
