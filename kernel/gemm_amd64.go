//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
)

// batchRows is integerRows for a batch: row r of activation t goes to
// dst[t·p.rows+r]. With AVX2 it unpacks four rows, 4096 columns at a time, and
// multiplies them by one activation after the other.
func batchRows(dst []float32, p *plan, as []Activation, lo, hi int, impl implementation) int {
	for i := range as {
		if !p.integer(&as[i]) {
			return lo
		}
	}
	if impl == avx512 {
		if p.byPanels().ok && len(as) >= p.panelBatch() {
			panelRows(dst, p, as, lo, hi, false, impl)
			return hi
		}
		return lo
	}
	if impl == portable || p.bits > 4 || p.scale != datatype.RowStep || p.groupSize%block != 0 {
		return lo
	}
	// As many activations as the second-level cache may have room for.
	const maxTile, tileBytes = 64, 256 << 10
	tile := max(4, min(maxTile, tileBytes/p.cols))
	var b rowBatch
	for first := 0; first < len(as); first += tile {
		part := as[first:min(first+tile, len(as))]
		for r := lo; r < hi; r += len(b.scales) {
			n := min(len(b.scales), hi-r)
			var acc [maxTile][len(b.scales)][lanes]float32
			b.multiply(acc[:len(part)], p, part, r, n, impl)
			for t := range part {
				for i := range n {
					dst[(first+t)*p.rows+r+i] = p.finish(&acc[t][i], r+i)
				}
			}
		}
	}
	return hi
}

// A rowBatch has some columns of four rows, ready to be multiplied.
type rowBatch struct {
	lined  [4*step*runSteps + line]byte // the values, from where a line begins
	scales [4][4 * runSteps]byte        // by block
	meta   runMeta
}

// line is the size of a line of the cache. Vectors that lie in two of them take twice
// as long to load, and the stack is aligned to words only: whether they did would
// depend on the frames of all callers.
const line = 64

// toLine returns the bytes from b to where a line begins.
func toLine(b *byte) int { return int(-uintptr(unsafe.Pointer(b)) % line) }

// multiply adds n rows, with scales for every 128 columns or a multiple, to the
// lanes of each activation. Lanes of rows beyond get what was there before.
func (b *rowBatch) multiply(acc [][4][lanes]float32, p *plan, as []Activation, row, n int, impl implementation) {
	const columns = step * runSteps
	values := (*[4 * columns]byte)(b.lined[toLine(&b.lined[0]):])
	for s := 0; s*step < p.cols; s += runSteps {
		steps := min(runSteps, (p.cols-1)/step+1-s)
		for i := range n {
			b.meta.fill(p, row+i, s, steps)
			b.meta.decode(values[i*columns:(i+1)*columns], p, p.bytes, row+i, s, steps)
			first := s * step / p.groupSize
			for j := range b.scales[i][:4*steps] {
				b.scales[i][j] = b.meta.scales[(s*step+j*block)/p.groupSize-first]
			}
		}
		for t := range as {
			a := &as[t]
			q, corr, d := &a.q[s*step], &a.corr[s*4], &a.d[s*4]
			batchAVX2(&acc[t], &values[0], &b.scales, q, corr, d, steps)
		}
	}
}
