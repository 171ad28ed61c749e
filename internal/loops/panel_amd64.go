//go:build amd64 && !purego

package loops

import "golang.org/x/sys/cpu"

// HasAVX512 reports whether the processor has what the functions that end in AVX512
// need.
func HasAVX512() bool {
	x := &cpu.X86
	return x.HasAVX2 && x.HasFMA && x.HasBMI2 && x.HasAVX512F && x.HasAVX512BW &&
		x.HasAVX512VL && x.HasAVX512VBMI && x.HasAVX512VNNI
}

// PanelAVX512 fills a part of a panel from codes of so many bits, 2 to 6 with a table,
// 2 to 8 without.
func PanelAVX512(a *PanelArgs, bits int, table bool) {
	switch {
	case table && bits == 2:
		panelTable2AVX512(a)
	case table && bits == 3:
		panelTable3AVX512(a)
	case table && bits == 4:
		panelTable4AVX512(a)
	case table && bits == 5:
		panelTable5AVX512(a)
	case table && bits == 6:
		panelTable6AVX512(a)
	case !table && bits == 2:
		panelSum2AVX512(a)
	case !table && bits == 3:
		panelSum3AVX512(a)
	case !table && bits == 4:
		panelSum4AVX512(a)
	case !table && bits == 5:
		panelSum5AVX512(a)
	case !table && bits == 6:
		panelSum6AVX512(a)
	case !table && bits == 7:
		panelSum7AVX512(a)
	case !table && bits == 8:
		panelSum8AVX512(a)
	}
}

// The ways in which MetaAVX512 writes numbers, and DotsAVX512 adds sums up: see
// MetaArgs and DotArgs.
const (
	MetaTable = iota
	MetaSum
	MetaInt
	MetaFloat
	MetaE8M0
	MetaE4M3
)

const (
	DotsOne = iota
	DotsInt
	DotsFloat
)

// MetaAVX512 spreads selectors or scales of 16 rows.
func MetaAVX512(a *MetaArgs, mode int) {
	switch mode {
	case MetaTable:
		metaTableAVX512(a)
	case MetaSum:
		metaSumAVX512(a)
	case MetaInt:
		metaIntAVX512(a)
	case MetaFloat:
		metaFloatAVX512(a)
	case MetaE8M0:
		metaE8M0AVX512(a)
	case MetaE4M3:
		metaE4M3AVX512(a)
	}
}

// DotsAVX512 multiplies a panel by n vectors: 1, 2, 3, 4 or 6.
func DotsAVX512(a *DotArgs, n, mode int) {
	switch mode*8 + n {
	case DotsOne*8 + 1:
		dotsOne1AVX512(a)
	case DotsOne*8 + 2:
		dotsOne2AVX512(a)
	case DotsOne*8 + 3:
		dotsOne3AVX512(a)
	case DotsOne*8 + 4:
		dotsOne4AVX512(a)
	case DotsOne*8 + 6:
		dotsOne6AVX512(a)
	case DotsInt*8 + 1:
		dotsInt1AVX512(a)
	case DotsInt*8 + 2:
		dotsInt2AVX512(a)
	case DotsInt*8 + 3:
		dotsInt3AVX512(a)
	case DotsInt*8 + 4:
		dotsInt4AVX512(a)
	case DotsInt*8 + 6:
		dotsInt6AVX512(a)
	case DotsFloat*8 + 1:
		dotsFloat1AVX512(a)
	case DotsFloat*8 + 2:
		dotsFloat2AVX512(a)
	case DotsFloat*8 + 3:
		dotsFloat3AVX512(a)
	case DotsFloat*8 + 4:
		dotsFloat4AVX512(a)
	case DotsFloat*8 + 6:
		dotsFloat6AVX512(a)
	}
}

// FinishAVX512 ends the sums of 64 rows.
func FinishAVX512(a *FinishArgs) { finishAVX512(a) }

//go:noescape
func panelTable2AVX512(a *PanelArgs)

//go:noescape
func panelTable3AVX512(a *PanelArgs)

//go:noescape
func panelTable4AVX512(a *PanelArgs)

//go:noescape
func panelTable5AVX512(a *PanelArgs)

//go:noescape
func panelTable6AVX512(a *PanelArgs)

//go:noescape
func panelSum2AVX512(a *PanelArgs)

//go:noescape
func panelSum3AVX512(a *PanelArgs)

//go:noescape
func panelSum4AVX512(a *PanelArgs)

//go:noescape
func panelSum5AVX512(a *PanelArgs)

//go:noescape
func panelSum6AVX512(a *PanelArgs)

//go:noescape
func panelSum7AVX512(a *PanelArgs)

//go:noescape
func panelSum8AVX512(a *PanelArgs)

//go:noescape
func metaTableAVX512(a *MetaArgs)

//go:noescape
func metaSumAVX512(a *MetaArgs)

//go:noescape
func metaIntAVX512(a *MetaArgs)

//go:noescape
func metaFloatAVX512(a *MetaArgs)

//go:noescape
func metaE8M0AVX512(a *MetaArgs)

//go:noescape
func metaE4M3AVX512(a *MetaArgs)

//go:noescape
func dotsOne1AVX512(a *DotArgs)

//go:noescape
func dotsOne2AVX512(a *DotArgs)

//go:noescape
func dotsOne3AVX512(a *DotArgs)

//go:noescape
func dotsOne4AVX512(a *DotArgs)

//go:noescape
func dotsOne6AVX512(a *DotArgs)

//go:noescape
func dotsInt1AVX512(a *DotArgs)

//go:noescape
func dotsInt2AVX512(a *DotArgs)

//go:noescape
func dotsInt3AVX512(a *DotArgs)

//go:noescape
func dotsInt4AVX512(a *DotArgs)

//go:noescape
func dotsInt6AVX512(a *DotArgs)

//go:noescape
func dotsFloat1AVX512(a *DotArgs)

//go:noescape
func dotsFloat2AVX512(a *DotArgs)

//go:noescape
func dotsFloat3AVX512(a *DotArgs)

//go:noescape
func dotsFloat4AVX512(a *DotArgs)

//go:noescape
func dotsFloat6AVX512(a *DotArgs)

//go:noescape
func finishAVX512(a *FinishArgs)
