package main

// Offsets of coding.FitArgs and coding.Book.
const (
	fitW      = 0
	fitA      = 8
	fitN      = 16
	fitInv    = 24
	fitSums   = 32
	fitScales = 40
	fitBook   = 48

	bookThresholds = 0
	bookValues     = 128
	bookInv        = 256
	bookOff        = 260
	bookLow        = 264
	bookHigh       = 268
	bookFloor      = 272
	bookUnit       = 276
	bookEdges      = 280
	bookPerUnit    = 408
	bookLimit      = 412
)

// A fitKind is a way to find the values of a codebook.
type fitKind string

const (
	fitCells fitKind = "Cells"
	fitRound fitKind = "Round"
	fitEdges fitKind = "Edges"
)

// fitScaleLoop emits the loops over scales and, in each, over the weights at SI and their
// importances at DI. begin gets the address of 1/Δ in R10, and end gets the address of
// the sums in R11.
func (f *file) fitScaleLoop(begin, body, end func()) {
	f.op("MOVQ %d(AX), R10", fitInv)
	f.op("MOVQ %d(AX), R11", fitSums)
	f.op("MOVQ %d(AX), DX", fitScales)
	f.label("scale")
	begin()
	f.op("MOVQ %d(AX), SI", fitW)
	f.op("MOVQ %d(AX), DI", fitA)
	f.op("MOVQ %d(AX), CX", fitN)
	f.label("weights")
	body()
	f.op("ADDQ $64, SI")
	f.op("ADDQ $64, DI")
	f.op("SUBQ $16, CX")
	f.op("JNZ weights")
	end()
	f.op("ADDQ $4, R10")
	f.op("ADDQ $12, R11")
	f.op("DECQ DX")
	f.op("JNZ scale")
	f.end()
}

