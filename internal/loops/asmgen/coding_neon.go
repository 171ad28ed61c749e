package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/bitmod-go/bitmod/internal/pack"
)

// Loops over groups take 16 weights at a time, in V0 … V3. The rest of a group is copied
// to the frame and padded with zeros: its weights to weightsFrame, its bytes to
// bytesFrame.
const (
	codingFrame  = 80
	weightsFrame = "weights-80(SP)"
	bytesFrame   = "bytes-16(SP)"
)

func codingNEON() *file {
	f := newFile("arm64 && !purego")
	f.data("firstLanes", append(repeat(1<<32-1, 16), repeat(0, 16)...)...)
	for _, kind := range []stepsKind{anyDelta, powers, clamped} {
		stepsNEON(f, kind)
	}
	errorsNEON(f, anyDelta)
	errorsNEON(f, powers)
	lookupNEON(f)
	anyNEON(f)
	maxNEON(f)
	rangeNEON(f)
	roundNEON(f)
	fitNEON(f, true)
	fitNEON(f, false)
	samplesNEON(f)
	widenBF16NEON(f)
	widenF16NEON(f)
	narrowNEON(f)
	for bits := 2; bits <= 8; bits++ {
		packNEON(f, bits)
	}
	return f
}

// Offsets of coding.errorArgs.
const (
	errorSteps  = 32
	errorValues = 40
	errorDeltas = 48
	errorErrors = 56
	errorStride = 64
)

// groupsNEON emits a loop over groups of weights. body gets the address of a group's
// weights in R4 and their number in R7.
func (f *file) groupsNEON(body func()) {
	f.op("MOVD %d(R0), R4", groupsW)
	f.op("MOVD %d(R0), R5", groupsGroups)
	f.op("MOVD %d(R0), R6", groupsSize)
	f.op("MOVD %d(R0), R8", groupsLast)
	f.label("group")
	f.op("CMP $1, R5")
	f.op("CSEL EQ, R8, R6, R7")
	body()
	f.op("SUBS $1, R5, R5")
	f.op("BNE group")
	f.op("RET")
}

// sixteens emits a loop over the R7 weights of a group at R4. If tail is set, R7 is the
// number of weights left, below 16. If bytes is set, R1 points to one byte for each
// weight, which body finds in V4.
func (f *file) sixteens(label string, bytes bool, body func(tail bool)) {
	f.op("SUBS $16, R7, R7")
	f.op("BLT %sTail", label)
	f.label(label)
	f.op("VLD1.P 64(R4), %s", list(0, 4, "S4"))
	if bytes {
		f.op("VLD1.P 16(R1), [V4.B16]")
	}
	body(false)
	f.op("SUBS $16, R7, R7")
	f.op("BGE %s", label)
	f.label(label + "Tail")
	f.op("ADDS $16, R7, R7")
	f.op("BEQ %sEnd", label)
	for i := range 4 {
		f.clear(i)
	}
	f.op("MOVD $%s, R11", weightsFrame)
	f.op("VST1 %s, (R11)", list(0, 4, "S4"))
	f.copyTail(label+"Weights", "R4", "R11", 4)
	f.op("MOVD $%s, R11", weightsFrame)
	f.op("VLD1 (R11), %s", list(0, 4, "S4"))
	if bytes {
		f.op("MOVD $%s, R11", bytesFrame)
		f.op("VST1 [V3.B16], (R11)") // any valid bytes
		f.copyTail(label+"Bytes", "R1", "R11", 1)
		f.op("MOVD $%s, R11", bytesFrame)
		f.op("VLD1 (R11), [V4.B16]")
	}
	body(true)
	f.label(label + "End")
}

// storeSixteen stores V4, a byte for each of 16 weights, at R1.
func (f *file) storeSixteen(label string, tail bool) {
	if !tail {
		f.op("VST1.P [V4.B16], 16(R1)")
		return
	}
	f.op("MOVD $%s, R11", bytesFrame)
	f.op("VST1 [V4.B16], (R11)")
	f.copyTail(label, "R11", "R1", 1)
}

// dupFloat sets all lanes of a register to a constant float32.
func (f *file) dupFloat(v float32, to int) {
	f.op("MOVD $0x%08x, R12", math.Float32bits(v))
	f.op("VDUP R12, V%d.S4", to)
}

