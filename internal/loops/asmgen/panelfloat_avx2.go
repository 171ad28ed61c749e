package main

import "fmt"

func panelFloatAVX2() *file {
	f := newFile("amd64 && !purego")
	f.data("float2p23", 0x4b000000)
	f.data("lowByte", 0xff)
	f.data("low6", 0x3f)
	for _, mode := range floatModes {
		for _, n := range avx2Set().floats {
			panelFloatsAVX2(f, mode, n)
		}
	}
	f.text("floatFinishAVX2", "FloatFinishArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), DX")
	half := floatSums / 2
	for l := range half {
		f.op("VMOVUPS %d(SI), %s", 32*l, y(l))
		f.op("VADDPS %d(SI), %s, %s", 32*(l+half), y(l), y(l))
	}
	for half > 1 {
		half /= 2
		for l := range half {
			f.op("VADDPS %s, %s, %s", y(l+half), y(l), y(l))
		}
	}
	f.op("VMULPS (DX), Y0, Y0")
	f.op("VMOVUPS Y0, (DI)")
	f.op("VZEROUPPER")
	f.op("RET")
	return f
}

// panelFloatsAVX2 emits the loop for n vectors, as panelFloats: Y0 … are their t and Y4
// … their sums, Y8 … Y11 the weights.
func panelFloatsAVX2(f *file, mode string, n int) {
	t := func(v int) string { return y(v) }
	acc := func(v int) string { return y(4 + v) }
	w := func(c int) string { return y(8 + c) }
	f.text(fmt.Sprintf("floats%s%dAVX2", mode, n), "FloatArgs")
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
		f.op("VPBROADCASTD lowByte<>(SB), Y14")
		f.op("VPBROADCASTD float2p23<>(SB), Y15")
	case "Table16":
		f.op("VMOVUPS (R13), Y14")
		f.op("VMOVUPS 32(R13), Y15")
	case "Table64":
		f.op("VPBROADCASTD low6<>(SB), Y14")
	}
	f.op("JMP next")

	f.label("lane")
	f.op("MOVLQSX %d(DX), R14", laneAcc)
	f.op("ADDQ R15, R14")
	at := func(v int) string { return fmt.Sprintf("%d(R14)", 4*v*(8*floatSums+floatPad)) }
	for v := range n {
		f.op("VMOVUPS %s, %s", at(v), acc(v))
	}

	f.label("quad")
	f.op("MOVLQSX %d(R11), R10", quadPanel)
	f.op("MOVLQSX %d(R11), SI", quadX)
	f.op("MOVLQSX %d(R11), DI", quadK)
	f.op("ADDQ R8, SI")
	f.op("VMOVDQU (BX)(R10*1), %s", w(0))
	if mode == "Sub" {
		f.op("VMOVUPS (R12)(DI*1), Y12")
	}
	for c := 1; c < 4; c++ {
		f.op("VPSRLD $%d, %s, %s", 8*c, w(0), w(c))
	}
	for c := range 4 {
		switch mode {
		case "Sub":
			if c < 3 {
				f.op("VPAND Y14, %s, %s", w(c), w(c))
			}
			f.op("VPOR Y15, %s, %s", w(c), w(c))
			f.op("VSUBPS Y12, %s, %s", w(c), w(c))
		case "Table16":
			f.op("VPSLLD $28, %s, Y12", w(c)) // bit 3, on top, takes the upper half
			f.op("VPERMPS Y15, %s, Y13", w(c))
			f.op("VPERMPS Y14, %s, %s", w(c), w(c))
			f.op("VBLENDVPS Y12, Y13, %s, %s", w(c), w(c))
		case "Table64":
			f.op("VPAND Y14, %s, Y12", w(c))
			f.op("VPCMPEQD Y13, Y13, Y13")
			f.op("VGATHERDPS Y13, (R13)(Y12*4), %s", w(c))
		}
	}
	for c := range 4 {
		for v := range n {
			from := fmt.Sprintf("%d(SI)", runBytes*v+64*c)
			f.op("VBROADCASTSS %s, %s", from, y(12+v%2))
			if c == 0 {
				f.op("VMULPS %s, %s, %s", y(12+v%2), w(c), t(v))
			} else {
				f.op("VFMADD231PS %s, %s, %s", y(12+v%2), w(c), t(v))
			}
		}
	}
	f.op("VMOVUPS (R9)(DI*1), Y12")
	for v := range n {
		f.op("VFMADD231PS %s, Y12, %s", t(v), acc(v))
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
