//go:build amd64 && !purego

package kernel

import (
	"github.com/bitmod-go/bitmod/internal/loops"
	"unsafe"
)

// heads computes the whole steps of rows with small groups for one activation.
type heads struct {
	group groupStepArgs
	table [64]byte
}

// hasHeads reports whether there are loops for the whole steps of a row that are
// faster than panels.
func (p *plan) hasHeads() bool { return p.cols >= step && p.smallGroups() }

func (h *heads) start(p *plan, a *Activation) {
	p.groupTable(&h.table, p.bytes)
	h.group = p.groupArgs(a, &h.table)
}

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	for i := range n {
		h.group.row(p, row+i)
		p.groupSteps(&acc[i], &h.group)
	}
}

// panelBatch returns the least number of activations that panels multiply faster than
// one after the other. Of other shapes than these, panelVector does single ones, too.
func (p *plan) panelBatch() int {
	switch {
	case p.hasFours():
		return 6
	case p.cols%step == 0 && p.smallGroups():
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
	if tails && p.cols%step == 0 {
		return false // groupRows
	}
	panelRows(dst, p, unsafe.Slice(a, 1), lo, hi, tails, impl)
	return true
}
