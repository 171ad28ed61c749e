package main

import "fmt"

// Offsets of WidenArgs.
const (
	widenDst   = 0
	widenPanel = 8
	widenQuads = 16
	widenN     = 24
	widenZeros = 32
	widenTable = 40
)

// Offsets of FloatArgs.
const (
	floatW     = 0
	floatX     = 8
	floatK     = 16
	floatQuads = 24
	floatLanes = 32
	floatN     = 40
	floatAcc   = 48
	floatFresh = 56
	fewPanel   = 64
	fewZeros   = 72
	fewTable   = 80
)

// Offsets of FloatFinishArgs.
const (
	floatFinishDst   = 0
	floatFinishAcc   = 8
	floatFinishOuter = 16
	floatFinishN     = 24
)

// Offsets of QuadsArgs.
const (
	quadsDst    = 0
	quadsX      = 8
	quadsAt     = 16
	quadsBlocks = 24
	quadsStep   = 32
)

// Offsets of FloatQuad.
const (
	quadPanel = 0
	quadK     = 4
	quadSize  = 8
)

const floatSums = 32 // of a row

var floatModes = []string{"Sub", "Table16", "Table64"}

func panelFloatAVX512() *file {
	f := newFile("amd64 && !purego")
	f.data("bit5", 32)
	panelFloatAMD64(f, avx512Set(), 64, z, widenAVX512, fewAVX512)
	return f
}

// panelFloatAMD64 emits all loops of a set. Registers have size bytes; reg returns their
// names.
func panelFloatAMD64(f *file, s set, size int, reg func(int) string, widen func(*file, string), few func(*file, string) *fewLoop) {
	for _, mode := range floatModes {
		widen(f, mode)
	}
	for n := 1; n <= s.floats; n++ {
		floatsAMD64(f, s, n, size, reg, nil)
	}
	for _, mode := range floatModes {
		for n := 1; n <= s.few; n++ {
			floatsAMD64(f, s, n, size, reg, few(f, mode))
		}
	}
	floatFinishAMD64(f, s, size, reg)
	quadsAMD64(f, s)
}

// widenAVX512 emits the loop that makes floats of a panel.
func widenAVX512(f *file, mode string) {
	w := func(c int) string { return z(24 + c) }
	f.text("widen"+mode+"AVX512", "WidenArgs")
	beginWiden(f)
	switch mode {
	case "Sub":
		f.op("MOVL $0x000000ff, R15")
		f.op("VPBROADCASTD R15, Z31")
		f.op("MOVL $0x4b000000, R15") // 2^23
		f.op("VPBROADCASTD R15, Z30")
	case "Table16":
		f.op("VMOVUPS (R13), Z31")
	case "Table64":
		for i := range 4 {
			f.op("VMOVUPS %d(R13), %s", 64*i, z(16+i))
		}
	}
	f.label("quad")
	f.op("MOVLQSX %d(R11), R10", quadPanel)
	f.op("MOVLQSX %d(R11), SI", quadK)
	for r := range 2 {
		f.op("VMOVDQU64 %d(BX)(R10*1), %s", 64*r, w(0))
		if mode == "Sub" {
			f.op("VMOVUPS %d(R12)(SI*1), Z28", 64*r)
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
				f.op("VPERMI2PS Z17, Z16, %s", w(c))
				f.op("VPERMI2PS Z19, Z18, Z28")
				f.op("VMOVAPS Z28, K1, %s", w(c))
			}
			f.op("VMOVUPS %s, %d(DI)", w(c), 128*c+64*r)
		}
	}
	f.op("ADDQ $%d, R11", quadSize)
	f.op("ADDQ $512, DI")
	f.op("DECQ CX")
	f.op("JNZ quad")
	f.op("VZEROUPPER")
	f.op("RET")
}

// beginWiden loads the arguments of the loops of Widen.
func beginWiden(f *file) {
	f.op("MOVQ %d(AX), DI", widenDst)
	f.op("MOVQ %d(AX), BX", widenPanel)
	f.op("MOVQ %d(AX), R11", widenQuads)
	f.op("MOVQ %d(AX), CX", widenN)
	f.op("MOVQ %d(AX), R12", widenZeros)
	f.op("MOVQ %d(AX), R13", widenTable)
}

// A fewLoop emits the code with which a function of Few makes floats: begin emits the
// code before the loop, and weights converts column c of half r of the rows of a panel.
type fewLoop struct {
	mode    string
	begin   func()
	weights func(c, r int, panel, to string)
}