// planes32 splits the 32 words of V8 … V15 into bytes: the lowest bytes go to registers
// to and to+1, the next to to+2 and to+3, and so on. It overwrites V0 … V3.
func (f *file) planes32(to int) {
	for half := range 2 {
		a := 8 + 4*half
		f.uzp(1, 0, a, a+1, "H8")
		f.uzp(1, 1, a+2, a+3, "H8")
		f.uzp(2, 2, a, a+1, "H8")
		f.uzp(2, 3, a+2, a+3, "H8")
		for b := range 4 {
			f.uzp(1+b%2, to+2*b+half, b/2*2, b/2*2+1, "B16")
		}
	}
}

// table32NEON looks up 16 bytes idx, below 32, in the table that planes32 has left in the
// registers from table on, and puts words into four registers from to on. It overwrites
// four registers from temp on.
func (f *file) table32NEON(table, idx, to, temp int) {
	for b := range 4 {
		f.op("VTBL V%d.B16, %s, V%d.B16", idx, list(table+2*b, 2, "B16"), to+b)
	}
	f.interleave(to, temp)
}

// interleave makes words of their bytes, which are in four registers from v on. It
// overwrites four registers from temp on.
func (f *file) interleave(v, temp int) {
	for b := range 2 {
		f.zip(1, temp+2*b, v+2*b, v+2*b+1, "B16")
		f.zip(2, temp+2*b+1, v+2*b, v+2*b+1, "B16")
	}
	for b := range 4 {
		f.zip(1+b%2, v+b, temp+b/2, temp+2+b/2, "H8")
	}
}

// narrowWords puts the lowest bytes of the 16 words in four registers from v on into v.
func (f *file) narrowWords(v int) {
	f.uzp(1, v, v, v+1, "H8")
	f.uzp(1, v+1, v+2, v+3, "H8")
	f.uzp(1, v, v, v+1, "B16")
}

// saturate is narrowWords for words clamped to 0 … 255.
func (f *file) saturate(v int) {
	f.word("sqxtn", v, v)
	f.word("sqxtn2", v, v+1)
	f.word("sqxtn", v+1, v+2)
	f.word("sqxtn2", v+1, v+3)
	f.word("sqxtun", v, v)
	f.word("sqxtun2", v, v+1)
}

// stepsNEON emits the loop that finds steps.
func stepsNEON(f *file, kind stepsKind) {
	// wide has Δ as a float64; rest has 31 in all bytes.
	const table, scale, off, wide, by, rest, one = 16, 24, 25, 26, 27, 28, 29
	f.frameARM64([]string{"stepsNEON", "powersNEON", "clampedNEON"}[kind], "StepsArgs", codingFrame)
	f.op("MOVD %d(R0), R1", stepsSteps)
	f.op("MOVD %d(R0), R2", stepsClass)
	f.op("MOVD %d(R0), R3", stepsDeltas)
	f.op("FMOVS %d(R2), F%d", classOff, off)
	f.op("VDUP V%[1]d.S[0], V%[1]d.S4", off)
	f.op("VMOVI $31, V%d.B16", rest)
	f.op("MOVD $1, R12")
	f.op("VDUP R12, V%d.S4", one)
	thresholds := func() {
		f.comment("thresholds as weights: the nearest float32 to t·Δ, or the one below it")
		f.op("ADD $%d, R2, R13", classThresholds)
		f.op("ADD $%d, R2, R14", classSlack)
		for q := range 8 {
			x := 8 + q
			f.op("VLD1.P 32(R13), [V0.D2, V1.D2]")
			f.op("VLD1.P 32(R14), [V4.D2, V5.D2]")
			f.word("dmul", 2, 0, wide)
			f.word("dmul", 3, 1, wide)
			f.word("fcvtn", x, 2)
			f.word("fcvtn2", x, 3)
			f.word("fcvtl", 2, x)
			f.word("fcvtl2", 3, x)
			f.word("dmls", 2, 0, wide)
			f.word("dmls", 3, 1, wide)
			f.word("dmul", 4, 4, wide)
			f.word("dmul", 5, 5, wide)
			f.word("dcmgt", 4, 2, 4)
			f.word("dcmgt", 5, 3, 5)
			f.uzp(1, 4, 4, 5, "S4")
			f.word("sshr31", 5, x)
			f.or(5, 5, one)
			f.and(5, 5, 4)
			f.sub(x, x, 5, "S4")
		}
		f.planes32(table)
	}
	if kind == powers {
		f.op("FMOVD $1.0, F%d", by)
		f.op("VDUP V%d.D[0], V%d.D2", by, wide)
		thresholds()
		f.op("FMOVS %d(R2), F%d", classInv, scale)
		f.op("VDUP V%[1]d.S[0], V%[1]d.S4", scale)
	}
	f.groupsNEON(func() {
		f.op("FMOVD.P 8(R3), F0")
		if kind == powers {
			f.op("FDIVD F0, F%d, F0", wide)
			f.op("FCVTDS F0, F0")
			f.op("VDUP V0.S[0], V%d.S4", by)
		} else {
			f.op("VDUP V0.D[0], V%d.D2", wide)
			f.op("FMOVS %d(R2), F1", classInv)
			f.op("FCVTSD F1, F1")
			f.op("FDIVD F0, F1, F0")
			f.op("FCVTDS F0, F0")
			f.op("VDUP V0.S[0], V%d.S4", scale)
			thresholds()
		}
		f.sixteens("weights", false, func(tail bool) {
			if kind == powers {
				for i := range 4 {
					f.word("fmul", i, i, by)
				}
			}
			for i := range 4 {
				f.move(4+i, off)
			}
			for i := range 4 {
				f.word("fmla", 4+i, i, scale)
			}
			for i := range 4 {
				f.word("fcvtzs", 4+i, 4+i)
			}
			if kind == clamped {
				f.saturate(4)
				f.word("uminb", 4, 4, rest)
			} else {
				f.narrowWords(4)
				f.and(4, 4, rest)
			}
			f.table32NEON(table, 4, 8, 12)
			for i := range 4 {
				f.word("fcmgt", 8+i, i, 8+i)
			}
			f.narrowWords(8)
			f.sub(4, 4, 8, "B16")
			f.storeSixteen("steps", tail)
		})
	})
}

