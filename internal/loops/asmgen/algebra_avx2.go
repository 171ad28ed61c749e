package main

func algebraAVX2() *file {
	f := newFile("amd64 && !purego")
	var lanes [48]uint32 // the lanes of 12 float64 with all bits set, then of 12 with none
	for i := range 24 {
		lanes[i] = 0xffffffff
	}
	f.data("tileLanes", lanes[:]...)
	f.text("gramAVX2", "GramArgs")
	f.quarters(gramCols, func(masked string) {
		f.op("MOVQ %d(AX), SI", gramX)
		f.op("ADDQ DX, SI")
		f.op("SUBQ AX, SI")
		f.op("MOVQ %d(AX), R8", gramY)
		f.op("ADDQ R12, R8")
		f.op("MOVQ %d(AX), BX", gramStride)
		f.op("SHLQ $3, BX")
		f.op("MOVQ %d(AX), CX", gramVectors)
		f.label("vector" + masked)
		for p := range 3 {
			f.op("VMOVUPD %d(R8), %s", 32*p, y(12+p))
		}
		for r := range 4 {
			f.op("VBROADCASTSD %d(SI), Y15", 8*r)
			for p := range 3 {
				f.op("VFMADD231PD %s, Y15, %s", y(12+p), y(3*r+p))
			}
		}
		f.op("ADDQ BX, SI")
		f.op("ADDQ BX, R8")
		f.op("DECQ CX")
		f.op("JNZ vector%s", masked)
	}, false)
	f.text("reduceAVX2", "ReduceArgs")
	f.quarters(reduceCols, func(masked string) {
		for r := range 4 {
			f.op("MOVQ %d(DX), R%d", reduceR+8*r, 8+r)
		}
		f.op("MOVQ %d(AX), R14", reduceRStep)
		f.op("SHLQ $3, R14")
		f.op("MOVQ %d(AX), SI", reduceM)
		f.op("ADDQ R12, SI")
		f.op("MOVQ %d(AX), BX", reduceMStep)
		f.op("SHLQ $3, BX")
		f.op("MOVQ %d(AX), R15", reduceMLess)
		f.op("SHLQ $3, R15")
		f.op("MOVQ %d(AX), CX", reduceN)
		f.label("row" + masked)
		for p := range 3 {
			if masked == "" {
				f.op("VMOVUPD %d(SI), %s", 32*p, y(12+p))
			} else {
				f.op("VMOVUPD %d(R13), %s", 32*p, y(12+p))
				f.op("VMASKMOVPD %d(SI), %s, %s", 32*p, y(12+p), y(12+p))
			}
		}
		for r := range 4 {
			f.op("VBROADCASTSD (R%d), Y15", 8+r)
			for p := range 3 {
				f.op("VFNMADD231PD %s, Y15, %s", y(12+p), y(3*r+p))
			}
			f.op("ADDQ R14, R%d", 8+r)
		}
		f.op("ADDQ BX, SI")
		f.op("SUBQ R15, BX")
		f.op("DECQ CX")
		f.op("JNZ row%s", masked)
	}, true)
	takeAVX2(f)
	return f
}

// quarters emits a loop over the quarters, 4 × 12, of a tile of 8 × 24. AX points to the
// addresses of the tile's rows; the number of columns is at offset cols from AX. body
// adds to Y0 … Y11. In body, DX − AX is 8 times the first row of the quarter and R12 is 8
// times its first column; body must keep AX and R13. If rows is set, the tile may have
// fewer rows, as in ReduceArgs; body is then also called for quarters with fewer columns,
// with their masks at R13.
func (f *file) quarters(cols int, body func(masked string), rows bool) {
	each := func(do func(r, p int)) {
		for p := range 3 {
			f.op("VMOVUPD %d(R13), Y12", 32*p)
			for r := range 4 {
				f.op("MOVQ %d(DX), DI", 8*r)
				f.op("ADDQ R12, DI")
				do(r, p)
			}
		}
	}
	f.op("XORQ R12, R12")
	f.label("columns")
	f.comment("R13 points to the mask of the remaining columns")
	f.op("MOVQ R12, CX")
	f.op("SHRQ $3, CX")
	f.op("NEGQ CX")
	f.op("ADDQ %d(AX), CX", cols)
	f.op("MOVQ $12, DI")
	f.op("CMPQ CX, DI")
	f.op("CMOVQGT DI, CX")
	f.op("SUBQ CX, DI")
	f.op("LEAQ tileLanes<>(SB), R13")
	f.op("LEAQ (R13)(DI*8), R13")
	f.op("MOVQ AX, DX")
	f.label("rows")
	each(func(r, p int) { f.op("VMASKMOVPD %d(DI), Y12, %s", 32*p, y(3*r+p)) })
	if rows {
		f.op("LEAQ tileLanes<>(SB), DI")
		f.op("CMPQ R13, DI")
		f.op("JNE some")
	}
	body("")
	f.label("done")
	each(func(r, p int) { f.op("VMASKMOVPD %s, Y12, %d(DI)", y(3*r+p), 32*p) })
	f.op("ADDQ $32, DX")
	f.op("MOVQ DX, DI")
	f.op("SUBQ AX, DI")
	if rows {
		f.op("SHRQ $3, DI")
		f.op("CMPQ DI, %d(AX)", reduceRows)
	} else {
		f.op("CMPQ DI, $64")
	}
	f.op("JLT rows")
	f.op("ADDQ $96, R12")
	f.op("MOVQ R12, DI")
	f.op("SHRQ $3, DI")
	f.op("CMPQ DI, %d(AX)", cols)
	f.op("JLT columns")
	f.op("VZEROUPPER")
	f.op("RET")
	if rows {
		f.label("some")
		body("Some")
		f.op("JMP done")
	}
}

// takeAVX2 emits the loop that subtracts a multiple of one vector from another.
func takeAVX2(f *file) {
	f.text("takeAVX2", "TakeArgs")
	f.op("MOVQ %d(AX), DI", takeT)
	f.op("MOVQ %d(AX), CX", takeN)
	f.op("MOVQ %d(AX), R8", takeM)
	f.op("VBROADCASTSD %d(AX), Y2", takeR)
	f.op("XORQ SI, SI")
	f.op("SUBQ $4, CX")
	f.op("JLT rest")
	f.label("numbers")
	f.op("VMOVUPD (DI)(SI*1), Y0")
	f.op("VMOVUPD (R8)(SI*1), Y1")
	f.op("VFNMADD231PD Y1, Y2, Y0")
	f.op("VMOVUPD Y0, (DI)(SI*1)")
	f.op("ADDQ $32, SI")
	f.op("SUBQ $4, CX")
	f.op("JGE numbers")
	f.label("rest")
	f.op("ADDQ $4, CX")
	f.op("JZ end")
	f.op("NEGQ CX")
	f.op("LEAQ tileLanes<>(SB), R9")
	f.op("VMOVUPD 96(R9)(CX*8), Y3")
	f.op("VMASKMOVPD (DI)(SI*1), Y3, Y0")
	f.op("VMASKMOVPD (R8)(SI*1), Y3, Y1")
	f.op("VFNMADD231PD Y1, Y2, Y0")
	f.op("VMASKMOVPD Y0, Y3, (DI)(SI*1)")
	f.label("end")
	f.op("VZEROUPPER")
	f.op("RET")
}