// fewAVX512 returns the code with which Few makes floats. It keeps constants in Z26 and
// Z27, or tables in Z26 … Z29, and overwrites Z30.
func fewAVX512(f *file, mode string) *fewLoop {
	return &fewLoop{mode, func() {
		switch mode {
		case "Sub":
			f.op("MOVL $0x000000ff, R10")
			f.op("VPBROADCASTD R10, Z26")
			f.op("MOVL $0x4b000000, R10") // 2^23
			f.op("VPBROADCASTD R10, Z27")
		case "Table16":
			f.op("VMOVUPS (R15), Z26")
		case "Table64":
			for i := range 4 {
				f.op("VMOVUPS %d(R15), %s", 64*i, z(26+i))
			}
		}
	}, func(c, r int, panel, to string) {
		if c > 0 {
			f.op("VPSRLD $%d, %s, %s", 8*c, panel, to)
			panel = to
		}
		switch mode {
		case "Sub":
			if c < 3 {
				f.op("VPANDD Z26, %s, %s", panel, to)
			}
			f.op("VPORD Z27, %s, %s", to, to)
			f.op("VSUBPS %d(R14)(DI*1), %s, %s", 64*r, to, to)
		case "Table16":
			f.op("VPERMPS Z26, %s, %s", panel, to)
		case "Table64":
			f.op("VPTESTMD.BCST bit5<>(SB), %s, K1", panel)
			f.op("VMOVDQA64 %s, Z30", panel)
			if c == 0 {
				f.op("VMOVDQA64 %s, %s", panel, to)
			}
			f.op("VPERMI2PS Z27, Z26, %s", to)
			f.op("VPERMI2PS Z29, Z28, Z30")
			f.op("VMOVAPS Z30, K1, %s", to)
		}
	}}
}

// floatsAMD64 emits the loop for n vectors. Two registers of size bytes hold the rows.
// The first registers are t; sums, weights and activations follow, and the panel if few
// is not nil.
func floatsAMD64(f *file, s set, n, size int, reg func(int) string, few *fewLoop) {
	most := s.floats
	name := fmt.Sprintf("floats%d%s", n, s.suffix)
	if few != nil {
		most = s.few
		name = fmt.Sprintf("few%s%d%s", few.mode, n, s.suffix)
	}
	panel := func(r int) string { return reg(4*most + 4 + r) }
	t := func(v, r int) string { return reg(2*v + r) }
	acc := func(v, r int) string { return reg(2*most + 2*v + r) }
	w := func(r int) string { return reg(4*most + r) }
	x := func(v int) string { return reg(4*most + 2 + v%2) }
	each := func(do func(v, r int)) {
		for v := range n {
			for r := range 2 {
				do(v, r)
			}
		}
	}
	at := func(v, r int) string { return fmt.Sprintf("%d(DX)", size*(2*v+r)) }
	f.text(name, "FloatArgs")
	if few != nil {
		f.op("MOVQ %d(AX), BX", fewPanel)
		f.op("MOVQ %d(AX), R14", fewZeros)
		f.op("MOVQ %d(AX), R15", fewTable)
		few.begin()
	} else {
		f.op("MOVQ %d(AX), BX", floatW)
	}
	f.op("MOVQ %d(AX), SI", floatX)
	f.op("MOVQ %d(AX), R9", floatK)
	f.op("MOVQ %d(AX), R11", floatQuads)
	f.op("MOVQ %d(AX), R8", floatLanes)
	f.op("MOVQ %d(AX), DX", floatAcc)
	f.op("MOVQ %d(AX), R12", floatFresh)
	f.op("MOVQ %d(AX), R13", floatN)

	f.label("lane")
	f.op("MOVLQSX (R8), CX")
	f.op("ADDQ $4, R8")
	f.op("TESTQ R12, R12")
	f.op("JEQ load")
	zero := map[int]string{32: "VPXOR", 64: "VPXORD"}[size]
	each(func(v, r int) { f.op("%[1]s %[2]s, %[2]s, %[2]s", zero, acc(v, r)) })
	f.op("JMP begin")
	f.label("load")
	each(func(v, r int) { f.op("VMOVUPS %s, %s", at(v, r), acc(v, r)) })
	f.label("begin")
	f.op("TESTQ CX, CX")
	f.op("JEQ end")

	f.label("quad")
	f.op("MOVLQSX %d(R11), DI", quadK)
	if few != nil {
		f.op("MOVLQSX %d(R11), R10", quadPanel)
		for r := range 2 {
			f.op("VMOVUPS %d(BX)(R10*1), %s", size*r, panel(r))
		}
	}
	for c := range 4 {
		for r := range 2 {
			if few != nil {
				few.weights(c, r, panel(r), w(r))
			} else {
				f.op("VMOVUPS %d(BX), %s", size*(2*c+r), w(r))
			}
		}
		for v := range n {
			f.op("VBROADCASTSS %d(SI), %s", 16*v+4*c, x(v))
			for r := range 2 {
				op := "VFMADD231PS"
				if c == 0 {
					op = "VMULPS"
				}
				f.op("%s %s, %s, %s", op, x(v), w(r), t(v, r))
			}
		}
	}
	for r := range 2 {
		f.op("VMOVUPS %d(R9)(DI*1), %s", size*r, w(r))
	}
	each(func(v, r int) { f.op("VFMADD231PS %s, %s, %s", t(v, r), w(r), acc(v, r)) })
	f.op("ADDQ $%d, R11", quadSize)
	if few == nil {
		f.op("ADDQ $%d, BX", 8*size)
	}
	f.op("ADDQ $%d, SI", 16*n)
	f.op("DECQ CX")
	f.op("JNZ quad")

	f.label("end")
	each(func(v, r int) { f.op("VMOVUPS %s, %s", acc(v, r), at(v, r)) })
	f.op("ADDQ $%d, DX", 2*size*n)
	f.op("DECQ R13")
	f.op("JNZ lane")
	f.op("VZEROUPPER")
	f.op("RET")
}