// errorsNEON emits the loop that adds up the errors of a codebook for weights with known
// steps. It skips the lower halves of values if they are all 0.
func errorsNEON(f *file, kind stepsKind) {
	const table, delta, zero, acc, masks = 16, 24, 25, 26, 12
	f.frameARM64([]string{"errorsNEON", "errorPowersNEON"}[kind], "errorArgs", codingFrame)
	f.op("MOVD %d(R0), R1", errorSteps)
	f.op("MOVD %d(R0), R13", errorValues)
	f.op("MOVD %d(R0), R3", errorDeltas)
	f.op("MOVD %d(R0), R2", errorErrors)
	f.op("MOVD %d(R0), R14", errorStride)
	f.op("VLD1.P 64(R13), %s", list(8, 4, "S4"))
	f.op("VLD1.P 64(R13), %s", list(12, 4, "S4"))
	f.planes32(table)
	f.or(0, table, table+1)
	f.or(1, table+2, table+3)
	f.or(0, 0, 1)
	f.word("umaxv", 0, 0)
	f.op("FMOVS F0, R15")
	f.clear(zero)
	f.groupsNEON(func() {
		f.op("FMOVD.P 8(R3), F0")
		if kind == powers {
			f.op("FMOVD $1.0, F1")
			f.op("FDIVD F0, F1, F0")
		}
		f.op("FCVTDS F0, F0")
		f.op("VDUP V0.S[0], V%d.S4", delta)
		for i := range 4 {
			f.clear(acc + i)
		}
		errors := func(label string, wide bool) {
			f.sixteens(label, true, func(tail bool) {
				if wide {
					f.table32NEON(table, 4, 8, 4)
				} else {
					for b := 2; b < 4; b++ {
						f.op("VTBL V4.B16, %s, V%d.B16", list(table+2*b, 2, "B16"), 8+b)
					}
					f.zip(1, 12, 10, 11, "B16")
					f.zip(2, 13, 10, 11, "B16")
					for b := range 4 {
						f.zip(1+b%2, 8+b, zero, 12+b/2, "H8")
					}
				}
				for i := range 4 {
					if kind == powers {
						f.word("fmul", i, i, delta)
						f.word("fsub", i, i, 8+i)
					} else {
						f.word("fmls", i, 8+i, delta)
					}
				}
				if tail {
					f.op("MOVD $firstLanes<>+64(SB), R11")
					f.op("SUB R7<<2, R11, R11")
					f.op("VLD1 (R11), %s", list(masks, 4, "S4"))
					for i := range 4 {
						f.and(i, i, masks+i)
					}
				}
				for i := range 4 {
					f.word("fmla", acc+i, i, i)
				}
			})
		}
		f.op("CBZ R15, short")
		errors("wide", true)
		f.op("B sum")
		f.label("short")
		errors("half", false)
		f.label("sum")
		f.foldSum(acc)
		f.op("FMOVS F%d, (R2)", acc)
		f.op("ADD R14, R2, R2")
	})
}

