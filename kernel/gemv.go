package kernel

import (
	"unsafe"

	"github.com/bitmod-go/bitmod/quant"
)

// GEMV writes m·a to dst, which must be m.Rows() long. It runs on the caller's
// goroutine and does not allocate; a [Pool] shares the work among several. If rows of m
// are of several types, each row gives the same bits as in a product of its part alone.
// The error matches ErrShape if dst or a has the wrong length, or nothing is loaded
// into a; dst is then not written to. dst must not be memory of m or a.
func GEMV(dst []float32, m *quant.Matrix, a *Activation) error {
	if err := check(len(dst), shapeOf(m), a); err != nil {
		return err
	}
	multiply(dst, m, a, 0, len(dst), best)
	return nil
}

// GEMVRows writes rows lo to hi−1 of m·a to dst[lo:hi]. dst has room for the whole
// product, m.Rows() elements. Engines with threads of their own give each thread some
// rows; the result is the same for any division. For errors see [GEMV].
func GEMVRows(dst []float32, m *quant.Matrix, a *Activation, lo, hi int) error {
	if err := check(len(dst), shapeOf(m), a); err != nil {
		return err
	}
	if err := checkRange(lo, hi, len(dst)); err != nil {
		return err
	}
	multiply(dst, m, a, lo, hi, best)
	return nil
}

// multiply computes rows lo to hi−1 into dst[lo:hi].
func (p *plan) multiply(dst []float32, a *Activation, lo, hi int, impl implementation) {
	switch a.mode {
	case int8Mode:
		p.multiplyIntegers(dst, a, lo, hi, impl)
		return
	case int16Mode:
		p.multiplyInt16(dst, a, lo, hi, impl)
		return
	}
	switch p.floatLoop(1, impl) {
	case byPanels:
		floatPanelRows(dst, p, unsafe.Slice(a, 1), lo, hi, impl)
		return
	case bySteps:
		// floatRows leaves rows of other types and groups.
		lo = floatRows(dst, p, a, lo, hi, impl)
	}
	for r := lo; r < hi; r++ {
		var acc [floatLanes]float32
		p.floatRow(&acc, a, r, 0, impl)
		dst[r] = p.finishFloat(&acc, r)
	}
}

// multiplyIntegers is multiply for integer mode.
func (p *plan) multiplyIntegers(dst []float32, a *Activation, lo, hi int, impl implementation) {
	switch l := p.loop(1, impl); l {
	case byPanels, stepsAndPanels, groupsAndPanels:
		panelRows(dst, p, unsafe.Slice(a, 1), lo, hi, l != byPanels, impl)
		return
	case byPairs:
		lo = integerRowsPortable(dst, p, a, lo, hi)
	case byWeight:
	default:
		integerRows(dst, p, a, lo, hi, l, impl)
		return
	}
	for r := lo; r < hi; r++ {
		var acc [lanes]float32
		p.integerRow(&acc, a, r, 0, impl)
		dst[r] = p.finish(&acc, r)
	}
}
