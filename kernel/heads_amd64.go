//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/internal/loops"

// heads computes the whole steps of rows for one activation.
type heads struct {
	a     *Activation
	steps stepArgs // for scales of 128 columns or more
	meta  runMeta  // for others
}

// start sets the arguments that are the same for all rows.
func (h *heads) start(p *plan, a *Activation, _ implementation) {
	h.a = a
	if p.traits()&coarse != 0 {
		h.steps = stepArgs{rowArgs: p.directRows(p.bytes)}
		return
	}
	clear(h.meta.tables[:]) // fill leaves them as they are for types with one codebook
}

// release drops pointers to memory of others.
func (h *heads) release() { h.a, h.steps = nil, stepArgs{} }

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	switch {
	case p.directGroups():
		for i := range n {
			addGroups(&acc[i], p, h.a, row+i)
		}
	case p.traits()&coarse == 0:
		for i := range n {
			h.meta.addGroups(&acc[i], p, h.a, row+i)
		}
	case p.direct():
		h.steps.start(p, row, 0)
		h.steps.at(h.a, 0, p.cols/step)
		steps(&acc[0], &h.steps, n, p.bits, p.selectorBits)
	default:
		for i := range n {
			stepRow(&acc[i], p, h.a, row+i)
		}
	}
}