// fitAVX512 emits the loop of FitArgs.
func fitAVX512(f *file, kind fitKind) {
	const inv, dd, dq, qq, firsts = 17, 20, 21, 22, 23
	f.text("fit"+string(kind)+"AVX512", "FitArgs")
	f.op("MOVQ %d(AX), BX", fitBook)
	f.op("VMOVDQU32 firsts<>(SB), %s", x(firsts))
	switch kind {
	case fitCells:
		for i := range 2 {
			f.op("VMOVUPS %d(BX), %s", bookThresholds+64*i, z(8+i))
			f.op("VMOVUPS %d(BX), %s", bookValues+64*i, z(10+i))
		}
		f.op("VBROADCASTSS %d(BX), Z12", bookInv)
		f.op("VBROADCASTSS %d(BX), Z13", bookOff)
		f.op("VPXORD Z14, Z14, Z14")
		f.op("MOVL $0x41f80000, R15") // 31
		f.op("VPBROADCASTD R15, Z15")
		f.op("MOVL $1, R15")
		f.op("VPBROADCASTD R15, Z16")
	case fitEdges:
		for i := range 2 {
			f.op("VMOVUPS %d(BX), %s", bookEdges+64*i, z(8+i))
		}
		f.op("VBROADCASTSS %d(BX), Z12", bookPerUnit)
		f.op("VBROADCASTSS %d(BX), Z13", bookLimit)
		f.op("MOVL $0x4b400000, R15") // 1.5·2^23
		f.op("VPBROADCASTD R15, Z14")
	case fitRound:
		for i, at := range []int{bookLow, bookHigh, bookFloor, bookUnit} {
			f.op("VBROADCASTSS %d(BX), %s", at, z(8+i))
		}
		f.op("MOVL $0x7f800000, R15")
		f.op("VPBROADCASTD R15, Z12")
		f.op("MOVL $0x7fffffff, R15")
		f.op("VPBROADCASTD R15, Z13")
	}
	f.fitScaleLoop(func() {
		f.op("VBROADCASTSS (R10), %s", z(inv))
		for _, v := range []int{dd, dq, qq} {
			f.op("VPXORD %s, %s, %s", z(v), z(v), z(v))
		}
	}, func() {
		f.op("VMULPS (SI), %s, Z0", z(inv))
		switch kind {
		case fitCells:
			f.op("VMOVAPS Z0, Z1")
			f.op("VFMADD213PS Z13, Z12, Z1")
			f.op("VMAXPS Z14, Z1, Z1")
			f.op("VMINPS Z15, Z1, Z1")
			f.op("VCVTTPS2DQ Z1, Z1")
			f.op("VMOVDQA64 Z1, Z2")
			f.op("VPERMI2PS Z9, Z8, Z2")
			f.op("VCMPPS $30, Z2, Z0, K2")
			f.op("VPADDD Z16, Z1, K2, Z1")
			f.op("VPERMI2PS Z11, Z10, Z1")
		case fitEdges:
			// The sum is rounded up to a whole number, whose last bits are the last bits
			// of the float.
			f.op("VRANGEPS $2, Z13, Z0, Z1")
			f.op("VFMADD213PS.RU_SAE Z14, Z12, Z1")
			f.op("VPERMI2PS Z9, Z8, Z1")
		case fitRound:
			f.op("VMAXPS Z8, Z0, Z1")
			f.op("VMINPS Z9, Z1, Z1")
			f.op("VPANDD Z13, Z1, Z2")
			f.op("VMAXPS Z10, Z2, Z2")
			f.op("VPANDD Z12, Z2, Z2")
			f.op("VMULPS Z11, Z2, Z2")
			f.op("VADDPS Z2, Z1, Z1")
			f.op("VSUBPS Z2, Z1, Z1")
		}
		f.op("VSUBPS Z1, Z0, Z0")
		f.op("VMULPS (DI), Z1, Z2")
		f.op("VMULPS (DI), Z0, Z3")
		f.op("VMULPS Z0, Z2, Z4")
		f.op("VMULPS Z1, Z2, Z5")
		f.op("VMULPS Z0, Z3, Z6")
		f.op("VADDPS Z4, %s, %s", z(dq), z(dq))
		f.op("VADDPS Z5, %s, %s", z(qq), z(qq))
		f.op("VADDPS Z6, %s, %s", z(dd), z(dd))
	}, func() {
		// The three sums are added in halves together: the eighths of dd and dq, and
		// then the fourths of all three.
		f.op("VINSERTF64X4 $1, %s, %s, Z0", y(dq), z(dd))
		f.op("VSHUFF64X2 $0xee, %s, %s, Z1", z(dq), z(dd))
		f.op("VEXTRACTF64X4 $1, %s, Y2", z(qq))
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VADDPS Y2, %s, Y2", y(qq))
		f.op("VSHUFF32X4 $0x88, Z2, Z0, Z1")
		f.op("VSHUFF32X4 $0xdd, Z2, Z0, Z3")
		f.op("VADDPS Z3, Z1, Z0")
		f.op("VPSHUFD $0x4e, Z0, Z1")
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VPSHUFD $0xb1, Z0, Z1")
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VPERMPS Z0, %s, Z0", z(firsts))
		// The store has no mask, because the sums are read at once, and what a masked
		// store wrote has to reach the cache first.
		f.op("VMOVQ X0, (R11)")
		f.op("VEXTRACTPS $2, X0, 8(R11)")
	})
}