// foldSum adds the 16 parts in four registers from v on by halves, into the lowest word
// of v.
func (f *file) foldSum(v int) {
	f.word("fadd", v, v, v+2)
	f.word("fadd", v+1, v+1, v+3)
	f.word("fadd", v, v, v+1)
	f.op("VEXT $8, V%[1]d.B16, V%[1]d.B16, V%[2]d.B16", v, v+1)
	f.word("fadd", v, v, v+1)
	f.word("faddp", v, v)
}

// bytesNEON emits a loop over R3 bytes at R2: 64 and then 16 at a time, in V0 …, and then
// the rest, which may be none.
func (f *file) bytesNEON(body func(n int), one func()) {
	f.op("SUBS $64, R3, R3")
	f.op("BLT few")
	f.label("many")
	f.op("VLD1.P 64(R2), %s", list(0, 4, "B16"))
	body(4)
	f.op("SUBS $64, R3, R3")
	f.op("BGE many")
	f.label("few")
	f.op("ADDS $48, R3, R3")
	f.op("BMI last")
	f.label("sixteen")
	f.op("VLD1.P 16(R2), [V0.B16]")
	body(1)
	f.op("SUBS $16, R3, R3")
	f.op("BGE sixteen")
	f.label("last")
	f.op("ADDS $16, R3, R3")
	f.op("BEQ end")
	f.label("one")
	f.op("MOVBU.P 1(R2), R5")
	one()
	f.op("SUBS $1, R3, R3")
	f.op("BNE one")
	f.label("end")
}

// lookupNEON emits the loop from steps to codes.
func lookupNEON(f *file) {
	f.textARM64("lookupNEON", "LookupArgs")
	f.op("MOVD 0(R0), R1")
	f.op("MOVD 8(R0), R2")
	f.op("MOVD 16(R0), R3")
	f.op("MOVD 24(R0), R4")
	f.op("VLD1 (R4), %s", list(16, 2, "B16"))
	f.bytesNEON(func(n int) {
		for i := range n {
			f.op("VTBL V%[1]d.B16, %[2]s, V%[1]d.B16", i, list(16, 2, "B16"))
		}
		f.op("VST1.P %s, %d(R1)", list(0, n, "B16"), 16*n)
	}, func() {
		f.op("AND $63, R5, R5")
		f.op("MOVBU (R4)(R5), R5")
		f.op("MOVB.P R5, 1(R1)")
	})
	f.op("RET")
}

// anyNEON emits the loop that looks for bytes with a nonzero table entry.
func anyNEON(f *file) {
	f.textARM64("anyNEON", "AnyArgs")
	f.op("MOVD 0(R0), R2")
	f.op("MOVD 8(R0), R3")
	f.op("MOVD 16(R0), R4")
	f.op("VLD1 (R4), %s", list(16, 4, "B16"))
	f.clear(4)
	f.op("MOVD $0, R6")
	f.bytesNEON(func(n int) {
		for i := range n {
			f.op("VTBL V%[1]d.B16, %[2]s, V%[1]d.B16", i, list(16, 4, "B16"))
		}
		for i := range n {
			f.or(4, 4, i)
		}
	}, func() {
		f.op("AND $63, R5, R5")
		f.op("MOVBU (R4)(R5), R5")
		f.op("ORR R5, R6, R6")
	})
	f.word("umaxv", 4, 4)
	f.op("FMOVS F4, R5")
	f.op("ORR R5, R6, R6")
	f.op("CMP $0, R6")
	f.op("CSET NE, R6")
	f.op("MOVB R6, 24(R0)")
	f.op("RET")
}

