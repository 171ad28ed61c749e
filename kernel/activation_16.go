package kernel

import (
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// Load16 prepares x as two vectors of 8-bit integers: [Activation.Load] of x, and Load of
// the remainders after rounding. Errors of products are some 250 times smaller than after
// Load. Products take up to twice as long, because both vectors are multiplied. If x is
// empty (ErrShape) or has a NaN or an infinity (ErrNotFinite), Load16 returns an error,
// and nothing is loaded.
func (a *Activation) Load16(x []float32) error { return a.load16(x, best) }

func (a *Activation) load16(x []float32, impl implementation) error {
	if err := a.start(len(x)); err != nil {
		return err
	}
	if a.planes == nil {
		a.planes = make([]Activation, 2)
	}
	high, low := &a.planes[0], &a.planes[1]
	if err := high.load(x, impl); err != nil {
		return err
	}
	a.x = resize(a.x, len(x))
	setRemainders(a.x, x, high, impl)
	// A remainder is at most half of a scale, so load does not fail.
	if err := low.load(a.x, impl); err != nil {
		return err
	}
	a.n, a.mode = len(x), int16Mode
	return nil
}

// setRemainders sets r to the remainders of x after rounding. a has x loaded.
func setRemainders(r, x []float32, a *Activation, impl implementation) {
	done := remainders(r, x, a, 0, impl)
	if left := len(x) - done; done/block == len(x)/block && left > 0 && impl != portable {
		// The columns after the whole blocks are copied to a block padded with zeros.
		var from, to [block]float32
		copy(from[:], x[done:])
		remainders(to[:], from[:], a, done/block, impl)
		done += copy(r[done:], to[:left])
	}
	for i := done; i < len(x); i++ {
		r[i] = floats.FMA(-a.d[i/block], float32(a.q[i]), x[i])
	}
}

// int16RowTile is the number of rows whose two products are computed before they are
// added.
const int16RowTile = 1024

// multiplyInt16 is multiply for int16Mode. It multiplies both vectors as a batch.
func (p *plan) multiplyInt16(dst []float32, a *Activation, lo, hi int, impl implementation) {
	var buf [2 * int16RowTile]float32
	part := *p
	part.skip(lo)
	for n := 0; lo < hi; lo += n {
		n = min(int16RowTile, hi-lo)
		part.rows = n
		part.multiplyBatch(buf[:2*n], a.planes, 0, n, impl)
		addPlanes(dst[lo:lo+n], buf[:n], buf[n:2*n])
		part.skip(n)
	}
}

// addPlanes sets dst to high + low.
func addPlanes(dst, high, low []float32) {
	high, low = high[:len(dst)], low[:len(dst)]
	for i := range dst {
		dst[i] = float32(high[i] + low[i])
	}
}

// An int16Work is the memory for products of a batch in int16Mode.
type int16Work struct {
	planes [2 * int16Tile]Activation
	dst    [2 * int16Tile * int16BatchRows]float32
}

const (
	// int16Tile is the number of activations whose products are computed at a time. A
	// panel is multiplied by twice as many vectors before the next panel is filled.
	int16Tile = 96
	// int16BatchRows is the number of rows that are computed at a time, a multiple of
	// the rows of a panel.
	int16BatchRows = 256
)

var int16Pool = sync.Pool{New: func() any { return new(int16Work) }}

// multiplyInt16Batch is multiplyBatch for int16Mode.
func (p *plan) multiplyInt16Batch(dst []float32, as []Activation, lo, hi int, impl implementation) {
	w := int16Pool.Get().(*int16Work)
	var part plan
	for first := 0; first < len(as); first += int16Tile {
		some := as[first:min(first+int16Tile, len(as))]
		planes := w.planes[:0]
		for i := range some {
			planes = append(planes, some[i].planes...)
		}
		part = *p
		part.skip(lo)
		for row, n := lo, 0; row < hi; row += n {
			n = min(int16BatchRows, hi-row)
			part.rows = n
			part.multiplyBatch(w.dst[:n*len(planes)], planes, 0, n, impl)
			for t := range some {
				sums := w.dst[2*t*n:][:2*n]
				addPlanes(dst[(first+t)*p.rows+row:][:n], sums[:n], sums[n:])
			}
			part.skip(n)
		}
		clear(planes)
	}
	int16Pool.Put(w)
}