// fitAVX2 emits the loop of FitArgs.
func fitAVX2(f *file, kind fitKind) {
	const inv, dd, dq, qq = 9, 10, 12, 14 // first registers; each sum has two
	f.text("fit"+string(kind)+"AVX2", "FitArgs")
	f.op("MOVQ %d(AX), BX", fitBook)
	switch kind {
	case fitCells:
		f.op("MOVL $0x41f80000, R15") // 31
		f.op("VMOVD R15, X8")
		f.op("VPBROADCASTD X8, Y8")
	case fitEdges:
		f.op("VBROADCASTSS %d(BX), Y7", bookLimit)
		f.op("VPXOR Y8, Y8, Y8")
		f.op("VSUBPS Y7, Y8, Y8")
	case fitRound:
		f.op("MOVL $0x7f800000, R15")
		f.op("VMOVD R15, X8")
		f.op("VPBROADCASTD X8, Y8")
	}
	f.fitScaleLoop(func() {
		f.op("VBROADCASTSS (R10), %s", y(inv))
		for v := dd; v < 16; v++ {
			f.op("VPXOR %s, %s, %s", y(v), y(v), y(v))
		}
	}, func() {
		for half := range 2 {
			f.op("VMULPS %d(SI), %s, Y0", 32*half, y(inv))
			switch kind {
			case fitCells:
				f.op("VBROADCASTSS %d(BX), Y1", bookInv)
				f.op("VBROADCASTSS %d(BX), Y2", bookOff)
				f.op("VFMADD213PS Y2, Y0, Y1")
				f.op("VPXOR Y2, Y2, Y2")
				f.op("VMAXPS Y2, Y1, Y1")
				f.op("VMINPS Y8, Y1, Y1")
				f.op("VCVTTPS2DQ Y1, Y1")
				for i, table := range []int{bookThresholds, bookValues} {
					f.op("VPSLLD $28, Y1, Y2")
					f.op("VPSLLD $27, Y1, Y3")
					f.table32(func(i int) string { return at32("BX", table, i) }, 1, 2, 3, 4, 5, 6)
					if i == 0 {
						f.op("VCMPPS $30, Y4, Y0, Y4")
						f.op("VPSUBD Y4, Y1, Y1")
					}
				}
			case fitEdges:
				f.op("VBROADCASTSS %d(BX), Y2", bookPerUnit)
				f.op("VMAXPS Y8, Y0, Y1")
				f.op("VMINPS Y7, Y1, Y1")
				f.op("VMULPS Y2, Y1, Y1")
				f.op("VROUNDPS $10, Y1, Y1") // up
				f.op("VCVTPS2DQ Y1, Y1")
				f.op("VPSLLD $28, Y1, Y2")
				f.op("VPSLLD $27, Y1, Y3")
				f.table32(func(i int) string { return at32("BX", bookEdges, i) }, 1, 2, 3, 4, 5, 6)
			case fitRound:
				f.op("VBROADCASTSS %d(BX), Y1", bookLow)
				f.op("VBROADCASTSS %d(BX), Y2", bookHigh)
				f.op("VMAXPS Y1, Y0, Y1")
				f.op("VMINPS Y2, Y1, Y1")
				f.op("VBROADCASTSS %d(BX), Y3", bookFloor)
				f.op("VBROADCASTSS %d(BX), Y4", bookUnit)
				f.op("VPSLLD $1, Y1, Y2")
				f.op("VPSRLD $1, Y2, Y2")
				f.op("VMAXPS Y3, Y2, Y2")
				f.op("VPAND Y8, Y2, Y2")
				f.op("VMULPS Y4, Y2, Y2")
				f.op("VADDPS Y2, Y1, Y1")
				f.op("VSUBPS Y2, Y1, Y4")
			}
			f.op("VSUBPS Y4, Y0, Y0")
			f.op("VMULPS %d(DI), Y4, Y1", 32*half)
			f.op("VMULPS %d(DI), Y0, Y2", 32*half)
			f.op("VMULPS Y0, Y1, Y3")
			f.op("VMULPS Y4, Y1, Y1")
			f.op("VMULPS Y0, Y2, Y2")
			f.op("VADDPS Y3, %s, %s", y(dq+half), y(dq+half))
			f.op("VADDPS Y1, %s, %s", y(qq+half), y(qq+half))
			f.op("VADDPS Y2, %s, %s", y(dd+half), y(dd+half))
		}
	}, func() {
		for i, v := range []int{dd, dq, qq} {
			f.op("VADDPS %s, %s, %s", y(v+1), y(v), y(v))
			f.fold8("VADDPS", v, 0)
			f.op("VMOVSS %s, %d(R11)", x(v), 4*i)
		}
	})
}
