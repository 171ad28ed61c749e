//go:build amd64 && !purego

package coding

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// Best returns the functions for this processor, nil if there are none.
func Best() *Set {
	all := Sets()
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1]
}

// Sets returns all functions for this processor, the best last.
func Sets() []*Set {
	x := &cpu.X86
	switch {
	case !x.HasAVX2 || !x.HasFMA:
		return nil
	case !x.HasAVX512F || !x.HasAVX512BW || !x.HasAVX512DQ || !x.HasAVX512VL || !x.HasAVX512VBMI:
		return sets[:1]
	}
	return sets[:]
}

var sets = [...]*Set{&avx2, &avx512}

var avx2 = Set{
	Steps:     [Members + 1]func(*StepsArgs){steps0AVX2, steps1AVX2, steps2AVX2, steps4AVX2, steps4AVX2},
	Weighted:  [Members + 1]func(*StepsArgs){nil, weighted1AVX2, weighted2AVX2, weighted4AVX2, weighted4AVX2},
	Lookup:    lookup,
	Any:       anyOf,
	Max:       maxAVX2,
	Round:     roundAVX2,
	Clamped:   clamped0AVX2,
	Range:     rangeAVX2,
	FitCells:  fitCellsAVX2,
	FitRound:  fitRoundAVX2,
	FitEdges:  fitEdgesAVX2,
	Survey:    surveyAVX2,
	Sample:    sampleAVX2,
	Square:    squareAVX2,
	Emphasize: emphasizeAVX2,
	Noise:     noiseAVX2,
	WidenBF16: widenBF16,
	WidenF16:  widenF16,
	Pack:      [9]func(*PackArgs){2: pack2AVX2, 3: pack3AVX2, 4: pack4AVX2, 5: pack5AVX2, 6: pack6AVX2, 7: pack7AVX2, 8: pack8AVX2},
}

// lookup is lookupAVX2 for any number of bytes.
func lookup(a *LookupArgs) {
	dst, src := unsafe.Slice(a.Dst, a.N), unsafe.Slice(a.Src, a.N)
	whole := a.N &^ 31
	if whole > 0 {
		lookupAVX2(&LookupArgs{Dst: a.Dst, Src: a.Src, N: whole, Table: a.Table})
	}
	for i := whole; i < len(src); i++ {
		dst[i] = a.Table[src[i]%64]
	}
}

func anyOf(a *AnyArgs) {
	a.Any = false
	for _, b := range unsafe.Slice(a.Src, a.N) {
		a.Any = a.Any || a.Table[b%64] != 0
	}
}

// widenBF16 and widenF16 are widenBF16AVX2 and widenF16AVX2 for any number of weights.
func widenBF16(a *WidenArgs) { widen(a, widenBF16AVX2) }
func widenF16(a *WidenArgs)  { widen(a, widenF16AVX2) }

func widen(a *WidenArgs, eights func(*WidenArgs)) {
	dst, src := unsafe.Slice(a.Dst, a.N), unsafe.Slice(a.Src, a.N)
	if whole := a.N &^ 7; whole > 0 {
		eights(&WidenArgs{Dst: a.Dst, Src: a.Src, N: whole})
		dst, src = dst[whole:], src[whole:]
	}
	if len(src) > 0 {
		var to [8]float32
		var from [8]uint16
		copy(from[:], src)
		eights(&WidenArgs{Dst: &to[0], Src: &from[0], N: 8})
		copy(dst, to[:])
	}
}

var avx512 = Set{
	Steps:     [Members + 1]func(*StepsArgs){steps0AVX512, steps1AVX512, steps2AVX512, steps4AVX512, steps4AVX512},
	Powers:    [Members + 1]func(*StepsArgs){powers0AVX512, powers1AVX512, powers2AVX512, powers4AVX512, powers4AVX512},
	Weighted:  [Members + 1]func(*StepsArgs){nil, weighted1AVX512, weighted2AVX512, weighted4AVX512, weighted4AVX512},
	Lookup:    lookupAVX512,
	Any:       anyAVX512,
	Max:       maxAVX512,
	Round:     roundAVX512,
	Clamped:   clamped0AVX512,
	Range:     rangeAVX512,
	FitCells:  fitCellsAVX512,
	FitRound:  fitRoundAVX512,
	FitEdges:  fitEdgesAVX512,
	Survey:    surveyAVX2,
	Sample:    sampleAVX2,
	Square:    squareAVX2,
	Emphasize: emphasizeAVX2,
	Noise:     noiseAVX2,
	WidenBF16: widenBF16AVX512,
	WidenF16:  widenF16AVX512,
	Narrow:    narrowAVX512,
	Pack:      [9]func(*PackArgs){2: pack2AVX512, 3: pack3AVX512, 4: pack4AVX512, 5: pack5AVX512, 6: pack6AVX512, 7: pack7AVX512, 8: pack8AVX512},
}

