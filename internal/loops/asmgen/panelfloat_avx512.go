package main

import "fmt"

// Offsets of FloatArgs.
const (
	floatPanel = 0
	floatLanes = 8
	floatQuads = 16
	floatK     = 24
	floatZeros = 32
	floatTable = 40
	floatAcc   = 48
	floatX     = 56
)

// Offsets of FloatQuad and FloatLane.
const (
	quadPanel = 0
	quadX     = 4
	quadK     = 8
	quadSize  = 12
	laneQuads = 0
	laneAcc   = 4
	laneSize  = 8
)

const (
	floatSums = 32  // of a row
	floatPad  = 48  // floats
	runBytes  = 256 // of 64 columns of X
)

var floatModes = []string{"Sub", "Table16", "Table64"}

func panelFloatAVX512() *file {
	f := newFile("amd64 && !purego")
	f.data("bit5", 32)
	for _, mode := range floatModes {
		for _, n := range avx512Set().floats {
			panelFloats(f, mode, n)
		}
	}
	floatFinish(f)
	return f
}

// panelFloats emits the loop for n vectors: Z0… are their t and Z12… their sums, Z24 … Z27
// the weights.
func panelFloats(f *file, mode string, n int) {
	t := func(v int) string { return z(v) }
	acc := func(v int) string { return z(12 + v) }
	w := func(c int) string { return z(24 + c) }
	f.text(fmt.Sprintf("floats%s%dAVX512", mode, n), "FloatArgs")
	f.op("MOVQ %d(AX), BX", floatPanel)
	f.op("MOVQ %d(AX), DX", floatLanes)
	f.op("MOVQ %d(AX), R11", floatQuads)
	f.op("MOVQ %d(AX), R9", floatK)
	f.op("MOVQ %d(AX), R12", floatZeros)
	f.op("MOVQ %d(AX), R13", floatTable)
	f.op("MOVQ %d(AX), R15", floatAcc)
	f.op("MOVQ %d(AX), R8", floatX)
	switch mode {
	case "Sub":
		f.op("MOVL $0x000000ff, CX")
		f.op("VPBROADCASTD CX, Z31")
		f.op("MOVL $0x4b000000, CX") // 2^23
		f.op("VPBROADCASTD CX, Z30")
	case "Table16":
		f.op("VMOVUPS (R13), Z31")
	case "Table64":
		f.op("VMOVUPS (R13), Z30")
		f.op("VMOVUPS 128(R13), Z31")
	}
	f.op("JMP next")

	f.label("lane")
	f.op("MOVLQSX %d(DX), R14", laneAcc)
	f.op("ADDQ R15, R14")
	at := func(v int) string { return fmt.Sprintf("%d(R14)", 4*v*(16*floatSums+floatPad)) }
	for v := range n {
		f.op("VMOVUPS %s, %s", at(v), acc(v))
	}

	f.label("quad")
	f.op("MOVLQSX %d(R11), R10", quadPanel)
	f.op("MOVLQSX %d(R11), SI", quadX)
	f.op("MOVLQSX %d(R11), DI", quadK)
	f.op("ADDQ R8, SI")
	f.op("VMOVDQU64 (BX)(R10*1), %s", w(0))
	if mode == "Sub" {
		f.op("VMOVUPS (R12)(DI*1), Z28")
	}
	for c := 1; c < 4; c++ {
		f.op("VPSRLD $%d, %s, %s", 8*c, w(0), w(c))
	}
	for c := range 4 {
		switch mode {
		case "Sub":
			f.op("VPTERNLOGD $0xea, Z30, Z31, %s", w(c)) // w & Z31 | Z30
			f.op("VSUBPS Z28, %s, %s", w(c), w(c))
		case "Table16":
			f.op("VPERMPS Z31, %s, %s", w(c), w(c))
		case "Table64":
			f.op("VPTESTMD.BCST bit5<>(SB), %s, K1", w(c))
			f.op("VMOVDQA64 %s, Z28", w(c))
			f.op("VPERMI2PS 64(R13), Z30, %s", w(c))
			f.op("VPERMI2PS 192(R13), Z31, Z28")
			f.op("VMOVAPS Z28, K1, %s", w(c))
		}
	}
	for c := range 4 {
		op := "VFMADD231PS"
		if c == 0 {
			op = "VMULPS"
		}
		for v := range n {
			f.op("%s.BCST %d(SI), %s, %s", op, runBytes*v+64*c, w(c), t(v))
		}
	}
	f.op("VMOVUPS (R9)(DI*1), Z28")
	for v := range n {
		f.op("VFMADD231PS %s, Z28, %s", t(v), acc(v))
	}
	f.op("ADDQ $%d, R11", quadSize)
	f.op("DECQ CX")
	f.op("JNZ quad")
	for v := range n {
		f.op("VMOVUPS %s, %s", acc(v), at(v))
	}
	f.op("ADDQ $%d, DX", laneSize)
	f.label("next")
	f.op("MOVLQSX %d(DX), CX", laneQuads)
	f.op("TESTQ CX, CX")
	f.op("JNE lane")
	f.op("VZEROUPPER")
	f.op("RET")
}

// floatFinish emits the end of the sums of 16 rows.
func floatFinish(f *file) {
	f.text("floatFinishAVX512", "FloatFinishArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), DX")
	half := floatSums / 2
	for l := range half {
		f.op("VMOVUPS %d(SI), %s", 64*l, z(l))
		f.op("VADDPS %d(SI), %s, %s", 64*(l+half), z(l), z(l))
	}
	for half > 1 {
		half /= 2
		for l := range half {
			f.op("VADDPS %s, %s, %s", z(l+half), z(l), z(l))
		}
	}
	f.op("VMULPS (DX), Z0, Z0")
	f.op("VMOVUPS Z0, (DI)")
	f.op("VZEROUPPER")
	f.op("RET")
}
