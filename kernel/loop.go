package kernel

import (
	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops"
)

// granule is the resolution of Activation.prefix in columns. Panels need groups of a
// multiple of it.
const granule = 16

// A loop is a way to multiply a matrix by activations. Float mode has the loops byWeight,
// bySteps (floatRows) and byPanels (floatPanelRows).
type loop uint8

const (
	byWeight        loop = iota // one weight after the other: gemv_generic.go
	byPairs                     // portable: pairs_rows.go
	byFours                     // four rows at a time, with scales for 128 columns or more: fourRows
	bySteps                     // 512 columns of a row, with scales for 128 or more: stepRows
	byGroups                    // the same with scales for 16, 32 or 64: groupRows
	byPanels                    // 64 rows at a time: panelRows
	stepsAndPanels              // whole steps of 512 columns bySteps, and the columns after them byPanels
	groupsAndPanels             // whole steps byGroups, and the columns after them byPanels
)

func (l loop) String() string {
	return [...]string{"weights", "pairs", "fours", "steps", "groups", "panels", "steps and panels", "groups and panels"}[l]
}

// A trait is a property of a matrix that loops need.
type trait uint32

const (
	codes2 trait = 1 << iota // codes of 2 bits
	codes4                   // of 4
	codesNot4
	codes3or4
	codes8
	inFours  // scales and selectors that fourRows can read: see plan.rowKind
	direct   // scales and selectors that the functions of steps can read: see plan.direct
	coarse   // scales that are integers, for 128 columns or a multiple
	integral // scales that are integers
	fine     // scales for 16, 32 or 64 columns: see plan.fine
	whole    // a multiple of 512 columns
	long     // more than 512
	longer   // more than 1024
	longest  // more than 2048
	blocks   // a multiple of 128
	units    // values that are multiples of a unit
	rounded  // values that are rounded to integers
	octets   // see plan.directBytes
	small    // values from −16 to 16 units
	ends     // see plan.endsInPlace
	runs     // codes of up to 4 bits, scales for a multiple of 16 columns
)

// A route is a loop, with the matrices and the numbers of activations for which it is
// faster than panels.
type route struct {
	needs trait
	loop  loop
	most  [implementationCount]uint8 // activations; 0: there is no such loop
}

// routes chooses the loop for a matrix: the first whose traits it has, or else panels.
// The numbers of activations were measured with weights in the cache, for AVX-512 and
// AVX2 on a Zen 4, and for AVX2 with VNNI on a Sapphire Rapids; for arm64, they come
// from models of processors.
var routes = [...]route{
	{inFours | coarse | codes4 | rounded | longest, byFours, most{avx512: 3}},
	{inFours | coarse | codes4, byFours, most{avx512: 2}},
	{inFours | codes4 | longest, byFours, most{avx512: 2}},
	{inFours | codes4, byFours, most{avx512: 1}},
	{inFours | codes8 | whole | longest, byFours, most{avx512: 4}},
	{inFours | codes8, byFours, most{avx512: 3}},
	{inFours | codesNot4, byFours, most{avx512: 2}},

	{small | direct | whole, bySteps, most{avx2: 6, avxVNNI: 5, neon: 6, neonDot: 3, neonMatrix: 3}},
	{small | direct | codes4 | longer, bySteps, most{avx2: 5}},
	{small | direct | codes4, bySteps, most{avx2: 2, avxVNNI: 5}},
	{small | direct | long, stepsAndPanels, most{avx2: 1, avxVNNI: 2, neon: 2, neonDot: 2, neonMatrix: 2}},
	{octets | whole, bySteps, most{avx2: 8, avxVNNI: 2}},
	{octets | longer, bySteps, most{avx2: 6}},
	{octets, bySteps, most{avx2: 2, avxVNNI: 2}},
	{rounded | direct | codes4 | whole, bySteps, most{avx2: 2, avxVNNI: 1}},
	{rounded | direct | codes4, bySteps, most{avx2: 1, avxVNNI: 1}},
	// Loops that first spread out scales or selectors.
	{small | coarse | codes3or4 | whole, bySteps, most{avx2: 1, avxVNNI: 1, neon: 1, neonDot: 1, neonMatrix: 1}},
	{small | coarse | codes3or4 | long, stepsAndPanels, most{avx2: 1, avxVNNI: 1, neon: 1, neonDot: 1, neonMatrix: 1}},
	{small | coarse | codes2 | whole, bySteps, most{avx2: 1, avxVNNI: 1}},

	{small | fine | integral | codes4 | whole, byGroups, most{avx2: 3, avxVNNI: 1}},
	{small | fine | codes3or4 | whole, byGroups, most{avx2: 1, avxVNNI: 1}},
	{small | fine | ends, byGroups, most{avx2: 1, avxVNNI: 1}},
	{small | fine | codes3or4 | longer, groupsAndPanels, most{avx2: 1, avxVNNI: 1}},
	{small | fine | codes2 | whole, byGroups, most{avx2: 1, avxVNNI: 1}},
}