// maxNEON emits the loop that finds the largest magnitudes.
func maxNEON(f *file) {
	f.frameARM64("maxNEON", "MaxArgs", codingFrame)
	f.op("MOVD 32(R0), R2")
	f.op("MOVD $0x7fffffff, R12")
	f.op("VDUP R12, V16.S4")
	f.groupsNEON(func() {
		for i := range 4 {
			f.clear(20 + i)
		}
		f.sixteens("weights", false, func(bool) {
			for i := range 4 {
				f.and(i, i, 16)
				f.word("umax", 20+i, 20+i, i)
			}
		})
		f.word("umax", 20, 20, 21)
		f.word("umax", 22, 22, 23)
		f.word("umax", 20, 20, 22)
		f.word("umaxv", 20, 20)
		f.op("FMOVS.P F20, 4(R2)")
	})
}

// rangeNEON emits the loop for the least and the greatest weights.
func rangeNEON(f *file) {
	f.frameARM64("rangeNEON", "RangeArgs", codingFrame)
	f.op("MOVD 32(R0), R2")
	f.groupsNEON(func() {
		for i := range 8 {
			f.clear(16 + i)
		}
		f.sixteens("weights", false, func(bool) {
			for i := range 4 {
				f.word("fmin", 16+i, 16+i, i)
				f.word("fmax", 20+i, 20+i, i)
			}
		})
		for i, op := range []string{"fmin", "fmax"} {
			v := 16 + 4*i
			f.word(op, v, v, v+1)
			f.word(op, v+2, v+2, v+3)
			f.word(op, v, v, v+2)
			f.word(op+"v", v, v)
			f.op("FMOVS.P F%d, 4(R2)", v)
		}
	})
}

// roundNEON emits the loop for integer codebooks.
func roundNEON(f *file) {
	const inv, middle, zero, top, delta, half, one = 16, 17, 18, 19, 20, 21, 22
	f.frameARM64("roundNEON", "RoundArgs", codingFrame)
	f.op("MOVD 32(R0), R1")
	f.op("MOVD 40(R0), R3")
	f.op("MOVD 48(R0), R2")
	f.op("MOVD 56(R0), R12")
	f.op("VDUP R12, V%d.B16", top)
	f.dupFloat(.5-0x1p-12, middle)
	f.op("FMOVD $0.5, F%d", half)
	f.op("VDUP V%[1]d.D[0], V%[1]d.D2", half)
	f.op("FMOVD $1.0, F%d", one)
	f.op("VDUP V%[1]d.D[0], V%[1]d.D2", one)
	f.groupsNEON(func() {
		f.op("FMOVD.P 8(R3), F%d", delta)
		f.op("FDIVD F%d, F%d, F%d", delta, one, inv)
		f.op("FCVTDS F%[1]d, F%[1]d", inv)
		f.op("VDUP V%[1]d.S[0], V%[1]d.S4", inv)
		f.op("VDUP V%[1]d.D[0], V%[1]d.D2", delta)
		f.op("MOVW.P 4(R2), R12")
		f.op("VDUP R12, V%d.H8", zero)
		f.sixteens("weights", false, func(tail bool) {
			for i := range 4 {
				f.word("fmul", 8+i, i, inv)
			}
			for i := range 4 {
				f.word("frintn", 4+i, 8+i)
			}
			for i := range 4 {
				f.word("fabd", 8+i, 8+i, 4+i)
			}
			f.word("fmaxnm", 8, 8, 9)
			f.word("fmaxnm", 10, 10, 11)
			f.word("fmaxnm", 8, 8, 10)
			f.word("fcmgt", 8, 8, middle)
			f.word("umaxv", 8, 8)
			f.op("FMOVS F8, R12")
			for i := range 4 {
				f.word("fcvtzs", 4+i, 4+i)
			}
			label := "near"
			if tail {
				label = "nearTail"
			}
			f.op("CBNZ R12, %s", label)
			f.label(label + "Done")
			for i := range 2 {
				f.word("sqxtn", 4+i, 4+2*i)
				f.word("sqxtn2", 4+i, 5+2*i)
			}
			for i := range 2 {
				f.word("sqadd", 4+i, 4+i, zero)
			}
			f.word("sqxtun", 4, 4)
			f.word("sqxtun2", 4, 5)
			f.word("uminb", 4, 4, top)
			f.storeSixteen("codes", tail)
		})
	})
	for _, label := range []string{"near", "nearTail"} {
		f.comment("some weight is near the middle between two integers")
		f.label(label)
		for i := range 4 {
			f.word("fcvtl", 8, i)
			f.word("fcvtl2", 9, i)
			for j := range 2 {
				r, floor, mid := 8+j, 10+j, 12+j
				f.word("ddiv", r, r, delta)
				f.word("drintm", floor, r)
				f.word("dadd", mid, floor, half)
				f.word("dcmgt", mid, r, mid)
				f.and(mid, mid, one)
				f.word("dadd", floor, floor, mid)
				f.word("dcvtzs", floor, floor)
			}
			f.word("xtn", 4+i, 10)
			f.word("xtn2", 4+i, 11)
		}
		f.op("B %sDone", label)
	}
}

