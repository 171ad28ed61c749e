package serial

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Bidirectional bit sparsity (BBS, arXiv 2409.05227): of the bits of one
// significance in a group of INT8 weights, a column, either the ones or the zeros
// are at most half. As Σ over ones of a = Σ a − Σ over zeros of a, a processing
// element can work through the rarer kind and skip the rest.

const (
	bbsGroup    = 32 // weights that share metadata
	bbsSubgroup = 8  // weights of which an element takes one column in a cycle
	bbsConst    = 6  // bits of the constant in the metadata; 2 more count columns
	// bbsRedundant is the largest number of redundant columns that the metadata
	// can count.
	bbsRedundant = 3
)

// A BBSMethod says how bit columns are taken out of a group.
type BBSMethod uint8

const (
	// RoundedAveraging replaces the low bits of all weights of a group by the
	// rounded mean of these bits.
	RoundedAveraging BBSMethod = iota
	// ZeroPointShifting adds to all weights of a group the constant, −32…31,
	// that makes rounding them to multiples of a power of two cost least, by
	// squared error; it is subtracted again from the product.
	ZeroPointShifting
)

// String returns the name of the method.
func (m BBSMethod) String() string {
	switch m {
	case RoundedAveraging:
		return "rounded averaging"
	case ZeroPointShifting:
		return "zero-point shifting"
	}
	return fmt.Sprintf("serial.BBSMethod(%d)", uint8(m))
}

// A BBSConfig says how much is pruned.
type BBSConfig struct {
	Method BBSMethod
	// Columns is the number of the 8 bit columns that are left out of each
	// group, 1…6: first those that repeat the sign (up to 3, losing nothing),
	// then the lowest.
	Columns int
	// Sensitive is the share of channels, those with the largest scales, that
	// keep their 8 bits. It is rounded to a multiple of 32 channels.
	Sensitive float64
}

// BBSConservative returns the paper's conservative setting: 2 columns, averaged,
// 10 % of the channels left alone.
func BBSConservative() BBSConfig { return BBSConfig{RoundedAveraging, 2, .10} }

// BBSModerate returns the paper's moderate setting: 4 columns, shifted, 20 % of
// the channels left alone.
func BBSModerate() BBSConfig { return BBSConfig{ZeroPointShifting, 4, .20} }

// A BBS is a matrix of INT8 weights, pruned and packed in bit columns. It is
// immutable and safe for concurrent use. Its memory is
//
//	per channel   1 bit: whether it is sensitive
//	per group     of 32 weights of a channel (the last of a row may be shorter):
//	              the metadata byte, constant·4 + redundant columns, unless the
//	              channel is sensitive; then the columns that are left, the
//	              highest first, each ⌈weights/8⌉ bytes, weight i at bit i%8 of
//	              byte i/8
type BBS struct {
	config     BBSConfig
	rows, cols int
	sensitive  []bool
	start      []int // of each row in data
	data       []byte
}

// CompressBBS prunes and packs w, row-major rows × cols weights, row r with the
// scale scales[r]. It only reads its arguments. The error wraps [ErrShape] or
// [ErrConfig].
func CompressBBS(w []int8, cols int, scales []float32, c BBSConfig) (*BBS, error) {
	if cols < 1 || len(w) == 0 || len(w)%cols != 0 {
		return nil, shapeError("len(w)", len(w), "a multiple of %d (columns), at least 1", cols)
	}
	rows := len(w) / cols
	if len(scales) != rows {
		return nil, shapeError("len(scales)", len(scales), "%d (rows)", rows)
	}
	switch {
	case c.Method > ZeroPointShifting:
		return nil, &ConfigError{"BBSConfig.Method", c.Method, "rounded averaging or zero-point shifting"}
	case c.Columns < 1 || c.Columns > bbsConst:
		return nil, &ConfigError{"BBSConfig.Columns", c.Columns, "1…6"}
	case !(c.Sensitive >= 0 && c.Sensitive <= 1):
		return nil, &ConfigError{"BBSConfig.Sensitive", c.Sensitive, "0…1"}
	}
	b := &BBS{config: c, rows: rows, cols: cols, sensitive: sensitiveRows(scales, c.Sensitive)}
	for r := range rows {
		b.start = append(b.start, len(b.data))
		for group := range slices.Chunk(w[r*cols:(r+1)*cols], bbsGroup) {
			g := bbsPart{planes: 8}
			q := make([]int16, len(group))
			for i, v := range group {
				q[i] = int16(v)
			}
			if !b.sensitive[r] {
				g, q = c.prune(q)
				b.data = append(b.data, uint8(g.constant)<<2|uint8(g.redundant))
			}
			b.data = appendPlanes(b.data, q, g)
		}
	}
	return b, nil
}