// floatRoutes is routes for float mode.
var floatRoutes = [...]route{
	{direct | longer | blocks, bySteps, most{avx512: 7}},
	{direct | longer, bySteps, most{avx512: 1}},
	{direct | blocks, bySteps, most{avx512: 1}},
	{direct | units | longer, bySteps, most{avx2: 2, avxVNNI: 2}},
	{direct | units | blocks, bySteps, most{avx2: 1, avxVNNI: 1}},
	{fine | codes3or4 | units | whole, bySteps, most{avx512: 1}},
	{fine | codes3or4 | units | longest, bySteps, most{avx512: 2}},
	{runs, bySteps, most{neon: 2, neonDot: 2, neonMatrix: 2}},
}

type most = [implementationCount]uint8

// loop returns the loop for a number of activations at once, in integer mode.
func (p *plan) loop(activations int, impl implementation) loop {
	switch {
	case impl == portable && p.usesPairs():
		return byPairs
	case impl == portable || !p.integerForm().ok:
		return byWeight
	}
	has := p.traits()
	for i := range routes {
		if r := &routes[i]; r.needs&^has == 0 && activations <= int(r.most[impl]) {
			return r.loop
		}
	}
	return byPanels
}

// floatLoop is loop for float mode.
func (p *plan) floatLoop(activations int, impl implementation) loop {
	if form, _ := p.floatForm(); impl == portable || !form.ok {
		return byWeight
	}
	has := p.traits()
	for i := range floatRoutes {
		if r := &floatRoutes[i]; r.needs&^has == 0 && activations <= int(r.most[impl]) {
			return r.loop
		}
	}
	return byPanels
}

// traits returns the traits of the matrix.
func (p *plan) traits() trait {
	var has trait
	_, fours := p.rowKind()
	for _, t := range [...]struct {
		trait trait
		has   bool
	}{
		{codes2, p.bits == 2},
		{codes4, p.bits == 4},
		{codesNot4, p.bits != 4},
		{codes3or4, p.bits == 3 || p.bits == 4},
		{codes8, p.bits == 8},
		{inFours, fours},
		{direct, p.direct()},
		{coarse, p.scale == datatype.RowStep && p.groupSize%block == 0},
		{integral, p.scale == datatype.RowStep},
		{fine, p.fine()},
		{whole, p.cols%step == 0},
		{long, p.cols > step},
		{longer, p.cols > 2*step},
		{longest, p.cols > 4*step},
		{blocks, p.cols%block == 0},
		{units, p.exact},
		{rounded, !p.exact},
		{octets, p.directBytes()},
		{ends, p.endsInPlace()},
		{runs, p.bits <= 4 && p.groupSize%granule == 0},
		{small, p.exact && p.bits <= 4},
	} {
		if t.has {
			has |= t.trait
		}
	}
	return has
}

// rowKind returns the kind of the matrix's scales for loops.RowsAVX512, and whether
// that can multiply the matrix.
func (p *plan) rowKind() (kind int, ok bool) {
	kind = loops.RowsFine
	switch blocks := p.groupSize / block; {
	case p.least < -128 || p.most > 127:
		return 0, false
	case p.scale == datatype.E8M0:
		kind, ok = loops.RowsE8M0, p.groupSize == 32
	case p.scale == datatype.E4M3:
		kind, ok = loops.RowsE4M3, p.groupSize == 16
	case p.groups == 1 || p.groupSize%block == 0 && blocks&(blocks-1) == 0:
		kind, ok = loops.RowsCoarse, p.selectorBits <= 4
	default:
		ok = p.groupSize == 16 || p.groupSize == 32 || p.groupSize == 64
	}
	byTable := p.bits+p.selectorBits <= 6 || kind == loops.RowsCoarse && p.bits <= 4
	if kind == loops.RowsFine && p.selectorBits > 2 {
		ok = ok && p.linear && p.ints[0][0] == 0 // selectors are zero-points
	}
	return kind, ok && (byTable || p.linear) && loops.HasRows(p.bits, kind, p.selectorBits)
}

