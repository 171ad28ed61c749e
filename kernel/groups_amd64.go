//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

// groupStepArgs point at the first steps·512 columns of a row whose groups have 16, 32
// or 64 columns, for the functions floatGroupSteps.
type groupStepArgs struct {
	codes     *byte
	scales    *byte // scaleBytes for a step
	selectors *byte // selectorBytes for a step

	scaleBytes, selectorBytes int

	table  *[64]byte // of tables.signed: see groupTable
	spread *spread
	x      *float32
	steps  int // at least 1
}

// floatGroupSteps4AVX512 adds the steps of a row of 4-bit codes to its lanes.
//
//go:noescape
func floatGroupSteps4AVX512(acc *[floatLanes]float32, a *groupStepArgs)

//go:noescape
func floatGroupSteps3AVX512(acc *[floatLanes]float32, a *groupStepArgs)

//go:noescape
func floatGroupStepsE8M0AVX512(acc *[floatLanes]float32, a *groupStepArgs)

//go:noescape
func floatGroupStepsE4M3AVX512(acc *[floatLanes]float32, a *groupStepArgs)

// floatGroupSteps adds the steps of a row to its lanes.
func (p *plan) floatGroupSteps(acc *[floatLanes]float32, args *groupStepArgs) {
	switch {
	case p.scale == datatype.E8M0:
		floatGroupStepsE8M0AVX512(acc, args)
	case p.scale == datatype.E4M3:
		floatGroupStepsE4M3AVX512(acc, args)
	case p.bits == 4:
		floatGroupSteps4AVX512(acc, args)
	default:
		floatGroupSteps3AVX512(acc, args)
	}
}

// A spread has, for each of the first 64 columns of a step, the shift that moves its
// selector above its code, and for every four columns the index of their scale in the
// step. Each further 64 columns need shifts and indices that are larger by nextSelectors
// and nextScales.
type spread struct {
	selectors, scales         [64]byte // scales in the lowest bytes of words
	nextSelectors, nextScales byte
}

// spreadsByShape has the spreads for groups of 16, 32 and 64, selectors of 0, 1 and 2
// bits, and codes of 3 and 4 bits.
var spreadsByShape = func() (s [3][3][2]spread) {
	for i := range s {
		for selectorBits := range s[i] {
			for j := range s[i][selectorBits] {
				t := &s[i][selectorBits][j]
				for c := range 64 {
					g := c / (16 << i)
					t.selectors[c] = byte(g*selectorBits - (3 + j)) // modulo 64
					t.scales[c&^3] = byte(g)
				}
				t.nextScales = 4 >> i
				t.nextSelectors = byte(4 >> i * selectorBits)
			}
		}
	}
	return s
}()

// groupTable sets t to the values by code and the selector above it, repeated.
func (p *plan) groupTable(t *[64]byte) {
	mask := 1<<p.selectorBits - 1
	for i := range t {
		t[i] = p.signed[i>>p.bits&mask*16+i&(1<<p.bits-1)]
	}
}

// groupArgs returns the arguments that are the same for all rows, with the given table.
func (p *plan) groupArgs(a *Activation, table *[64]byte) groupStepArgs {
	i := p.groupSize / 32 // 16, 32, 64: 0, 1, 2
	return groupStepArgs{
		scaleBytes:    step / p.groupSize,
		selectorBytes: step / p.groupSize * p.selectorBits / 8,
		table:         table,
		spread:        &spreadsByShape[i][p.selectorBits][p.bits-3],
		x:             &a.x[0],
		steps:         p.cols / step,
	}
}

// row points args at the codes, scales and selectors of one row.
func (args *groupStepArgs) row(p *plan, row int) {
	args.codes = &p.s.Codes[row*p.rowBytes]
	args.scales = &p.s.Scales[row*p.groups]
	args.selectors = args.codes // the loops read no selectors
	if p.selectorBits > 0 {
		args.selectors = &p.s.Selectors[row*p.selectorBytes]
	}
}
