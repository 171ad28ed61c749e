//go:build amd64 && !purego

package kernel

import (
	"encoding/binary"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
)

// groupRows computes rows with scales for every 16, 32 or 64 columns: whole steps and,
// if endsInPlace is true, the columns after them.
func groupRows(dst []float32, p *plan, a *Activation, lo, hi int) {
	if !p.directGroups() {
		groupRunRows(dst, p, a, lo, hi)
		return
	}
	args := directGroupArgs(p)
	args.q, args.corr16, args.d, args.steps = &a.q[0], &a.corr16[0], &a.d[0], p.cols/step
	left := p.cols % step
	natural := left > 0 && left%block == 0
	if natural {
		// The last blocks are as high as others; bytes after them are multiplied by 0.
		args.steps++
		left = 0
	}
	var end groupEnd
	inPlace := min(hi, p.inPlace(0, args.steps, 8))
	if left > 0 || natural && hi > inPlace {
		end.start(p, a)
	}
	for ; lo < inPlace; lo++ {
		var acc [lanes]float32
		if args.steps > 0 {
			args.row(p, lo)
			groups(&acc, p, &args)
		}
		if left > 0 {
			end.add(&acc, p, lo)
		}
		dst[lo] = p.finish(&acc, lo)
	}
	for ; lo < hi; lo++ {
		var acc [lanes]float32
		addGroups(&acc, p, a, lo)
		if p.cols%step > 0 {
			end.add(&acc, p, lo)
		}
		dst[lo] = p.finish(&acc, lo)
	}
}

// row points args at the beginning of a row of a direct matrix.
func (args *groupArgs) row(p *plan, row int) {
	args.codes = &p.s.Codes[row*p.rowBytes]
	args.scales = &p.s.Scales[row*p.groups]
	if args.runs = args.scales; p.selectorBits > 0 {
		args.runs = &p.s.Selectors[row*p.selectorBytes]
	}
}

// addGroups adds the whole steps of a row of a direct matrix.
func addGroups(acc *[lanes]float32, p *plan, a *Activation, row int) {
	whole := p.cols / step
	switch {
	case whole == 0:
	case row < p.inPlace(0, whole, 8):
		args := directGroupArgs(p)
		args.q, args.corr16, args.d, args.steps = &a.q[0], &a.corr16[0], &a.d[0], whole
		args.row(p, row)
		groups(acc, p, &args)
	default:
		addRuns(acc, p, a, row)
	}
}

// addRuns is addGroups with scales and selectors that are spread out first.
func addRuns(acc *[lanes]float32, p *plan, a *Activation, row int) {
	var r runMeta
	r.addGroups(acc, p, a, row)
}

// directGroupArgs returns the arguments that are the same for all rows.
func directGroupArgs(p *plan) groupArgs {
	return groupArgs{blocks: 4, scaleStep: block / p.groupSize, spread: &spreads[p.groupSize/32], table: &p.bytes[0]}
}

// groups calls the assembly function for a direct matrix.
func groups(acc *[lanes]float32, p *plan, args *groupArgs) {
	switch {
	case p.scale == datatype.E8M0:
		groupsE8M0x0AVX2(acc, args)
	case p.scale == datatype.E4M3:
		groupsE4M3x0AVX2(acc, args)
	case p.bits == 4 && p.selectorBits == 0:
		groups4x0AVX2(acc, args)
	case p.bits == 4 && p.groupSize == 32:
		groups4x2By32AVX2(acc, args)
	case p.bits == 4:
		groups4x2By64AVX2(acc, args)
	case p.selectorBits == 0:
		groups3x0AVX2(acc, args)
	case p.groupSize == 32:
		groups3x2By32AVX2(acc, args)
	default:
		groups3x2By64AVX2(acc, args)
	}
}

// A groupEnd has the activations for the last columns of a row of 4-bit codes, fewer
// than a step. They are in the order for the codes of a whole step, as if the last
// chunks, which are lower, were one chunk of full height. Bytes after the row are
// multiplied by 0. The scales and selectors of a row are copied into that order.
type groupEnd struct {
	q      [step]int8
	corr16 [step / granule]int16
	args   groupArgs

	blocks, groups int // whole blocks, and the groups of the last one
	first          int // group
	// from has the group of the last block at each place, or a number that is not below
	// groups if there is none.
	from      [block / granule]uint8
	scales    [step/granule + 8]byte
	selectors [8]byte
	codes     [step / 2]byte // of the last rows
}

// start sets everything that is the same for all rows.
func (e *groupEnd) start(p *plan, a *Activation) {
	whole := p.cols / step
	at := whole * step
	e.blocks, e.first = p.cols%step/block, at/p.groupSize
	for i := range e.from {
		e.from[i] = 0xff
	}
	for x := 0; at < p.cols; { // byte of the step
		h, n := pack.Chunk(p.cols-at, 4)
		for i := 0; i < n; i += granule {
			to := x/64*block + x%64 + i // the lower halves of bytes
			if i >= h {
				to += 64 - h
			}
			copy(e.q[to:to+granule], a.q[at+i:])
			e.corr16[to/granule] = a.corr16[(at+i)/granule]
			if x/64 == e.blocks {
				e.from[to%block/p.groupSize] = uint8((at + i) % block / p.groupSize)
			}
		}
		x += h
		at += n
	}
	e.groups = p.groups - e.first - e.blocks*block/p.groupSize
	if p.scale == datatype.E8M0 {
		for i := range e.scales {
			e.scales[i] = 127 // 1: smaller ones may be subnormal, which takes long
		}
	}
	e.args = directGroupArgs(p)
	e.args.d, e.args.steps = &a.d[4*whole], 1
	e.args.blocks = (p.cols%step-1)/block + 1
}

// add adds the last columns of a row.
func (e *groupEnd) add(acc *[lanes]float32, p *plan, row int) {
	whole := p.cols / step
	args := e.args
	args.q, args.corr16, args.scales, args.runs = &e.q[0], &e.corr16[0], &e.scales[0], &e.selectors[0]
	if at := row*p.rowBytes + whole*step/2; at+step/2 <= len(p.s.Codes) {
		args.codes = &p.s.Codes[at]
	} else {
		copy(e.codes[:], p.s.Codes[at:(row+1)*p.rowBytes])
		args.codes = &e.codes[0]
	}
	per := block / p.groupSize
	scales := p.s.Scales[row*p.groups+e.first:][:e.blocks*per+e.groups]
	last := e.scales[copy(e.scales[:], scales[:e.blocks*per]):]
	for i, g := range e.from[:per] {
		if int(g) < e.groups {
			last[i] = scales[e.blocks*per+int(g)]
		}
	}
	if p.selectorBits > 0 {
		e.setSelectors(p.s.Selectors[row*p.selectorBytes+e.first/4:(row+1)*p.selectorBytes], per)
	}
	groups(acc, p, &args)
}

// setSelectors sets the selectors of 2 bits, with per groups for a block.
func (e *groupEnd) setSelectors(from []byte, per int) {
	copy(e.selectors[:4], from)
	v := binary.LittleEndian.Uint32(e.selectors[:])
	if e.groups > 0 {
		at := 2 * per * e.blocks
		last := v >> at
		v &= 1<<at - 1
		for i, g := range e.from[:per] {
			if int(g) < e.groups {
				v |= last >> (2 * g) & 3 << (at + 2*i)
			}
		}
	}
	binary.LittleEndian.PutUint32(e.selectors[:], v)
}