// direct reports whether the functions of steps can read the scales and selectors of a
// row as they are: one of each for a block.
func (p *plan) direct() bool {
	return p.scale == datatype.RowStep && p.groupSize == block && (p.bits == 3 || p.bits == 4) &&
		(p.selectorBits == 0 || p.selectorBits == 2 || p.selectorBits == 4)
}

// directBytes is direct for codes of 8 bits whose values are code − 127.
func (p *plan) directBytes() bool {
	return p.scale == datatype.RowStep && p.groupSize == block && p.bits == 8 && p.selectorBits == 0 && p.linear && p.least == -127
}

// fine reports whether the scales are for 16, 32 or 64 columns. Scales that are not
// integers must be for the number of columns in their standard.
func (p *plan) fine() bool {
	switch {
	case p.selectorBits > 2:
		return false
	case p.scale == datatype.E8M0:
		return p.groupSize == 32
	case p.scale == datatype.E4M3:
		return p.groupSize == 16
	}
	return p.groupSize == 16 || p.groupSize == 32 || p.groupSize == 64
}

// directGroups reports whether there are functions that read scales and selectors of groups
// of 16, 32 or 64 columns as they are.
func (p *plan) directGroups() bool {
	switch {
	case !p.fine() || p.bits != 4 && p.bits != 3:
		return false
	case p.scale != datatype.RowStep:
		return p.selectorBits == 0
	}
	return p.selectorBits == 0 || p.selectorBits == 2 && p.groupSize >= 32
}

// endsInPlace reports whether groupEnd can do the last columns of rows.
func (p *plan) endsInPlace() bool {
	if p.bits != 4 || !p.directGroups() || p.cols%32 != 0 {
		return false
	}
	// With 96 columns in the last block, half of a group of 64 would take the place of
	// another group, and products with float scales would not be added in the order of
	// columns.
	return p.cols%block != 96 || p.groupSize < 64 && p.scale == datatype.RowStep
}

// A panelForm describes how panels hold a type.
type panelForm struct {
	ok    bool // whether they can
	table bool // by a table, or else as codes to which a number is added
	codes bool // as codes, below their selectors
	wide  bool // in two panels: see wideWork
	// biased is true if 128 is added to weights, whatever a Set says.
	biased bool
	span   loops.Range
}

// integerForm returns the form in which panels hold the type in integer mode.
func (p *plan) integerForm() panelForm {
	if p.groupSize%granule != 0 && p.groupSize < p.cols {
		return panelForm{}
	}
	span, ok := loops.RangeOf(p.least, p.most)
	switch {
	case !ok && p.linear:
		return panelForm{ok: true, codes: true, wide: true, span: loops.Range128}
	case !ok:
		return panelForm{ok: p.bits+p.selectorBits <= 6, table: true, wide: true, span: loops.Range32}
	}
	return panelForm{ok: p.linear || p.bits+p.selectorBits <= 6, table: !p.linear, span: span}
}

// floatForm returns the form in which panels hold the type in float mode, and the mode
// that converts it to floats.
func (p *plan) floatForm() (form panelForm, mode int) {
	if p.groupSize%4 != 0 && p.groupSize < p.cols {
		return panelForm{}, 0
	}
	if p.exact {
		span, ok := loops.RangeOf(p.least, p.most)
		if ok && (p.linear || p.bits+p.selectorBits <= 6) {
			return panelForm{ok: true, table: !p.linear, span: span, biased: true}, loops.FloatsSub
		}
		if p.linear {
			return panelForm{ok: true, codes: true}, loops.FloatsSub
		}
	}
	mode = loops.FloatsTable64
	if p.bits+p.selectorBits <= 4 {
		mode = loops.FloatsTable16
	}
	return panelForm{ok: p.bits+p.selectorBits <= 6, table: true, codes: true}, mode
}
