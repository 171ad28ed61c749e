package main

// samplesNEON emits the loops around the weights of a search. A step takes
// coding.WideLanes float64, in two registers.
func samplesNEON(f *file) {
	// fours emits a loop over R3 weights, in steps of the given number.
	fours := func(n int, body func()) {
		f.label("weights")
		body()
		f.op("SUBS $%d, R3, R3", n)
		f.op("BNE weights")
	}
	pair := func(name string, to, a, b int) {
		for i := range 2 {
			f.word(name, to+i, a+i, b+i)
		}
	}
	// same is pair with one operand that both share.
	same := func(name string, to, a, b int) {
		for i := range 2 {
			f.word(name, to+i, a+i, b)
		}
	}
	load := func(from string, v int) { f.op("VLD1.P 32(%s), %s", from, list(v, 2, "D2")) }
	dup := func(at, v int) {
		f.op("FMOVD %d(R0), F%d", at, v)
		f.op("VDUP V%[1]d.D[0], V%[1]d.D2", v)
	}
	parts := func(op string, at, v int) {
		f.op("ADD $%d, R0, R6", at)
		if op == "VLD1" {
			f.op("VLD1 (R6), %s", list(v, 2, "D2"))
		} else {
			f.op("VST1 %s, (R6)", list(v, 2, "D2"))
		}
	}
	begin := func(name, arg string, n int, pointers ...int) {
		f.textARM64(name+"NEON", arg)
		for i, at := range pointers {
			f.op("MOVD %d(R0), R%d", at, []int{1, 2, 4, 5}[i])
		}
		f.op("MOVD %d(R0), R3", n)
	}

	begin("survey", "SurveyArgs", surveyN, surveyW, surveyA)
	for i, at := range []int{surveyLo, surveyHi, surveyMost} {
		parts("VLD1", at, 16+2*i)
	}
	fours(4, func() {
		load("R1", 0)
		load("R2", 2)
		pair("dmin", 16, 16, 0)
		pair("dmax", 18, 18, 0)
		pair("dmax", 20, 20, 2)
	})
	for i, at := range []int{surveyLo, surveyHi, surveyMost} {
		parts("VST1", at, 16+2*i)
	}
	f.op("RET")

	begin("sample", "SampleArgs", sampleN, sampleW, sampleA, sampleDstW, sampleDstA)
	for i, at := range []int{sampleScaleW, sampleScaleA, sampleLeast} {
		dup(at, 18+i)
	}
	parts("VLD1", sampleTotal, 16)
	fours(4, func() {
		load("R1", 0)
		load("R2", 2)
		same("dmul", 0, 0, 18)
		same("dmul", 2, 2, 19)
		same("dcmge", 4, 2, 20)
		for i := range 2 {
			f.and(2+i, 2+i, 4+i)
		}
		for i := range 2 {
			f.word("fcvtn", 6+i, 2*i)
			f.word("fcvtn2", 6+i, 2*i+1)
			f.op("VST1.P [V%d.S4], 16(R%d)", 6+i, 4+i)
			f.word("fcvtl", 2*i, 6+i)
			f.word("fcvtl2", 2*i+1, 6+i)
		}
		pair("dmul", 0, 0, 0)
		pair("dmul", 0, 2, 0)
		pair("dadd", 16, 16, 0)
	})
	parts("VST1", sampleTotal, 16)
	f.op("RET")

	begin("square", "SquareArgs", squareN, squareW)
	parts("VLD1", squareSum, 16)
	fours(4, func() {
		load("R1", 0)
		pair("dmul", 0, 0, 0)
		pair("dadd", 16, 16, 0)
	})
	parts("VST1", squareSum, 16)
	f.op("RET")

	begin("emphasize", "EmphasizeArgs", emphasizeN, emphasizeW, emphasizeDst)
	dup(emphasizeInverse, 18)
	f.op("FMOVD $1.0, F19")
	f.op("VDUP V19.D[0], V19.D2")
	fours(4, func() {
		load("R1", 0)
		pair("dmul", 0, 0, 0)
		same("dmul", 0, 0, 18)
		same("dadd", 0, 0, 19)
		for i := range 2 {
			f.word("dsqrt", i, i)
		}
		f.op("VST1.P %s, 32(R2)", list(0, 2, "D2"))
	})
	f.op("RET")

	begin("noise", "NoiseArgs", noiseN, noiseW, noiseA, noiseCodes, noiseValues)
	f.comment("values, by their bytes")
	f.op("VLD4 (R5), %s", list(24, 4, "B16"))
	for i, at := range []int{noiseNoise, noiseAbove, noiseBelow} {
		parts("VLD1", at, 16+2*i)
	}
	fours(8, func() {
		f.op("FMOVD.P 8(R4), F0")
		for b := range 4 {
			f.op("VTBL V0.B16, [V%d.B16], V%d.B16", 24+b, 4+b)
		}
		f.zip(1, 4, 4, 5, "B16")
		f.zip(1, 6, 6, 7, "B16")
		f.zip(1, 0, 4, 6, "H8")
		f.zip(2, 2, 4, 6, "H8")
		for half := range 2 {
			v := 2 * half
			f.word("fcvtl2", v+1, v)
			f.word("fcvtl", v, v)
			const w, a, e, p = 4, 6, 8, 10
			load("R1", w)
			load("R2", a)
			pair("dsub", e, w, v)
			pair("dmul", p, a, e)
			pair("dmul", p, p, e)
			pair("dadd", 16, 16, p)
			pair("dmul", a, a, v)
			pair("dmul", p, a, w)
			pair("dadd", 18, 18, p)
			pair("dmul", p, a, v)
			pair("dadd", 20, 20, p)
		}
	})
	for i, at := range []int{noiseNoise, noiseAbove, noiseBelow} {
		parts("VST1", at, 16+2*i)
	}
	f.op("RET")
}
