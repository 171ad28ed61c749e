//go:build amd64 && !purego

package kernel

// rowArgs point at rows of codes for the functions of steps: their next steps·512
// columns, with a scale and a selector for every 128 of them.
type rowArgs struct {
	codes     *byte
	scales    *byte
	selectors *byte
	// From row to row.
	codeStride, scaleStride, selectorStride int

	table *byte // 16 bytes per selector: tables.bytes, or tables.signed in float mode
}

// directRows returns the rowArgs that are the same for all rows of a matrix that is
// direct.
func (p *plan) directRows(table []byte) rowArgs {
	return rowArgs{
		codeStride:     p.rowBytes,
		scaleStride:    p.groups,
		selectorStride: p.selectorBytes,
		table:          &table[0],
	}
}

// start points args, which directRows returned, at step s of a row.
func (args *rowArgs) start(p *plan, row, s int) {
	args.codes = &p.s.Codes[row*p.rowBytes+s*step*p.bits/8]
	args.scales = &p.s.Scales[row*p.groups+4*s]
	if p.selectorBits > 0 {
		args.selectors = &p.s.Selectors[row*p.selectorBytes+s*p.selectorBits/2]
	}
}

// A tail has the columns after the whole steps of some rows, as a step filled up with
// zeros.
type tail struct {
	codes     [tileRows][step]byte
	scales    [tileRows][4]byte
	selectors [tileRows][2]byte
}

// fill sets t to the tails of n rows of codes of 3, 4 or 8 bits. Groups must be whole
// blocks.
func (t *tail) fill(p *plan, row, n int) {
	first, perGroup := p.cols/step*4, p.groupSize/block
	blocks := (p.cols-1)/block + 1 - first
	for i := range n {
		if p.bits == 8 {
			end := (row + i + 1) * p.rowBytes
			clear(t.codes[i][copy(t.codes[i][:], p.s.Codes[end-p.cols%step:end]):])
		} else {
			p.lastStep((*[256]byte)(t.codes[i][:]), row+i)
		}
		t.scales[i], t.selectors[i] = [4]byte{}, [2]byte{}
		for b := range blocks {
			g := (first + b) / perGroup
			t.scales[i][b] = p.scaleByte(row+i, g)
			t.selectors[i][b/2] |= uint8(p.selector(row+i, g) << (b % 2 * 4))
		}
	}
}

// rows returns the tails as rows of one step.
func (t *tail) rows(table []byte) rowArgs {
	return rowArgs{
		codes: &t.codes[0][0], scales: &t.scales[0][0], selectors: &t.selectors[0][0],
		codeStride: len(t.codes[0]), scaleStride: len(t.scales[0]), selectorStride: len(t.selectors[0]),
		table: &table[0],
	}
}

// selectorBits returns the size of selectors in stepMeta for p.
func selectorBits(p *plan) int {
	if p.selectorBits == 0 {
		return 0
	}
	return 4
}
