//go:build amd64 && !purego

package kernel

import (
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops"
)

// heads computes the whole steps of rows for one activation.
type heads struct {
	a     *Activation
	impl  implementation
	steps stepArgs // for scales of 128 columns or more
	group groupStepArgs
	table [64]byte
}

// hasHeads reports whether there are loops for the whole steps of a row that are
// faster than panels.
func (p *plan) hasHeads() bool {
	return p.cols >= step && (p.bits == 3 || p.bits == 4) && (p.wideGroups() || p.smallGroups())
}

// wideGroups reports whether the scales are integers, for 128 columns or a multiple.
func (p *plan) wideGroups() bool { return p.scale == datatype.RowStep && p.groupSize%block == 0 }

func (h *heads) start(p *plan, a *Activation, impl implementation) {
	h.a, h.impl = a, impl
	if p.wideGroups() {
		h.steps = stepArgs{rowArgs: p.directRows(p.bytes)}
		return
	}
	p.groupTable(&h.table, p.bytes)
	h.group = p.groupArgs(a, &h.table)
}

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	switch {
	case !p.wideGroups():
		for i := range n {
			h.group.row(p, row+i)
			p.groupSteps(&acc[i], &h.group)
		}
	case p.direct():
		h.steps.start(p, row, 0)
		h.steps.at(h.a, 0, p.cols/step)
		steps(&acc[0], &h.steps, n, p.bits, p.selectorBits, h.impl)
	default:
		for i := range n {
			stepRow(&acc[i], p, h.a, row+i, h.impl)
		}
	}
}

// panelBatch returns the least number of activations that panels multiply faster than
// one after the other. Of other shapes than these, panelVector does single ones, too.
func (p *plan) panelBatch() int {
	switch {
	case p.cols%step != 0 || p.bits != 3 && p.bits != 4:
		return 2
	case p.wideGroups():
		return 6
	case p.smallGroups():
		return 3
	}
	return 2
}

// panelVector computes rows lo to hi−1 for one activation, the last columns or all of
// them by panels. It does nothing, and returns false, for shapes that other loops
// multiply faster, or that panels can't hold.
func panelVector(dst []float32, p *plan, a *Activation, lo, hi int, impl implementation) bool {
	if !p.byPanels().ok {
		return false
	}
	tails := p.hasHeads()
	if tails && p.cols%step == 0 || p.bits == 4 && p.direct() {
		return false // stepRows
	}
	panelRows(dst, p, unsafe.Slice(a, 1), lo, hi, tails, impl)
	return true
}
