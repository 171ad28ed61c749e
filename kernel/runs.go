package kernel

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/datatype"
)

// runMeta says of a row, runSteps steps at a time, what vector code wants to know
// for each run of 16 columns or each group. It is large: there is one for many
// rows.
type runMeta struct {
	tables [32*runSteps + 64]byte   // offset into tables.bytes, by run; fillTables writes a little beyond
	scales [32*runSteps + 8]byte    // by group
	k      [32*runSteps + 8]float32 // their values, by group
	values [step * runSteps]byte    // by column: decoded
	sums   [32 * runSteps]int32     // by run
	codes  [256]byte                // of the last step, if it is not whole
}

const runSteps = 8

// fill sets tables and scales for n steps from step s on. The group size must be
// a multiple of 16. What is behind the end of the row is 0.
func (r *runMeta) fill(p *plan, row, s, n int) {
	start, end := s*step, min((s+n)*step, p.cols)
	first, last := start/p.groupSize, (end-1)/p.groupSize
	scales := p.s.Scales[row*p.groups:][first : last+1]
	clear(r.scales[copy(r.scales[:], scales):])
	if p.selectorBits == 0 {
		return // tables is 0 throughout
	}
	at := 0
	if p.groupSize == block || p.groupSize == block/2 || p.groupSize == block/4 {
		r.fillTables(p, row, first, last)
		return
	}
	for g := first; g <= last; g++ {
		offset := uint8(p.selector(row, g) * 16)
		to := 32 * n
		if g < last {
			to = ((g+1)*p.groupSize - start) / 16
		}
		for i := range r.tables[at:to] {
			r.tables[at+i] = offset
		}
		at = to
	}
}

// fillTables is what fill does for tables if a group is 128, 64 or 32 columns.
func (r *runMeta) fillTables(p *plan, row, first, last int) {
	selectors := p.s.Selectors[row*p.selectorBytes : (row+1)*p.selectorBytes]
	bits, mask := p.selectorBits, uint64(1)<<p.selectorBits-1
	perGroup := p.groupSize / 16
	at := 0
	// A byte at a time; all windows begin with a whole one.
	for g := first; g <= last; {
		v := uint64(selectors[g*bits/8])
		for range 8 / bits {
			// The offset for all runs, of which later groups overwrite some.
			binary.LittleEndian.PutUint64(r.tables[at:at+8], (v&mask)*(16*0x0101010101010101))
			v >>= bits
			at += perGroup
		}
		g += 8 / bits
	}
}

// fillK sets k from scales, for n groups.
func (r *runMeta) fillK(p *plan, n int) {
	if p.scale == datatype.RowStep {
		for i, b := range r.scales[:n] {
			r.k[i] = float32(b)
		}
		return
	}
	values := &scaleValues()[p.scale]
	for i, b := range r.scales[:n] {
		r.k[i] = values[b]
	}
}

// decodeEnd looks the codes behind the last whole step of a row, which is step
// whole from step s on, up in table.
func (r *runMeta) decodeEnd(values []byte, p *plan, table []byte, row, s, whole int) {
	var rd reader
	rd.start(p, row, (s+whole)*step)
	for at := whole * step; at < p.cols-s*step; {
		// Up to the next run, as the table may be another.
		codes := rd.next(16 - at%16)
		t := table[r.tables[at/16]:][:16]
		for i, c := range codes {
			values[at+i] = t[c&15]
		}
		at += len(codes)
	}
}

// addSums adds blocks blocks to the lanes of integer mode, given the sums of their
// runs. The first of them is at the start of step s.
func (r *runMeta) addSums(acc *[lanes]float32, p *plan, a *Activation, s, blocks int) {
	g := 0
	end := ((s*step/p.groupSize+1)*p.groupSize - s*step) / 16 // of group g, in runs
	for b := range blocks {
		var sum int32
		var fsum float32
		for i := 8 * b; i < 8*b+8; {
			to := min(end, 8*b+8)
			var partial int32
			for _, v := range r.sums[i:to] {
				partial += v
			}
			if p.scale == datatype.RowStep {
				sum += int32(r.scales[g]) * partial
			} else {
				fsum += float32(float32(partial) * r.k[g])
			}
			if i = to; i == end {
				end += p.groupSize / 16
				g++
			}
		}
		if p.scale == datatype.RowStep {
			fsum = float32(sum)
		}
		acc[b%lanes] += float32(fsum * a.d[s*4+b])
	}
}
