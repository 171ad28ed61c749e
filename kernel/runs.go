package kernel

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/datatype"
)

// runMeta has the scales and tables of a row, for each run of 16 columns or each group,
// in the order of vector code, runSteps steps at a time. It is large, so many rows
// share one.
type runMeta struct {
	tables [32*runSteps + 64]byte   // offset into tables.bytes, by run; fillTables writes a little beyond
	scales [32*runSteps + 8]byte    // by group
	k      [32*runSteps + 8]float32 // their values, by group
	runK   [32 * runSteps]float32   // the same by run
	values [step * runSteps]byte    // by column: decoded
	codes  [256]byte                // of the last step, if it is not whole
}

const runSteps = 8

// fill sets tables and scales for n steps from step s on, with zeros after the end of
// the row. The group size must be a multiple of 16.
func (r *runMeta) fill(p *plan, row, s, n int) {
	start, end := s*step, min((s+n)*step, p.cols)
	first, last := start/p.groupSize, (end-1)/p.groupSize
	scales := p.s.Scales[row*p.groups:][first : last+1]
	clear(r.scales[copy(r.scales[:], scales):])
	if p.selectorBits == 0 {
		return // tables is 0 throughout
	}
	at := 0
	if block%p.groupSize == 0 && first*p.selectorBits%8 == 0 {
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

// fillTables is fill for tables, if groups have 128, 64, 32 or 16 columns and the
// selector of the first is at the start of a byte.
func (r *runMeta) fillTables(p *plan, row, first, last int) {
	selectors := p.s.Selectors[row*p.selectorBytes : (row+1)*p.selectorBytes]
	bits, mask := p.selectorBits, uint64(1)<<p.selectorBits-1
	perGroup := p.groupSize / 16
	at := 0
	if bits == 2 && perGroup < 8 {
		fillPairs(r.tables[:], selectors[first/4:last/4+1], perGroup)
		return
	}
	// A byte at a time.
	for g := first; g <= last; {
		v := uint64(selectors[g*bits/8])
		for range 8 / bits {
			// The offset is written to all runs; later groups overwrite some.
			binary.LittleEndian.PutUint64(r.tables[at:at+8], (v&mask)*(16*0x0101010101010101))
			v >>= bits
			at += perGroup
		}
		g += 8 / bits
	}
}

// fillPairs is fillTables for selectors of 2 bits, and 1, 2 or 4 runs a group.
func fillPairs(tables, selectors []byte, perGroup int) {
	for _, b := range selectors {
		v := uint64(b)
		v = (v | v<<28) & 0x0000000f0000000f
		v = (v | v<<14) & 0x0003000300030003 // 16 bits each
		switch perGroup {
		case 1:
			v = (v | v>>8) & 0x0000ffff0000ffff
			binary.LittleEndian.PutUint32(tables, uint32(v|v>>16)*16)
		case 2:
			binary.LittleEndian.PutUint64(tables, v*(16*0x0101))
		case 4:
			lo, hi := v&0x30003, v>>32
			binary.LittleEndian.PutUint64(tables, (lo|lo<<16)&0x300000003*(16*0x01010101))
			binary.LittleEndian.PutUint64(tables[8:], (hi|hi<<16)&0x300000003*(16*0x01010101))
		}
		tables = tables[4*perGroup:]
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

// blocks returns the number of blocks that have columns in n steps from step s on.
func (p *plan) blocks(s, n int) int { return min(4*n, (p.cols-1)/block+1-4*s) }

// fillRunK sets k and runK from scales, for blocks from step s on.
func (r *runMeta) fillRunK(p *plan, s, blocks int) {
	runs, n := p.groupSize/16, 8*blocks
	end := runs - s*32%runs // of the first group
	r.fillK(p, (n-end+runs-1)/runs+1)
	for at, g := 0, 0; at < n; g++ {
		k := r.k[g]
		to := min(end, n)
		for i := range r.runK[at:to] {
			r.runK[at+i] = k
		}
		at, end = to, end+runs
	}
}

// decodeEnd looks up the 2-bit codes after the last whole step of a row in table;
// whole is the number of that step from step s on. Other codes go through lastStep.
func (r *runMeta) decodeEnd(values []byte, p *plan, table []byte, row, s, whole int) {
	var rd reader
	rd.start(p, row, (s+whole)*step)
	for at := whole * step; at < p.cols-s*step; {
		// Up to the next group, as the table may be another.
		codes := rd.next(p.groupSize - (s*step+at)%p.groupSize)
		t := (*[16]byte)(table[r.tables[at/16]:])
		v := values[at:][:len(codes)]
		for i, c := range codes {
			v[i] = t[c&15]
		}
		at += len(codes)
	}
}