// sensitiveRows marks the share of the rows that has the largest scales, of equal
// ones the first.
func sensitiveRows(scales []float32, share float64) []bool {
	marks, order := make([]bool, len(scales)), make([]int, len(scales))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(scales[j], scales[i]) })
	n := 32 * int(math.Round(share*float64(len(scales))/32))
	for _, r := range order[:min(n, len(order))] {
		marks[r] = true
	}
	return marks
}

// A bbsPart is what a group's columns stand for: with redundant columns left out
// above and low left out below, its planes hold q = value >> low in 8−redundant−low
// bits.
type bbsPart struct {
	redundant, low int
	planes         int
	constant       int8 // 6 bits: the low bits, or what was added
}

// prune returns how a group is pruned and its weights on the grid that is left,
// as integers value >> low.
func (c BBSConfig) prune(w []int16) (bbsPart, []int16) {
	if c.Method == ZeroPointShifting {
		return c.shift(w)
	}
	g := c.part(w)
	sum, q := 0, make([]int16, len(w))
	for i, v := range w {
		sum += int(v) & (1<<g.low - 1)
		q[i] = v >> g.low
	}
	g.constant = int8(math.RoundToEven(float64(sum) / float64(len(w))))
	return g, q
}

// part counts the columns that repeat the sign, and takes the rest of the columns
// to be pruned from below.
func (c BBSConfig) part(w []int16) bbsPart {
	n := 0 // bits that the largest magnitude needs below the sign
	for _, v := range w {
		n = max(n, bits.Len16(uint16(v^v>>15)))
	}
	r := min(7-n, bbsRedundant, c.Columns)
	return bbsPart{redundant: r, low: c.Columns - r, planes: 8 - c.Columns}
}

func (c BBSConfig) shift(w []int16) (bbsPart, []int16) {
	var best bbsPart
	least := math.MaxInt
	shifted, q, bestQ := make([]int16, len(w)), make([]int16, len(w)), make([]int16, len(w))
	for add := -1 << (bbsConst - 1); add < 1<<(bbsConst-1); add++ {
		for i, v := range w {
			shifted[i] = min(max(v+int16(add), -128), 127)
		}
		g := c.part(shifted)
		g.constant = int8(add)
		top := int16(1)<<(g.planes-1) - 1
		err := 0
		for i, v := range shifted {
			// The nearest multiple of 2^low, a tie going up, that the planes hold:
			// rounding up may leave them at the top.
			q[i] = v >> g.low
			if g.low > 0 {
				q[i] = min((v+1<<(g.low-1))>>g.low, top)
			}
			d := int(q[i])<<g.low - add - int(w[i])
			err += d * d
		}
		if err < least {
			least, best = err, g
			copy(bestQ, q)
		}
	}
	return best, bestQ
}

func appendPlanes(dst []byte, q []int16, g bbsPart) []byte {
	for p := g.planes - 1; p >= 0; p-- {
		for part := range slices.Chunk(q, 8) {
			var b byte
			for i, v := range part {
				b |= byte(v>>p&1) << i
			}
			dst = append(dst, b)
		}
	}
	return dst
}

// group reads the head of the group that begins at data, of a row r, and returns
// its planes and what follows.
func (b *BBS) group(r, weights int, data []byte) (g bbsPart, planes, rest []byte) {
	g.planes = 8
	if !b.sensitive[r] {
		g.redundant, g.constant = int(data[0]&3), int8(data[0])>>2
		if b.config.Method == RoundedAveraging {
			g.constant = int8(data[0] >> 2) // unsigned
		}
		g.low = b.config.Columns - g.redundant
		g.planes = 8 - b.config.Columns
		data = data[1:]
	}
	n := g.planes * ((weights + 7) / 8)
	return g, data[:n], data[n:]
}

// offset returns what the constant adds to each weight.
func (b *BBS) offset(g bbsPart) int {
	if b.config.Method == ZeroPointShifting {
		return -int(g.constant)
	}
	return int(g.constant)
}

// Rows returns the number of rows: channels.
func (b *BBS) Rows() int { return b.rows }

// Cols returns the number of columns.
func (b *BBS) Cols() int { return b.cols }

// Bytes returns the size of the encoding: the columns that are left, the
// metadata and the mark of sensitive channels. Uncompressed it is Rows·Cols. The
// channels' scales, which both have, are not counted.
func (b *BBS) Bytes() int { return len(b.data) + (b.rows+7)/8 }

// ColumnBytes returns what the bit columns alone take. It is what the paper's
// sizes, 1.29× and 1.66× smaller, count: 8/(0.9·6 + 0.1·8) and
// 8/(0.8·4 + 0.2·8). With the metadata byte of every 32 weights it would be
// 1.25× and 1.60×.
func (b *BBS) ColumnBytes() int {
	n := len(b.data)
	for _, s := range b.sensitive {
		if !s {
			n -= (b.cols + bbsGroup - 1) / bbsGroup
		}
	}
	return n
}