// floatFinishAMD64 emits the end of the sums, for registers of the given size.
func floatFinishAMD64(f *file, s set, size int, reg func(int) string) {
	f.text("floatFinish"+s.suffix, "FloatFinishArgs")
	f.op("MOVQ %d(AX), DI", floatFinishDst)
	f.op("MOVQ %d(AX), SI", floatFinishAcc)
	f.op("MOVQ %d(AX), DX", floatFinishOuter)
	f.op("MOVQ %d(AX), CX", floatFinishN)
	f.comment("the distance between lanes, and half of all lanes")
	f.op("MOVQ CX, R8")
	f.op("IMULQ $%d, R8", 2*size)
	f.op("MOVQ R8, R9")
	f.op("SHLQ $4, R9")
	f.label("vector")
	for r := range 2 {
		f.op("LEAQ %d(SI), R10", size*r)
		half := floatSums / 2
		for l := range half {
			f.op("VMOVUPS (R10), %s", reg(l))
			f.op("VADDPS (R10)(R9*1), %s, %s", reg(l), reg(l))
			f.op("ADDQ R8, R10")
		}
		for half > 1 {
			half /= 2
			for l := range half {
				f.op("VADDPS %s, %s, %s", reg(l+half), reg(l), reg(l))
			}
		}
		f.op("VMULPS %d(DX), %s, %s", size*r, reg(0), reg(0))
		f.op("VMOVUPS %s, %d(DI)", reg(0), size*r)
	}
	f.op("ADDQ $%d, SI", 2*size)
	f.op("ADDQ $%d, DI", 2*size)
	f.op("DECQ CX")
	f.op("JNZ vector")
	f.op("VZEROUPPER")
	f.op("RET")
}

// quadsAMD64 emits the loop that puts the columns of quads side by side. It transposes
// the 4 × 4 matrix of four lanes.
func quadsAMD64(f *file, s set) {
	f.text("quads"+s.suffix, "QuadsArgs")
	f.op("MOVQ %d(AX), DI", quadsDst)
	f.op("MOVQ %d(AX), SI", quadsX)
	f.op("MOVQ %d(AX), R8", quadsAt)
	f.op("MOVQ %d(AX), CX", quadsBlocks)
	f.op("MOVQ %d(AX), DX", quadsStep)
	f.label("block")
	for lane := 0; lane < floatSums; lane += 4 {
		for c := range 4 {
			f.op("VMOVUPS %d(SI), %s", lane/16*256+64*c+lane%16*4, x(c))
		}
		f.op("VUNPCKLPS X1, X0, X4")
		f.op("VUNPCKHPS X1, X0, X5")
		f.op("VUNPCKLPS X3, X2, X6")
		f.op("VUNPCKHPS X3, X2, X7")
		f.op("VUNPCKLPD X6, X4, X0")
		f.op("VUNPCKHPD X6, X4, X1")
		f.op("VUNPCKLPD X7, X5, X2")
		f.op("VUNPCKHPD X7, X5, X3")
		for i := range 4 {
			f.op("MOVLQSX %d(R8), R9", 4*(lane+i))
			f.op("VMOVUPS %s, (DI)(R9*1)", x(i))
		}
	}
	f.op("ADDQ $512, SI")
	f.op("ADDQ DX, DI")
	f.op("DECQ CX")
	f.op("JNZ block")
	f.op("VZEROUPPER")
	f.op("RET")
}
