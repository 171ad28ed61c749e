//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/internal/loops"

// heads computes the whole steps of rows for one activation.
type heads struct {
	a     *Activation
	impl  implementation
	steps stepArgs // for scales of 128 columns or more
	group groupStepArgs
	table [64]byte
	meta  runMeta
}

// start sets what is the same for all rows.
func (h *heads) start(p *plan, a *Activation, impl implementation) {
	h.a, h.impl = a, impl
	if p.traits()&coarse != 0 {
		h.steps = stepArgs{rowArgs: p.directRows(p.bytes)}
		return
	}
	if impl != avx512 {
		clear(h.meta.tables[:]) // which are left out for types of one codebook
		return
	}
	p.groupTable(&h.table, p.bytes)
	h.group = p.groupArgs(a, &h.table)
}

// release forgets memory of others.
func (h *heads) release() { h.a, h.steps, h.group = nil, stepArgs{}, groupStepArgs{} }

// rows sets the lanes of n rows from row on.
func (h *heads) rows(acc *[loops.PanelRows][lanes]float32, p *plan, row, n int) {
	clear(acc[:])
	switch {
	case p.traits()&coarse == 0:
		for i := range n {
			h.groupRow(&acc[i], p, row+i)
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

// groupRow adds the whole steps of a row with scales for less than 128 columns.
func (h *heads) groupRow(acc *[lanes]float32, p *plan, row int) {
	if h.impl != avx512 {
		h.meta.addGroups(acc, p, h.a, row)
		return
	}
	h.group.row(p, row)
	p.groupSteps(acc, &h.group)
}