// fitNEON emits the loop of FitArgs, by cells or by rounding. The sums, four registers
// each, begin at V20.
func fitNEON(f *file, cells bool) {
	const dd, dq, qq = 20, 24, 28
	const rest, low, high, floor, unit, exponent, inv = 14, 14, 15, 16, 17, 18, 19
	const tables = 256
	if cells {
		f.frameARM64("fitCellsNEON", "FitArgs", tables)
	} else {
		f.textARM64("fitRoundNEON", "FitArgs")
	}
	dup := func(at, to int) {
		f.op("FMOVS %d(R8), F%d", at, to)
		f.op("VDUP V%[1]d.S[0], V%[1]d.S4", to)
	}
	f.op("MOVD %d(R0), R8", fitBook)
	if cells {
		f.op("MOVD $tables-%d(SP), R9", tables)
		f.op("MOVD R9, R11")
		f.op("MOVD R8, R12")
		for range 2 { // thresholds, and then values
			f.op("VLD1.P 64(R12), %s", list(8, 4, "S4"))
			f.op("VLD1.P 64(R12), %s", list(12, 4, "S4"))
			f.planes32(20)
			f.op("VST1.P %s, 64(R11)", list(20, 4, "B16"))
			f.op("VST1.P %s, 64(R11)", list(24, 4, "B16"))
		}
		f.op("VMOVI $31, V%d.B16", rest)
		dup(bookInv, 16)
		dup(bookOff, 17)
	} else {
		dup(bookLow, low)
		dup(bookHigh, high)
		dup(bookFloor, floor)
		dup(bookUnit, unit)
		f.op("MOVD $0x7f800000, R12")
		f.op("VDUP R12, V%d.S4", exponent)
	}
	f.op("MOVD %d(R0), R1", fitInv)
	f.op("MOVD %d(R0), R2", fitSums)
	f.op("MOVD %d(R0), R3", fitScales)
	f.label("scale")
	f.op("FMOVS.P 4(R1), F%d", inv)
	f.op("VDUP V%[1]d.S[0], V%[1]d.S4", inv)
	for v := dd; v < 32; v++ {
		f.clear(v)
	}
	f.op("MOVD %d(R0), R4", fitW)
	f.op("MOVD %d(R0), R5", fitA)
	f.op("MOVD %d(R0), R7", fitN)
	f.label("weights")
	f.op("VLD1.P 64(R4), %s", list(0, 4, "S4"))
	each := func(do func(i int)) {
		for i := range 4 {
			do(i)
		}
	}
	each(func(i int) { f.word("fmul", i, i, inv) })
	// Look-ups in the codebook put their results into V4 … V7.
	if cells {
		each(func(i int) { f.move(4+i, 17) })
		each(func(i int) { f.word("fmla", 4+i, i, 16) })
		each(func(i int) { f.word("fcvtzs", 4+i, 4+i) })
		f.saturate(4)
		f.word("uminb", 18, 4, rest)
		f.tableFrame(0)
		each(func(i int) { f.word("fcmgt", 4+i, i, 4+i) })
		f.narrowWords(4)
		f.sub(18, 18, 4, "B16")
		f.tableFrame(128)
	} else {
		each(func(i int) { f.word("fmax", 4+i, i, low) })
		each(func(i int) { f.word("fmin", 4+i, 4+i, high) })
		each(func(i int) { f.word("fabs", 8+i, 4+i) })
		each(func(i int) { f.word("fmax", 8+i, 8+i, floor) })
		each(func(i int) { f.and(8+i, 8+i, exponent) })
		each(func(i int) { f.word("fmul", 8+i, 8+i, unit) })
		each(func(i int) { f.word("fadd", 4+i, 4+i, 8+i) })
		each(func(i int) { f.word("fsub", 4+i, 4+i, 8+i) })
	}
	f.op("VLD1.P 64(R5), %s", list(8, 4, "S4"))
	each(func(i int) { f.word("fsub", i, i, 4+i) })
	each(func(i int) {
		f.word("fmul", 12, 8+i, 4+i)
		f.word("fmul", 8+i, 8+i, i)
		f.word("fmul", 13, 12, i)
		f.word("fmul", 12, 12, 4+i)
		f.word("fmul", 8+i, 8+i, i)
		f.word("fadd", dq+i, dq+i, 13)
		f.word("fadd", qq+i, qq+i, 12)
		f.word("fadd", dd+i, dd+i, 8+i)
	})
	f.op("SUBS $16, R7, R7")
	f.op("BNE weights")
	for _, v := range []int{dd, dq, qq} {
		f.foldSum(v)
		f.op("FMOVS.P F%d, 4(R2)", v)
	}
	f.op("SUBS $1, R3, R3")
	f.op("BNE scale")
	f.op("RET")
}

