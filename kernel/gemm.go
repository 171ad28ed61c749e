package kernel

import "github.com/bitmod-go/bitmod/quant"

// GEMM multiplies m by a batch of activations, as for the prefill of a prompt:
// dst[t·m.Rows() + r] is row r of m·as[t], the same bits as from [GEMV]. Weights are
// unpacked once for many activations. GEMM runs on the caller's goroutine and does not
// allocate. len(dst) must be len(as)·m.Rows(). An empty batch is not an error; for
// other errors see [GEMV].
func GEMM(dst []float32, m *quant.Matrix, as []Activation) error {
	if err := checkBatch(len(dst), shapeOf(m), as); err != nil {
		return err
	}
	multiplyBatch(dst, m, as, 0, m.Rows(), best)
	return nil
}

// GEMMRows writes rows lo to hi−1 of all products of [GEMM] to their places in dst,
// which has room for all rows of all products. Engines with threads of their own give
// each thread some rows, best a multiple of 64, so that weights are unpacked once for
// the whole batch. The result is the same for any division. For errors see [GEMM].
func GEMMRows(dst []float32, m *quant.Matrix, as []Activation, lo, hi int) error {
	if err := checkBatch(len(dst), shapeOf(m), as); err != nil {
		return err
	}
	if err := checkRange(lo, hi, m.Rows()); err != nil {
		return err
	}
	multiplyBatch(dst, m, as, lo, hi, best)
	return nil
}

// multiplyBatch computes rows lo to hi−1 for all activations: by panels, if these are
// faster for their number, or else by one activation after the other, with as many rows
// at a time as stay in the cache.
func (p *plan) multiplyBatch(dst []float32, as []Activation, lo, hi int, impl implementation) {
	switch n := len(as); {
	case n < 2 || !oneMode(as):
	case as[0].mode == int8Mode && p.loop(n, impl) == byPanels:
		panelRows(dst, p, as, lo, hi, false, impl)
		return
	case as[0].mode == int16Mode:
		p.multiplyInt16Batch(dst, as, lo, hi, impl)
		return
	case as[0].mode == floatMode && p.floatLoop(n, impl) == byPanels:
		floatPanelRows(dst, p, as, lo, hi, impl)
		return
	}
	tile := max(1, 1<<18/max(1, p.rowBytes))
	if impl == portable {
		tile = max(tile, pairTile)
	}
	for ; lo < hi; lo += tile {
		for t := range as {
			p.multiply(dst[t*p.rows:(t+1)*p.rows], &as[t], lo, min(lo+tile, hi), impl)
		}
	}
}

// oneMode reports whether all activations are in the mode of the first.
func oneMode(as []Activation) bool {
	for i := range as {
		if as[i].mode != as[0].mode {
			return false
		}
	}
	return true
}
