//go:build amd64 && !purego

package coding

import "golang.org/x/sys/cpu"

// Best returns the functions for this processor, nil if there are none.
func Best() *Set {
	if x := &cpu.X86; x.HasAVX2 && x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX512VBMI {
		return &avx512
	}
	return nil
}

var avx512 = Set{
	Steps:     [Members + 1]func(*StepsArgs){steps0AVX512, steps1AVX512, steps2AVX512, steps4AVX512, steps4AVX512},
	Lookup:    lookupAVX512,
	Any:       anyAVX512,
	Max:       maxAVX512,
	Round:     roundAVX512,
	Range:     rangeAVX512,
	WidenBF16: widenBF16AVX512,
	WidenF16:  widenF16AVX512,
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