// Decompress writes the pruned weights to dst, Rows·Cols long (else [ErrShape]).
// Zero-point shifting may leave the range of int8 by up to 32.
func (b *BBS) Decompress(dst []int16) error {
	if len(dst) != b.rows*b.cols {
		return shapeError("len(dst)", len(dst), "%d (rows × columns)", b.rows*b.cols)
	}
	for r := range b.rows {
		data := b.data[b.start[r]:]
		for out := range slices.Chunk(dst[r*b.cols:(r+1)*b.cols], bbsGroup) {
			var g bbsPart
			var planes []byte
			g, planes, data = b.group(r, len(out), data)
			stride := (len(out) + 7) / 8
			for i := range out {
				// The first plane is the sign: start from 0 or −1.
				v := -int(planes[i/8] >> (i % 8) & 1)
				for p := 1; p < g.planes; p++ {
					v = v<<1 | int(planes[p*stride+i/8]>>(i%8)&1)
				}
				out[i] = int16(v<<g.low + b.offset(g))
			}
		}
	}
	return nil
}

// BBSStats is what a multiplication cost on one processing element.
type BBSStats struct {
	Cycles int64 // one column of 8 weights in each
	Booth  int64 // what the same weights take as INT8, in Booth digits
	Bits   int64 // of the columns that are left
	Worked int64 // bits that the lanes worked on; Bits − Worked were skipped
}

// GEMV multiplies the pruned weights by the INT8 activations x, len(x) = Cols: an
// element takes one column of 8 weights a cycle, in which at most four bits are
// ones, or at most four zeros: these go to its four lanes. The sums of eight
// activations, which the zeros are subtracted from, are found once for all rows;
// they and the product of a group's constant with its activations are taken to
// cost no cycles of the element, like the dequantizer. dst, of length Rows, gets
// the exact sums. The error wraps [ErrShape].
func (b *BBS) GEMV(dst []int64, x []int8) (BBSStats, error) {
	if len(x) != b.cols {
		return BBSStats{}, shapeError("len(x)", len(x), "%d (columns)", b.cols)
	}
	if len(dst) != b.rows {
		return BBSStats{}, shapeError("len(dst)", len(dst), "%d (rows)", b.rows)
	}
	var st BBSStats
	for r := range b.rows {
		data := b.data[b.start[r]:]
		dst[r] = 0
		for a := range slices.Chunk(x, bbsGroup) {
			var g bbsPart
			var planes []byte
			g, planes, data = b.group(r, len(a), data)
			stride := (len(a) + 7) / 8
			var p PE
			var all int64 // the sums that zeros were subtracted from, and the constant's
			for i := range stride {
				sub := a[8*i : min(8*i+8, len(a))]
				var sum int64
				for _, v := range sub {
					sum += int64(v)
				}
				all += int64(b.offset(g)) * sum
				for k := range g.planes {
					column := planes[k*stride+i]
					bit := g.planes - 1 - k
					sign := k == 0
					work, lanes, zeros := columnTerms(column, sub, sign, int8(bit+g.low))
					if err := p.StepInt8(&work, &lanes); err != nil {
						return BBSStats{}, err
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
			st.Cycles += int64(p.Cycles())
			st.Booth += int64((len(a) + Lanes - 1) / Lanes * 4)
		}
	}
	return st, nil
}

// columnTerms puts the rarer kind of bits of a column of up to 8 weights on the
// four lanes: ones as they are; zeros negated, to be subtracted from the sum of
// all activations. In the sign column the ones count negative.
func columnTerms(column byte, x []int8, sign bool, bsig int8) (w [Lanes]Term, lanes [Lanes]int8, zeros bool) {
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

// Sparsity counts the bits of INT8 weights that need no work.
type Sparsity struct {
	Bits      int64 // all
	Zeros     int64 // skipped where only zeros are
	Skippable int64 // skipped where each column skips its commoner kind
}

// BitSparsity counts the bits of w, in columns of the given number of
// consecutive weights; len(w) need not be a multiple. Skippable is at least half
// of Bits. The error wraps [ErrConfig].
func BitSparsity(w []int8, weights int) (Sparsity, error) {
	if weights < 1 {
		return Sparsity{}, &ConfigError{"weights", weights, "at least 1"}
	}
	var s Sparsity
	for group := range slices.Chunk(w, weights) {
		var ones [8]int64
		for _, v := range group {
			for k := range ones {
				ones[k] += int64(uint8(v) >> k & 1)
			}
		}
		n := int64(len(group))
		for _, o := range ones {
			s.Bits += n
			s.Zeros += n - o
			s.Skippable += max(o, n-o)
		}
	}
	return s, nil
}
