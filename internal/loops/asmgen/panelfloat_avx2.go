package main

func panelFloatAVX2() *file {
	f := newFile("amd64 && !purego")
	f.data("float2p23", 0x4b000000)
	f.data("lowByte", 0xff)
	f.data("low6", 0x3f)
	panelFloatAMD64(f, avx2Set(), 32, y, widenAVX2, fewAVX2)
	return f
}

// widenAVX2 emits the loop that makes floats of a panel.
func widenAVX2(f *file, mode string) {
	w := func(c int) string { return y(8 + c) }
	f.text("widen"+mode+"AVX2", "WidenArgs")
	beginWiden(f)
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
	f.label("quad")
	f.op("MOVLQSX %d(R11), R10", quadPanel)
	f.op("MOVLQSX %d(R11), SI", quadK)
	for r := range 2 {
		f.op("VMOVDQU %d(BX)(R10*1), %s", 32*r, w(0))
		if mode == "Sub" {
			f.op("VMOVUPS %d(R12)(SI*1), Y12", 32*r)
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
			f.op("VMOVUPS %s, %d(DI)", w(c), 64*c+32*r)
		}
	}
	f.op("ADDQ $%d, R11", quadSize)
	f.op("ADDQ $256, DI")
	f.op("DECQ CX")
	f.op("JNZ quad")
	f.op("VZEROUPPER")
	f.op("RET")
}

// fewAVX2 returns the code with which Few makes floats. It keeps constants or tables in
// Y14 and Y15, and overwrites Y10 and Y11, which hold activations in between.
func fewAVX2(f *file, mode string) *fewLoop {
	return &fewLoop{mode, func() {
		switch mode {
		case "Sub":
			f.op("VPBROADCASTD lowByte<>(SB), Y14")
			f.op("VPBROADCASTD float2p23<>(SB), Y15")
		case "Table16":
			f.op("VMOVUPS (R15), Y14")
			f.op("VMOVUPS 32(R15), Y15")
		case "Table64":
			f.op("VPBROADCASTD low6<>(SB), Y14")
		}
	}, func(c, r int, panel, to string) {
		if c > 0 {
			f.op("VPSRLD $%d, %s, %s", 8*c, panel, to)
			panel = to
		}
		switch mode {
		case "Sub":
			if c < 3 {
				f.op("VPAND Y14, %s, %s", panel, to)
			}
			f.op("VPOR Y15, %s, %s", to, to)
			f.op("VSUBPS %d(R14)(DI*1), %s, %s", 32*r, to, to)
		case "Table16":
			f.op("VPSLLD $28, %s, Y10", panel) // bit 3, on top, takes the upper half
			f.op("VPERMPS Y15, %s, Y11", panel)
			f.op("VPERMPS Y14, %s, %s", panel, to)
			f.op("VBLENDVPS Y10, Y11, %s, %s", to, to)
		case "Table64":
			f.op("VPAND Y14, %s, Y10", panel)
			f.op("VPCMPEQD Y11, Y11, Y11")
			f.op("VGATHERDPS Y11, (R15)(Y10*4), %s", to)
		}
	}}
}
