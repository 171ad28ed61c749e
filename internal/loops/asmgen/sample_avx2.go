package main

// Offsets of coding.SurveyArgs, coding.SampleArgs, coding.SquareArgs,
// coding.EmphasizeArgs and coding.NoiseArgs, which all begin with the weights and their
// number, N.
const (
	surveyW    = 0
	surveyA    = 8
	surveyN    = 16
	surveyLo   = 24
	surveyHi   = 56
	surveyMost = 88

	sampleW      = 0
	sampleA      = 8
	sampleN      = 16
	sampleDstW   = 24
	sampleDstA   = 32
	sampleScaleW = 40
	sampleScaleA = 48
	sampleLeast  = 56
	sampleTotal  = 64

	squareW   = 0
	squareN   = 8
	squareSum = 16

	emphasizeDst     = 0
	emphasizeW       = 8
	emphasizeN       = 16
	emphasizeInverse = 24

	noiseW      = 0
	noiseA      = 8
	noiseCodes  = 16
	noiseN      = 24
	noiseValues = 32
	noiseNoise  = 40
	noiseAbove  = 72
	noiseBelow  = 104
)

// samplesAVX2 emits the loops around the weights of a search.
func samplesAVX2(f *file) {
	// fours emits a loop over CX weights at SI, in steps of the given number.
	fours := func(n int, body func()) {
		f.label("weights")
		body()
		f.op("ADDQ $%d, SI", 8*n)
		f.op("SUBQ $%d, CX", n)
		f.op("JNZ weights")
	}
	f.text("surveyAVX2", "SurveyArgs")
	f.op("MOVQ %d(AX), SI", surveyW)
	f.op("MOVQ %d(AX), DI", surveyA)
	f.op("MOVQ %d(AX), CX", surveyN)
	for i, at := range []int{surveyLo, surveyHi, surveyMost} {
		f.op("VMOVUPD %d(AX), %s", at, y(i))
	}
	fours(4, func() {
		f.op("VMOVUPD (SI), Y3")
		f.op("VMINPD Y3, Y0, Y0")
		f.op("VMAXPD Y3, Y1, Y1")
		f.op("VMAXPD (DI), Y2, Y2")
		f.op("ADDQ $32, DI")
	})
	for i, at := range []int{surveyLo, surveyHi, surveyMost} {
		f.op("VMOVUPD %s, %d(AX)", y(i), at)
	}
	f.end()

	f.text("sampleAVX2", "SampleArgs")
	f.op("MOVQ %d(AX), SI", sampleW)
	f.op("MOVQ %d(AX), DI", sampleA)
	f.op("MOVQ %d(AX), CX", sampleN)
	f.op("MOVQ %d(AX), R8", sampleDstW)
	f.op("MOVQ %d(AX), R9", sampleDstA)
	for i, at := range []int{sampleScaleW, sampleScaleA, sampleLeast} {
		f.op("VBROADCASTSD %d(AX), %s", at, y(4+i))
	}
	f.op("VMOVUPD %d(AX), Y7", sampleTotal)
	fours(4, func() {
		f.op("VMULPD (SI), Y4, Y0")
		f.op("VMULPD (DI), Y5, Y1")
		f.op("VCMPPD $29, Y6, Y1, Y2") // at least
		f.op("VANDPD Y2, Y1, Y1")
		for i := range 2 {
			f.op("VCVTPD2PSY %s, %s", y(i), x(i))
			f.op("VMOVUPS %s, (R%d)", x(i), 8+i)
			f.op("VCVTPS2PD %s, %s", x(i), y(i))
			f.op("ADDQ $16, R%d", 8+i)
		}
		f.op("VMULPD Y0, Y0, Y0")
		f.op("VMULPD Y0, Y1, Y0")
		f.op("VADDPD Y0, Y7, Y7")
		f.op("ADDQ $32, DI")
	})
	f.op("VMOVUPD Y7, %d(AX)", sampleTotal)
	f.end()

	f.text("squareAVX2", "SquareArgs")
	f.op("MOVQ %d(AX), SI", squareW)
	f.op("MOVQ %d(AX), CX", squareN)
	f.op("VMOVUPD %d(AX), Y7", squareSum)
	fours(4, func() {
		f.op("VMOVUPD (SI), Y0")
		f.op("VMULPD Y0, Y0, Y0")
		f.op("VADDPD Y0, Y7, Y7")
	})
	f.op("VMOVUPD Y7, %d(AX)", squareSum)
	f.end()

	f.text("emphasizeAVX2", "EmphasizeArgs")
	f.op("MOVQ %d(AX), DI", emphasizeDst)
	f.op("MOVQ %d(AX), SI", emphasizeW)
	f.op("MOVQ %d(AX), CX", emphasizeN)
	f.op("VBROADCASTSD %d(AX), Y4", emphasizeInverse)
	f.op("MOVQ $0x3ff0000000000000, R15") // 1
	f.op("MOVQ R15, X5")
	f.op("VPBROADCASTQ X5, Y5")
	fours(4, func() {
		f.op("VMOVUPD (SI), Y0")
		f.op("VMULPD Y0, Y0, Y0")
		f.op("VMULPD Y4, Y0, Y0")
		f.op("VADDPD Y5, Y0, Y0")
		f.op("VSQRTPD Y0, Y0")
		f.op("VMOVUPD Y0, (DI)")
		f.op("ADDQ $32, DI")
	})
	f.end()

	f.text("noiseAVX2", "NoiseArgs")
	f.op("MOVQ %d(AX), SI", noiseW)
	f.op("MOVQ %d(AX), DI", noiseA)
	f.op("MOVQ %d(AX), R8", noiseCodes)
	f.op("MOVQ %d(AX), CX", noiseN)
	f.op("MOVQ %d(AX), R9", noiseValues)
	f.op("VMOVUPS (R9), Y8")
	f.op("VMOVUPS 32(R9), Y9")
	for i, at := range []int{noiseNoise, noiseAbove, noiseBelow} {
		f.op("VMOVUPD %d(AX), %s", at, y(10+i))
	}
	fours(8, func() {
		f.op("VPMOVZXBD (R8), Y0")
		f.op("VPERMPS Y8, Y0, Y1")
		f.op("VPERMPS Y9, Y0, Y2")
		f.op("VPSLLD $28, Y0, Y0") // the sign is bit 3
		f.op("VBLENDVPS Y0, Y2, Y1, Y1")
		f.op("VEXTRACTF128 $1, Y1, X2")
		for i := range 2 {
			v := y(1 + i)
			f.op("VCVTPS2PD %s, %s", x(1+i), v)
			f.op("VMOVUPD %d(SI), Y3", 32*i)
			f.op("VMOVUPD %d(DI), Y4", 32*i)
			f.op("VSUBPD %s, Y3, Y5", v)
			f.op("VMULPD Y5, Y4, Y6")
			f.op("VMULPD Y5, Y6, Y6")
			f.op("VADDPD Y6, Y10, Y10")
			f.op("VMULPD %s, Y4, Y4", v)
			f.op("VMULPD Y3, Y4, Y5")
			f.op("VADDPD Y5, Y11, Y11")
			f.op("VMULPD %s, Y4, Y4", v)
			f.op("VADDPD Y4, Y12, Y12")
		}
		f.op("ADDQ $64, DI")
		f.op("ADDQ $8, R8")
	})
	for i, at := range []int{noiseNoise, noiseAbove, noiseBelow} {
		f.op("VMOVUPD %s, %d(AX)", y(10+i), at)
	}
	f.end()
}
