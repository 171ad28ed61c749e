package main

import "fmt"

func panelFloatNEON() *file {
	f := newFile("arm64 && !purego")
	for i := range 4 {
		f.data(fmt.Sprintf("words%d", i), 0xffffff00+uint32(4*i), 0xffffff01+uint32(4*i), 0xffffff02+uint32(4*i), 0xffffff03+uint32(4*i))
	}
	widenSubNEON(f)
	widenTableNEON(f, "Table16", 1)
	widenTableNEON(f, "Table64", 4)
	for n := 1; n <= neonSet().floats; n++ {
		floatsNEON(f, n)
	}
	floatFinishNEON(f)
	quadsNEON(f)
	return f
}

// beginWidenNEON loads the arguments of the loops of Widen, and begins a quad: it loads
// the columns of 16 rows into V0 … V3.
func beginWidenNEON(f *file, set func()) {
	f.op("MOVD %d(R0), R1", widenDst)
	f.op("MOVD %d(R0), R2", widenPanel)
	f.op("MOVD %d(R0), R3", widenQuads)
	f.op("MOVD %d(R0), R4", widenN)
	f.op("MOVD %d(R0), R5", widenZeros)
	f.op("MOVD %d(R0), R6", widenTable)
	set()
	f.label("quad")
	f.op("MOVW %d(R3), R7", quadPanel)
	f.op("ADD R2, R7, R7")
	f.op("VLD4 (R7), [V0.B16, V1.B16, V2.B16, V3.B16]")
}

func endWidenNEON(f *file) {
	f.op("ADD $%d, R3, R3", quadSize)
	f.op("SUBS $1, R4, R4")
	f.op("BNE quad")
	f.op("RET")
}

// widenSubNEON emits the loop that makes floats of bytes: V16 … V19 bring four of them
// to the bottom of words, V20 has 2^23, and V4 … V7 have what is subtracted.
func widenSubNEON(f *file) {
	f.textARM64("widenSubNEON", "WidenArgs")
	beginWidenNEON(f, func() {
		for i := range 4 {
			f.op("MOVD $words%d<>(SB), R7", i)
			f.op("VLD1 (R7), [V%d.B16]", 16+i)
		}
		f.op("MOVD $0x4b000000, R7")
		f.op("VDUP R7, V20.S4")
	})
	f.op("MOVW %d(R3), R8", quadK)
	f.op("ADD R5, R8, R8")
	f.op("VLD1 (R8), %s", list(4, 4, "S4"))
	for c := range 4 {
		for r := range 4 {
			f.op("VTBL V%d.B16, [V%d.B16], V%d.B16", 16+r, c, 24+r)
		}
		for r := range 4 {
			f.op("VORR V20.B16, V%[1]d.B16, V%[1]d.B16", 24+r)
		}
		for r := range 4 {
			f.word("fsub", 24+r, 24+r, 4+r)
		}
		f.op("VST1.P %s, 64(R1)", list(24, 4, "S4"))
	}
	endWidenNEON(f)
}

// widenTableNEON emits the loop that looks bytes up in a table of a multiple of 16
// floats. Each of the four bytes of a float has a table of its own, from V8, V12, V16 and
// V20 on.
func widenTableNEON(f *file, mode string, tables int) {
	f.textARM64("widen"+mode+"NEON", "WidenArgs")
	beginWidenNEON(f, func() {
		for i := range tables {
			f.op("VLD4.P 64(R6), [V0.B16, V1.B16, V2.B16, V3.B16]")
			for b := range 4 {
				f.op("VORR V%[1]d.B16, V%[1]d.B16, V%[2]d.B16", b, 8+4*b+i)
			}
		}
		f.op("VMOVI $%d, V31.B16", 16*tables-1)
	})
	for c := range 4 {
		f.op("VAND V31.B16, V%[1]d.B16, V%[1]d.B16", c)
		for b := range 4 {
			f.op("VTBL V%d.B16, %s, V%d.B16", c, list(8+4*b, tables, "B16"), 24+b)
		}
		f.op("VZIP1 V25.B16, V24.B16, V28.B16")
		f.op("VZIP2 V25.B16, V24.B16, V29.B16")
		f.op("VZIP1 V27.B16, V26.B16, V30.B16")
		f.op("VZIP2 V27.B16, V26.B16, V24.B16")
		f.op("VZIP1 V30.H8, V28.H8, V4.H8")
		f.op("VZIP2 V30.H8, V28.H8, V5.H8")
		f.op("VZIP1 V24.H8, V29.H8, V6.H8")
		f.op("VZIP2 V24.H8, V29.H8, V7.H8")
		f.op("VST1.P %s, 64(R1)", list(4, 4, "S4"))
	}
	endWidenNEON(f)
}