// tableFrame looks up the bytes of V18 in the table at R9, as table32NEON does, and puts
// words into V4 … V7. It overwrites V8 … V13.
func (f *file) tableFrame(at int) {
	for b := range 4 {
		f.op("FLDPQ %d(R9), (F8, F9)", at+32*b)
		f.op("VTBL V18.B16, [V8.B16, V9.B16], V%d.B16", 4+b)
	}
	f.interleave(4, 10)
}

// widenBF16NEON emits the loop from bfloat16 to float32.
func widenBF16NEON(f *file) {
	f.widen16NEON("widenBF16NEON")
	f.clear(16)
	f.op("SUBS $16, R3, R3")
	f.op("BLT last")
	f.label("sixteen")
	f.op("VLD1.P 32(R2), [V0.H8, V1.H8]")
	for i := range 4 {
		f.zip(1+i%2, 4+i, 16, i/2, "H8")
	}
	f.op("VST1.P %s, 64(R1)", list(4, 4, "S4"))
	f.op("SUBS $16, R3, R3")
	f.op("BGE sixteen")
	f.label("last")
	f.op("ADDS $16, R3, R3")
	f.op("BEQ end")
	f.label("one")
	f.op("MOVHU.P 2(R2), R4")
	f.op("LSL $16, R4, R4")
	f.op("MOVW.P R4, 4(R1)")
	f.op("SUBS $1, R3, R3")
	f.op("BNE one")
	f.label("end")
	f.op("RET")
}

// widenF16NEON emits the loop from float16 to float32.
func widenF16NEON(f *file) {
	f.widen16NEON("widenF16NEON")
	f.op("SUBS $16, R3, R3")
	f.op("BLT last")
	f.label("sixteen")
	f.op("VLD1.P 32(R2), [V0.H8, V1.H8]")
	for i := range 2 {
		f.word("fcvtlh", 4+2*i, i)
		f.word("fcvtlh2", 5+2*i, i)
	}
	f.op("VST1.P %s, 64(R1)", list(4, 4, "S4"))
	f.op("SUBS $16, R3, R3")
	f.op("BGE sixteen")
	f.label("last")
	f.op("ADDS $16, R3, R3")
	f.op("BEQ end")
	f.label("one")
	f.op("VLD1.P 2(R2), V0.H[0]")
	f.word("fcvtlh", 4, 0)
	f.op("FMOVS.P F4, 4(R1)")
	f.op("SUBS $1, R3, R3")
	f.op("BNE one")
	f.label("end")
	f.op("RET")
}

// widen16NEON begins a function of WidenArgs.
func (f *file) widen16NEON(name string) {
	f.textARM64(name, "WidenArgs")
	f.op("MOVD 0(R0), R1")
	f.op("MOVD 8(R0), R2")
	f.op("MOVD 16(R0), R3")
}