//go:noescape
func steps0AVX512(a *StepsArgs)

//go:noescape
func steps1AVX512(a *StepsArgs)

//go:noescape
func steps2AVX512(a *StepsArgs)

//go:noescape
func steps4AVX512(a *StepsArgs)

//go:noescape
func lookupAVX512(a *LookupArgs)

//go:noescape
func anyAVX512(a *AnyArgs)

//go:noescape
func maxAVX512(a *MaxArgs)

//go:noescape
func roundAVX512(a *RoundArgs)

//go:noescape
func rangeAVX512(a *RangeArgs)

//go:noescape
func widenBF16AVX512(a *WidenArgs)

//go:noescape
func widenF16AVX512(a *WidenArgs)

//go:noescape
func pack2AVX512(a *PackArgs)

//go:noescape
func pack3AVX512(a *PackArgs)

//go:noescape
func pack4AVX512(a *PackArgs)

//go:noescape
func pack5AVX512(a *PackArgs)

//go:noescape
func pack6AVX512(a *PackArgs)

//go:noescape
func pack7AVX512(a *PackArgs)

//go:noescape
func pack8AVX512(a *PackArgs)

//go:noescape
func steps0AVX2(a *StepsArgs)

//go:noescape
func steps1AVX2(a *StepsArgs)

//go:noescape
func steps2AVX2(a *StepsArgs)

//go:noescape
func steps4AVX2(a *StepsArgs)

//go:noescape
func lookupAVX2(a *LookupArgs)

//go:noescape
func maxAVX2(a *MaxArgs)

//go:noescape
func roundAVX2(a *RoundArgs)

//go:noescape
func rangeAVX2(a *RangeArgs)

//go:noescape
func widenBF16AVX2(a *WidenArgs)

//go:noescape
func pack2AVX2(a *PackArgs)

//go:noescape
func pack3AVX2(a *PackArgs)

//go:noescape
func pack4AVX2(a *PackArgs)

//go:noescape
func pack5AVX2(a *PackArgs)

//go:noescape
func pack6AVX2(a *PackArgs)

//go:noescape
func pack7AVX2(a *PackArgs)

//go:noescape
func pack8AVX2(a *PackArgs)

//go:noescape
func narrowAVX512(a *NarrowArgs)

//go:noescape
func powers0AVX512(a *StepsArgs)

//go:noescape
func powers1AVX512(a *StepsArgs)

//go:noescape
func powers2AVX512(a *StepsArgs)

//go:noescape
func powers4AVX512(a *StepsArgs)

//go:noescape
func fitCellsAVX2(a *FitArgs)

//go:noescape
func fitRoundAVX2(a *FitArgs)

//go:noescape
func fitEdgesAVX2(a *FitArgs)

//go:noescape
func fitCellsAVX512(a *FitArgs)

//go:noescape
func fitRoundAVX512(a *FitArgs)

//go:noescape
func fitEdgesAVX512(a *FitArgs)

//go:noescape
func clamped0AVX2(a *StepsArgs)

//go:noescape
func clamped0AVX512(a *StepsArgs)

//go:noescape
func weighted1AVX2(a *StepsArgs)

//go:noescape
func weighted2AVX2(a *StepsArgs)

//go:noescape
func weighted4AVX2(a *StepsArgs)

//go:noescape
func weighted1AVX512(a *StepsArgs)

//go:noescape
func weighted2AVX512(a *StepsArgs)

//go:noescape
func weighted4AVX512(a *StepsArgs)

//go:noescape
func widenF16AVX2(a *WidenArgs)

//go:noescape
func surveyAVX2(a *SurveyArgs)

//go:noescape
func sampleAVX2(a *SampleArgs)

//go:noescape
func squareAVX2(a *SquareArgs)

//go:noescape
func emphasizeAVX2(a *EmphasizeArgs)

//go:noescape
func noiseAVX2(a *NoiseArgs)