// floatsNEON emits the loop for n vectors. V0 … are t, four registers for each vector,
// V12 … sums, V24 … V27 weights, and V28 … activations.
func floatsNEON(f *file, n int) {
	t := func(v, r int) int { return 4*v + r }
	acc := func(v, r int) int { return 12 + 4*v + r }
	f.textARM64(fmt.Sprintf("floats%dNEON", n), "FloatArgs")
	f.op("MOVD %d(R0), R1", floatW)
	f.op("MOVD %d(R0), R2", floatX)
	f.op("MOVD %d(R0), R3", floatK)
	f.op("MOVD %d(R0), R4", floatQuads)
	f.op("MOVD %d(R0), R5", floatLanes)
	f.op("MOVD %d(R0), R6", floatN)
	f.op("MOVD %d(R0), R7", floatAcc)
	f.op("MOVD %d(R0), R8", floatFresh)

	f.label("lane")
	f.op("MOVW.P 4(R5), R9")
	f.op("CBZ R8, load")
	for i := range 4 * n {
		f.op("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", 12+i)
	}
	f.op("B begin")
	f.label("load")
	for i := 0; i < 4*n; i += 2 {
		f.op("FLDPQ %d(R7), (F%d, F%d)", 16*i, 12+i, 13+i)
	}
	f.label("begin")
	f.op("CBZ R9, end")

	f.label("quad")
	f.op("MOVW %d(R4), R10", quadK)
	f.op("VLD1.P %d(R2), %s", 16*n, list(28, n, "B16"))
	f.op("ADD R3, R10, R10")
	for c := range 4 {
		f.op("FLDPQ %d(R1), (F24, F25)", 64*c)
		f.op("FLDPQ %d(R1), (F26, F27)", 64*c+32)
		name := "fmlae"
		if c == 0 {
			name = "fmule"
		}
		for v := range n {
			for r := range 4 {
				f.word(name, t(v, r), 24+r, 28+v, c)
			}
		}
	}
	f.op("FLDPQ (R10), (F24, F25)")
	f.op("FLDPQ 32(R10), (F26, F27)")
	for v := range n {
		for r := range 4 {
			f.word("fmla", acc(v, r), t(v, r), 24+r)
		}
	}
	f.op("ADD $256, R1, R1")
	f.op("ADD $%d, R4, R4", quadSize)
	f.op("SUBS $1, R9, R9")
	f.op("BNE quad")

	f.label("end")
	for i := 0; i < 4*n; i += 2 {
		f.op("FSTPQ (F%d, F%d), %d(R7)", 12+i, 13+i, 16*i)
	}
	f.op("ADD $%d, R7, R7", 64*n)
	f.op("SUBS $1, R6, R6")
	f.op("BNE lane")
	f.op("RET")
}

// floatFinishNEON emits the end of the sums.
func floatFinishNEON(f *file) {
	f.textARM64("floatFinishNEON", "FloatFinishArgs")
	f.op("MOVD %d(R0), R1", floatFinishDst)
	f.op("MOVD %d(R0), R2", floatFinishAcc)
	f.op("MOVD %d(R0), R3", floatFinishOuter)
	f.op("MOVD %d(R0), R4", floatFinishN)
	f.comment("the distance between lanes")
	f.op("LSL $6, R4, R5")
	f.label("vector")
	f.op("MOVD $0, R6")
	f.label("rows")
	f.op("ADD R2, R6, R7")
	for l := range floatSums {
		to := l % 16
		if l >= 16 {
			to = 16
		}
		f.op("FMOVQ (R7), F%d", to)
		f.op("ADD R5, R7, R7")
		if l >= 16 {
			f.word("fadd", l-16, l-16, 16)
		}
	}
	for half := 8; half > 0; half /= 2 {
		for l := range half {
			f.word("fadd", l, l, l+half)
		}
	}
	f.op("ADD R3, R6, R7")
	f.op("FMOVQ (R7), F16")
	f.word("fmul", 0, 0, 16)
	f.op("VST1.P [V0.S4], 16(R1)")
	f.op("ADD $16, R6, R6")
	f.op("CMP $64, R6")
	f.op("BNE rows")
	f.op("ADD $64, R2, R2")
	f.op("SUBS $1, R4, R4")
	f.op("BNE vector")
	f.op("RET")
}

// quadsNEON emits the loop that puts the columns of quads side by side.
func quadsNEON(f *file) {
	f.textARM64("quadsNEON", "QuadsArgs")
	f.op("MOVD %d(R0), R1", quadsDst)
	f.op("MOVD %d(R0), R2", quadsX)
	f.op("MOVD %d(R0), R3", quadsAt)
	f.op("MOVD %d(R0), R4", quadsBlocks)
	f.op("MOVD %d(R0), R5", quadsStep)
	f.label("block")
	for lane := 0; lane < floatSums; lane += 4 {
		for c := range 4 {
			f.op("FMOVQ %d(R2), F%d", lane/16*256+64*c+lane%16*4, c)
		}
		f.op("VZIP1 V1.S4, V0.S4, V4.S4")
		f.op("VZIP2 V1.S4, V0.S4, V5.S4")
		f.op("VZIP1 V3.S4, V2.S4, V6.S4")
		f.op("VZIP2 V3.S4, V2.S4, V7.S4")
		f.op("VZIP1 V6.D2, V4.D2, V0.D2")
		f.op("VZIP2 V6.D2, V4.D2, V1.D2")
		f.op("VZIP1 V7.D2, V5.D2, V2.D2")
		f.op("VZIP2 V7.D2, V5.D2, V3.D2")
		for i := range 4 {
			f.op("MOVW %d(R3), R6", 4*(lane+i))
			f.op("ADD R1, R6, R6")
			f.op("FMOVQ F%d, (R6)", i)
		}
	}
	f.op("ADD $512, R2, R2")
	f.op("ADD R5, R1, R1")
	f.op("SUBS $1, R4, R4")
	f.op("BNE block")
	f.op("RET")
}