// narrowNEON emits the loop from float64 to float32. V16 has ones in lanes where every
// number so far was converted exactly.
func narrowNEON(f *file) {
	f.textARM64("narrowNEON", "NarrowArgs")
	f.op("MOVD 0(R0), R1")
	f.op("MOVD 8(R0), R2")
	f.op("MOVD 16(R0), R3")
	f.op("VMOVI $255, V16.B16")
	f.op("SUBS $8, R3, R3")
	f.op("BLT last")
	f.label("eight")
	f.op("VLD1.P 64(R2), %s", list(0, 4, "D2"))
	for i := range 2 {
		f.word("fcvtn", 4+i, 2*i)
		f.word("fcvtn2", 4+i, 2*i+1)
	}
	for i := range 2 {
		f.word("fcvtl", 6+2*i, 4+i)
		f.word("fcvtl2", 7+2*i, 4+i)
	}
	f.op("VST1.P [V4.S4, V5.S4], 32(R1)")
	for i := range 4 {
		f.word("dcmeq", i, i, 6+i)
	}
	for i := range 4 {
		f.and(16, 16, i)
	}
	f.op("SUBS $8, R3, R3")
	f.op("BGE eight")
	f.label("last")
	f.op("ADDS $8, R3, R3")
	f.op("BEQ end")
	f.label("one")
	f.op("FMOVD.P 8(R2), F0")
	f.op("FCVTDS F0, F4")
	f.op("FMOVS.P F4, 4(R1)")
	f.op("FCVTSD F4, F5")
	f.word("dcmeq", 0, 0, 5) // the upper halves are 0
	f.and(16, 16, 0)
	f.op("SUBS $1, R3, R3")
	f.op("BNE one")
	f.label("end")
	f.word("uminv", 16, 16)
	f.op("FMOVS F16, R4")
	f.op("CMPW $0, R4")
	f.op("CSET NE, R4")
	f.op("MOVB R4, 24(R0)")
	f.op("RET")
}

// packNEON emits the loop that packs codes, 16 at a time. The fields of a byte are
// inserted from the lowest up: each overwrites the excess bits of the field below it, and
// the excess bits of the last are shifted out.
func packNEON(f *file, bits int) {
	type from struct {
		strip int
		pack.Field
	}
	layout := pack.Layout(bits)
	planes := make([][]from, pack.StripBytes(bits))
	for s, fields := range layout {
		for _, d := range fields {
			planes[d.Index] = append(planes[d.Index], from{s, d})
		}
	}
	f.textARM64(fmt.Sprintf("pack%dNEON", bits), "PackArgs")
	f.op("MOVD 0(R0), R1")
	f.op("MOVD 8(R0), R2")
	f.op("MOVD 16(R0), R3")
	f.op("MOVD 24(R0), R4")
	f.label("chunk")
	f.op("MOVD R3, R5")
	f.label("part")
	f.op("MOVD R2, R6")
	for s := range layout {
		f.op("VLD1 (R6), [V%d.B16]", s)
		if s+1 < len(layout) {
			f.op("ADD R3, R6, R6")
		}
	}
	f.op("MOVD R1, R6")
	for p, fields := range planes {
		slices.SortFunc(fields, func(a, b from) int { return cmp.Compare(a.From, b.From) })
		out := 16
		for i, d := range fields {
			src := d.strip
			if d.To > 0 {
				to := 17 + i%2
				if i == 0 {
					to = out
				}
				f.op("VUSHR $%d, V%d.B16, V%d.B16", d.To, src, to)
				src = to
			}
			switch {
			case i > 0:
				f.op("VSLI $%d, V%d.B16, V%d.B16", d.From, src, out)
			case len(fields) == 1:
				out = src
			case src != out:
				f.move(out, src)
			}
		}
		f.op("VST1 [V%d.B16], (R6)", out)
		if p+1 < len(planes) {
			f.op("ADD R3, R6, R6")
		}
	}
	f.op("ADD $16, R1, R1")
	f.op("ADD $16, R2, R2")
	f.op("SUBS $16, R5, R5")
	f.op("BNE part")
	// The pointers have passed the first strip and the first plane. Skip the others.
	if n := len(layout); n > 1 {
		f.op("MOVD $%d, R5", n-1)
		f.op("MADD R5, R2, R3, R2")
	}
	if n := len(planes); n > 1 {
		f.op("MOVD $%d, R5", n-1)
		f.op("MADD R5, R1, R3, R1")
	}
	f.op("SUBS $1, R4, R4")
	f.op("BNE chunk")
	f.op("RET")
}
