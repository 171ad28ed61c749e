//go:build arm64 && !purego

package coding

import "unsafe"

// Best returns the functions for this processor.
func Best() *Set { return &neon }

// Sets returns all functions for this processor, the best last.
func Sets() []*Set { return []*Set{&neon} }

var neon = Set{
	Steps:     [Members + 1]func(*StepsArgs){stepsNEON, steps1, steps2, steps4, steps4},
	Powers:    [Members + 1]func(*StepsArgs){powersNEON, powers1, powers2, powers4, powers4},
	Clamped:   clampedNEON,
	Lookup:    lookupNEON,
	Any:       anyNEON,
	Max:       maxNEON,
	Round:     roundNEON,
	Range:     rangeNEON,
	FitCells:  fitCellsNEON,
	FitRound:  fitRoundNEON,
	Survey:    surveyNEON,
	Sample:    sampleNEON,
	Square:    squareNEON,
	Emphasize: emphasizeNEON,
	Noise:     noiseNEON,
	WidenBF16: widenBF16NEON,
	WidenF16:  widenF16NEON,
	Narrow:    narrowNEON,
	Pack:      [9]func(*PackArgs){2: pack2NEON, 3: pack3NEON, 4: pack4NEON, 5: pack5NEON, 6: pack6NEON, 7: pack7NEON, 8: pack8NEON},
}

// errorArgs point at groups of weights and at the values of a codebook by step. The
// functions set the errors of groups as in StepsArgs.
type errorArgs struct {
	Groups
	Steps  *uint8
	Values *[Cells]float32
	Deltas *float64
	Errors *float32
	Stride int
}

func steps1(a *StepsArgs) { stepsNEON(a); addErrors(a, 1, false) }
func steps2(a *StepsArgs) { stepsNEON(a); addErrors(a, 2, false) }
func steps4(a *StepsArgs) { stepsNEON(a); addErrors(a, 4, false) }

func powers1(a *StepsArgs) { powersNEON(a); addErrors(a, 1, true) }
func powers2(a *StepsArgs) { powersNEON(a); addErrors(a, 2, true) }
func powers4(a *StepsArgs) { powersNEON(a); addErrors(a, 4, true) }

// addErrors sets the errors of codebooks one after the other, as registers do not have
// room for all their tables.
func addErrors(a *StepsArgs, members int, powers bool) {
	errors := unsafe.Slice(a.Errors, members)
	for m := range errors {
		e := errorArgs{a.Groups, a.Steps, &a.Class.Values[m], a.Deltas, &errors[m], a.Stride}
		if powers {
			errorPowersNEON(&e)
		} else {
			errorsNEON(&e)
		}
	}
}

//go:noescape
func stepsNEON(a *StepsArgs)

//go:noescape
func powersNEON(a *StepsArgs)

//go:noescape
func clampedNEON(a *StepsArgs)

//go:noescape
func errorsNEON(a *errorArgs)

//go:noescape
func errorPowersNEON(a *errorArgs)

//go:noescape
func lookupNEON(a *LookupArgs)

//go:noescape
func anyNEON(a *AnyArgs)

//go:noescape
func maxNEON(a *MaxArgs)

//go:noescape
func rangeNEON(a *RangeArgs)

//go:noescape
func roundNEON(a *RoundArgs)

//go:noescape
func fitCellsNEON(a *FitArgs)

//go:noescape
func fitRoundNEON(a *FitArgs)

//go:noescape
func widenBF16NEON(a *WidenArgs)

//go:noescape
func widenF16NEON(a *WidenArgs)

//go:noescape
func narrowNEON(a *NarrowArgs)

//go:noescape
func pack2NEON(a *PackArgs)

//go:noescape
func pack3NEON(a *PackArgs)

//go:noescape
func pack4NEON(a *PackArgs)

//go:noescape
func pack5NEON(a *PackArgs)

//go:noescape
func pack6NEON(a *PackArgs)

//go:noescape
func pack7NEON(a *PackArgs)

//go:noescape
func pack8NEON(a *PackArgs)

//go:noescape
func surveyNEON(a *SurveyArgs)

//go:noescape
func sampleNEON(a *SampleArgs)

//go:noescape
func squareNEON(a *SquareArgs)

//go:noescape
func emphasizeNEON(a *EmphasizeArgs)

//go:noescape
func noiseNEON(a *NoiseArgs)
