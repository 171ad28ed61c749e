package main

import "fmt"

// Offsets of RowArgs.
const (
	rowDst = 8 * iota
	rowCodes
	rowScales
	rowSelectors
	rowRowScales
	rowFours
	rowCodeStride
	rowScaleStride
	rowSelectorStride
	rowCodeBack
	rowScaleBack
	rowSelectorBack
	rowTable
	rowUnit
	rowQ
	rowCorr
	rowD
	rowSteps
	rowAhead
	rowSelectorBits
	rowSelectorMask
	rowStepShift
	rowStepScales
	rowTailQ
	rowTailScales
	rowTailBlocks
	rowTailMask
	rowTailWide
	rowTailNarrow
	rowNarrowHeight
	_
	rowNarrowMask
	_
	rowNarrowQ
	_
	rowCorr4
	rowTailCorr4
	rowSpread
	rowTailSpread
	rowStepSelectors
	rowTailSelectors
)

func rowsAVX512() *file {
	f := newFile("amd64 && !purego")
	var spread [3][16]uint32
	for i := range 16 {
		spread[0][i] = 0x80808000 | uint32(i%4)
		spread[1][i] = 0x80808000 | uint32(i%4/2)
		spread[2][i] = 0x80808000
	}
	for i, s := range spread {
		f.data(fmt.Sprintf("scales%d", 128<<i), s[:]...)
	}
	f.data("firsts", 0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, bits := range []int{3, 4} {
		for _, sel := range []int{0, 2, 4} {
			rows{file: f, bits: bits, group: 128, sel: sel, fixed: true}.emit()
		}
		for _, group := range []int{128, 256, 512} {
			rows{file: f, bits: bits, group: group}.emit()
		}
		rows{file: f, bits: bits, group: 64, fixed: true}.emit()
		rows{file: f, bits: bits, group: 64}.emit()
	}
	return f
}

// rows emits the loops of RowArgs. In them
//
//	DX args       DI codes       R9 scales       SI selectors    R8 table
//	R10 q         R11 corr       R12 d           CX steps left   R13 ahead
//	R14, R15 strides of codes and scales         AX, BX anything
//	Z0 lanes, quarter r of row r   Z13 table     Z14 scales      Z15 bytes 3
//	Z16…Z19 sums of the rows       Z29 bytes 7   Z30 how scales are spread
//	K2…K4 the quarters of rows 1 to 3
//	K5, K6 scales of the tail and of a step      K1, K7 bytes of codes in the tail
//
// and if groups are fine
//
//	R11 corr4     AX spread      Z12 selectors of a row
//	Z13 the values of all codebooks, by selector and code        Z30 the mask of a code
//	K2, K3 bytes of selectors of a step and of the tail
type rows struct {
	*file
	bits, group int  // 64: any size below 128
	sel         int  // bits of a selector
	fixed       bool // sel is known, and 4·sel bits are whole bytes or none
}

// fine reports whether there are several groups to a block.
func (f rows) fine() bool { return f.group < 128 }

func (f rows) emit() {
	name := fmt.Sprintf("rows%dgroup%dAVX512", f.bits, f.group)
	if f.fixed {
		name = fmt.Sprintf("rows%dx%dAVX512", f.bits, f.sel)
	}
	if f.fine() {
		name = fmt.Sprintf("rows%dfineAVX512", f.bits)
		if f.fixed {
			name = fmt.Sprintf("rows%dfine0AVX512", f.bits)
		}
	}
	fmt.Fprintf(f, "\n// func %s(a *RowArgs)\nTEXT ·%s(SB), NOSPLIT, $80-8\n", name, name)
	f.op("MOVQ a+0(FP), DX")
	for i, at := range []int{rowCodes, rowScales, rowSelectors, rowDst, rowRowScales, rowFours} {
		f.op("MOVQ %d(DX), AX", at)
		f.op("MOVQ AX, %s", local(i))
	}
	f.op("MOVQ %d(DX), R8", rowTable)
	f.op("MOVQ %d(DX), R14", rowCodeStride)
	f.op("MOVQ %d(DX), R15", rowScaleStride)
	f.op("MOVQ %d(DX), R13", rowAhead)
	f.op("MOVL $0x03030303, AX")
	f.op("VPBROADCASTD AX, Z15")
	f.op("MOVL $0x07070707, AX")
	f.op("VPBROADCASTD AX, Z29")
	f.op("VMOVDQU64 firsts<>(SB), Z31")
	k := func(k, arg int) {
		f.op("MOVQ %d(DX), AX", arg)
		f.op("KMOVQ AX, K%d", k)
	}
	k(5, rowTailScales)
	k(6, rowStepScales)
	if f.bits == 3 && !f.fine() {
		k(1, rowNarrowMask)
		k(7, rowNarrowMask+8)
	} else if f.bits == 4 {
		k(1, rowTailMask)
		f.op("MOVL $0x1111, AX")
		f.op("KMOVD AX, K7")
	}
	if f.fine() {
		k(2, rowStepSelectors)
		k(3, rowTailSelectors)
		f.op("MOVL $%#x, AX", 0x01010101*(1<<f.bits-1))
		f.op("VPBROADCASTD AX, Z30")
		f.op("VMOVDQU64 (R8), Z13")
	} else {
		for r := 1; r < 4; r++ {
			f.op("MOVL $%#x, AX", 0xf<<(4*r))
			f.op("KMOVD AX, K%d", 1+r)
		}
		f.op("VMOVDQU64 scales%d<>(SB), Z30", f.group)
		if f.fixed && f.sel == 0 {
			f.op("VBROADCASTI32X4 (R8), Z13")
		}
	}

	f.label("four")
	f.op("MOVQ %s, DI", local(0))
	f.op("MOVQ %s, R9", local(1))
	f.op("MOVQ %s, SI", local(2))
	f.op("MOVQ %d(DX), R10", rowQ)
	if f.fine() {
		f.op("MOVQ %d(DX), R11", rowCorr4)
		f.op("MOVQ %d(DX), AX", rowSpread)
	} else {
		f.op("MOVQ %d(DX), R11", rowCorr)
	}
	f.op("MOVQ %d(DX), R12", rowD)
	f.op("VPXORD Z0, Z0, Z0")
	if !f.fixed && !f.fine() {
		f.op("MOVQ $0, at-8(SP)")
	}
	f.op("MOVQ %d(DX), CX", rowSteps)
	f.op("TESTQ CX, CX")
	f.op("JZ tail")

	f.op("PCALIGN $64")
	f.label("step")
	f.step()
	f.scale()
	f.op("ADDQ $512, R10")
	if f.fine() {
		f.op("ADDQ $512, R11")
	} else {
		f.op("ADDQ $16, R11")
	}
	f.op("ADDQ $16, R12")
	f.op("DECQ CX")
	f.op("JNZ step")

	f.label("tail")
	switch {
	case f.bits == 4:
		f.tail4()
	case !f.fine():
		f.tail3()
	}
	if f.bits == 4 || !f.fine() {
		f.label("scale")
		f.scale()
	}

	f.label("finish")
	f.op("VPERMILPS $0x4e, Z0, Z1")
	f.op("VADDPS Z1, Z0, Z0")
	f.op("VPERMILPS $0xb1, Z0, Z1")
	f.op("VADDPS Z1, Z0, Z0")
	f.op("VPERMPS Z0, Z31, Z0")
	f.op("MOVQ %s, AX", local(4))
	f.op("MOVQ %s, BX", local(3))
	f.op("VBROADCASTSS %d(DX), X1", rowUnit)
	f.op("VMULPS (AX), X1, X1")
	f.op("VMULPS X1, X0, X0")
	f.op("VMOVUPS X0, (BX)")
	f.op("ADDQ $16, %s", local(4))
	f.op("ADDQ $16, %s", local(3))
	for i, stride := range []int{rowCodeStride, rowScaleStride, rowSelectorStride} {
		f.op("MOVQ %d(DX), AX", stride)
		f.op("SHLQ $2, AX")
		f.op("ADDQ AX, %s", local(i))
	}
	f.op("DECQ %s", local(5))
	f.op("JNZ four")
	f.op("VZEROUPPER")
	f.op("RET")
}

// local returns where in the frame a copy of an argument is that changes: pointers that
// are beyond the end of what they point to must not be where the collector looks.
func local(i int) string {
	name := []string{"codes", "scales", "selectors", "dst", "rowScales", "fours"}[i]
	return fmt.Sprintf("%s-%d(SP)", name, 40+8*i)
}

// groups finds the first group of a step, and where its selector is.
func (f rows) groups() {
	if f.fixed || f.fine() {
		return
	}
	f.op("MOVQ at-8(SP), AX")
	f.op("INCQ at-8(SP)")
	switch f.group {
	case 128:
		f.op("SHLQ $2, AX")
	case 256:
		f.op("SHLQ $1, AX")
	default:
		f.op("MOVQ %d(DX), BX", rowStepShift)
		f.op("SHRXQ BX, AX, AX")
	}
	f.op("MOVQ AX, scale-16(SP)")
	f.op("IMULQ %d(DX), AX", rowSelectorBits)
	f.op("MOVQ AX, BX")
	f.op("ANDQ $7, BX")
	f.op("MOVQ BX, shift-24(SP)")
	f.op("SHRQ $3, AX")
	f.op("MOVQ AX, selector-32(SP)")
}

// selectors loads those of a row into AX: with so many blocks to follow.
func (f rows) selectors(blocks int) {
	switch {
	case f.fine():
	case !f.fixed:
		f.op("MOVQ selector-32(SP), BX")
		f.op("MOVBLZX (SI)(BX*1), AX")
		f.op("MOVQ shift-24(SP), BX")
		f.op("SHRXQ BX, AX, AX")
		f.op("SHLQ $4, AX")
	case f.sel == 2, f.sel == 4 && blocks <= 2:
		f.op("MOVBLZX (SI), AX")
	case f.sel == 4:
		f.op("MOVWLZX (SI), AX")
	}
}

// selector sets BX to 16 times that of block b, if it is not there since the block
// before.
func (f rows) selector(b int, first bool) {
	if f.fixed {
		if f.sel == 0 {
			return
		}
		mask := 16<<f.sel - 16
		switch left := 4 - b*f.sel; {
		case left == 0:
			f.op("MOVL AX, BX")
		default:
			f.op("RORXL $%d, AX, BX", (32-left)%32)
		}
		f.op("ANDL $%#x, BX", mask)
		return
	}
	g := b * 128 / f.group
	switch {
	case !first && g == (b-1)*128/f.group:
		return
	case g == 0:
		f.op("MOVQ AX, BX")
	default:
		f.op("MOVQ %d(DX), BX", rowSelectorBits)
		if g > 1 {
			f.op("IMUL3Q $%d, BX, BX", g)
		}
		f.op("SHRXQ BX, AX, BX")
	}
	f.op("ANDQ %d(DX), BX", rowSelectorMask)
}

// table loads that of block b into Z13.
func (f rows) table(b int) {
	if f.fixed && f.sel == 0 {
		return
	}
	f.selector(b, b == 0)
	if f.fixed || b == 0 || b*128%f.group == 0 {
		f.op("VBROADCASTI32X4 (R8)(BX*1), Z13")
	}
}

// dot multiplies the codes of a block, columns 0–63 in lo and 64–127 in hi.
func (f rows) dot(lo, hi string, q int, sum string) {
	f.op("VPERMB Z13, %s, Z5", lo)
	f.op("VPERMB Z13, %s, Z6", hi)
	f.op("VPXORD %s, %s, %s", sum, sum, sum)
	f.op("VPDPBUSD %d(R10), Z5, %s", q, sum)
	f.op("VPDPBUSD %d(R10), Z6, %s", q+64, sum)
}

// block multiplies block b of a step.
func (f rows) block(b int, load string, in string, sum string) {
	if !f.fine() {
		f.table(b)
	}
	f.op("PREFETCHT1 %d(DI)(R13*1)", 64*b)
	f.op(load, 64*b, in)
	f.op("VPSRLW $%d, %s, Z4", f.bits, in)
	f.dotBlock(b, in, "Z4", sum)
}

// dotBlock multiplies block b, whose codes are in lo and hi.
func (f rows) dotBlock(b int, lo, hi, sum string) {
	if !f.fine() {
		f.dot(lo, hi, 128*b, sum)
		return
	}
	f.half(2*b, lo, "VPMADDWD", sum)
	f.half(2*b+1, hi, "VPDPWSSD", sum)
}

// half multiplies 64 columns of fine groups, and adds them times their scales. A shift
// puts the selector of each code above it, with other bits further up that the values
// are repeated for.
func (f rows) half(h int, in, add, sum string) {
	if f.fixed {
		f.op("VPERMB Z13, %s, Z5", in)
	} else {
		f.op("VMOVDQU64 %d(AX), Z5", 64*h)
		f.op("VPMULTISHIFTQB Z12, Z5, Z5")
		f.op("VPTERNLOGD $0xd8, Z30, %s, Z5", in)
		f.op("VPERMB Z13, Z5, Z5")
	}
	f.op("VMOVDQU64 %d(R11), Z6", 64*h)
	f.op("VPDPBUSD %d(R10), Z5, Z6", 64*h)
	f.op("VMOVDQU64 %d(AX), Z7", 512+64*h)
	f.op("VPERMB Z14, Z7, Z7")
	f.op("%s Z7, Z6, %s", add, sum)
}

// meta loads the scales and selectors of a row whose groups are fine.
func (f rows) meta(scales, selectors string) {
	f.op("VMOVDQU8.Z (R9), %s, Y14", scales)
	if !f.fixed {
		f.op("VMOVDQU8.Z (SI), %s, X12", selectors)
		f.op("VPBROADCASTQ X12, Z12")
	}
}

// next moves the pointers to the next row, or from the last one on.
func (f rows) next(r int) {
	if r < 3 {
		f.op("ADDQ R14, DI")
		f.op("ADDQ R15, R9")
		if !f.fixed || f.sel > 0 {
			f.op("ADDQ %d(DX), SI", rowSelectorStride)
		}
		return
	}
	f.op("ADDQ %d(DX), DI", rowCodeBack)
	f.op("ADDQ %d(DX), R9", rowScaleBack)
	if !f.fixed || f.sel > 0 {
		f.op("ADDQ %d(DX), SI", rowSelectorBack)
	}
}

// quarter returns the mask of row r for an instruction.
func quarter(r int) string {
	if r == 0 {
		return ""
	}
	return fmt.Sprintf("K%d, ", 1+r)
}

// loadScales loads the four scales of row r, or those of K, into its quarter of Z14.
func (f rows) loadScales(r int, k string) {
	if f.fine() {
		return
	}
	if k == "" && f.fixed {
		f.op("VPBROADCASTD (R9), %sZ14", quarter(r))
		return
	}
	at := "(R9)"
	if !f.fixed {
		f.op("MOVQ scale-16(SP), BX")
		at = "(R9)(BX*1)"
	}
	f.op("VMOVDQU8.Z %s, %s, X5", at, k)
	f.op("VPBROADCASTD X5, %sZ14", quarter(r))
}

func (f rows) step() {
	f.groups()
	for r := range 4 {
		f.comment("row %d", r)
		if f.fine() {
			f.meta("K6", "K2")
		}
		f.selectors(4)
		f.block(0, "VMOVDQU64 %d(DI), %s", "Z1", "Z8")
		f.block(1, "VMOVDQU64 %d(DI), %s", "Z2", "Z9")
		f.block(2, "VMOVDQU64 %d(DI), %s", "Z3", "Z10")
		if f.bits == 4 {
			f.block(3, "VMOVDQU64 %d(DI), %s", "Z1", "Z11")
		} else {
			if !f.fine() {
				f.table(3)
			}
			f.last3()
			f.dotBlock(3, "Z1", "Z2", "Z11")
		}
		k := ""
		if !f.fixed {
			k = "K6"
		}
		f.loadScales(r, k)
		f.add4("Z8", "Z9", "Z10", "Z11", z(16+r))
		f.next(r)
	}
	f.quarters()
}

// last3 makes the last two of eight strips of 3 bits of what the others leave of their
// bytes in Z1, Z2 and Z3: bits 6–7 of the first two are the low bits of one strip each,
// bits 6 and 7 of the third the high ones.
func (f rows) last3() {
	f.op("VPSRLW $6, Z1, Z1")
	f.op("VPSRLW $4, Z3, Z7")
	f.op("VPTERNLOGD $0xe4, Z15, Z7, Z1")
	f.op("VPSRLW $6, Z2, Z2")
	f.op("VPSRLW $5, Z3, Z7")
	f.op("VPTERNLOGD $0xe4, Z15, Z7, Z2")
}

// pairs adds neighbouring words of a and b up: of each quarter, a, b, a and b.
func (f rows) pairs(a, b, out string) {
	f.op("VPUNPCKLDQ %s, %s, Z4", b, a)
	f.op("VPUNPCKHDQ %s, %s, Z5", b, a)
	f.op("VPADDD Z5, Z4, %s", out)
}

// fours adds words 2 and 3 of each quarter of a and b to words 0 and 1: those of a,
// then of b.
func (f rows) fours(a, b, out string) {
	f.op("VPUNPCKLQDQ %s, %s, Z4", b, a)
	f.op("VPUNPCKHQDQ %s, %s, Z5", b, a)
	f.op("VPADDD Z5, Z4, %s", out)
}

// halves adds quarters 1 and 3 of a and b to quarters 0 and 2: those of a, then of b.
func (f rows) halves(a, b, out string) {
	f.op("VSHUFI64X2 $0x88, %s, %s, Z4", b, a)
	f.op("VSHUFI64X2 $0xdd, %s, %s, Z5", b, a)
	f.op("VPADDD Z5, Z4, %s", out)
}

// add4 adds each of four vectors up to four numbers: one in every quarter.
func (f rows) add4(a, b, c, d, out string) {
	f.pairs(a, b, "Z6")
	f.pairs(c, d, "Z7")
	f.fours("Z6", "Z7", out)
}

// quarters adds the quarters of Z16 … Z19 up: to quarter r of Z16 for row r.
func (f rows) quarters() {
	f.halves("Z16", "Z17", "Z16")
	f.halves("Z18", "Z19", "Z18")
	f.halves("Z16", "Z18", "Z16")
}

// scale ends four blocks: (Z16 − correction) · scale, times d, added.
func (f rows) scale() {
	if f.fine() {
		f.op("VBROADCASTF32X4 (R12), Z5")
		f.op("VCVTDQ2PS Z16, Z16")
		f.op("VMULPS Z5, Z16, Z16")
		f.op("VADDPS Z16, Z0, Z0")
		return
	}
	f.op("VPSHUFB Z30, Z14, Z14")
	f.op("VBROADCASTI32X4 (R11), Z5")
	f.op("VPSUBD Z5, Z16, Z16")
	f.op("VPMULLD Z14, Z16, Z16")
	f.op("VBROADCASTF32X4 (R12), Z5")
	f.op("VCVTDQ2PS Z16, Z16")
	f.op("VMULPS Z5, Z16, Z16")
	f.op("VADDPS Z16, Z0, Z0")
}

// tail4 sets Z16 for one to four blocks. What is in lanes of blocks that are not
// there does not matter: their scales are 0.
func (f rows) tail4() {
	f.op("MOVQ %d(DX), CX", rowTailBlocks)
	f.op("TESTQ CX, CX")
	f.op("JZ finish")
	f.op("MOVQ %d(DX), R10", rowTailQ)
	if f.fine() {
		f.op("MOVQ %d(DX), R11", rowTailCorr4)
	}
	f.groups()
	for n := 1; n < 4; n++ {
		f.op("CMPQ CX, $%d", n)
		f.op("JEQ tail%d", n)
	}
	for n := 4; n > 0; n-- {
		if n < 4 {
			f.label(fmt.Sprintf("tail%d", n))
		}
		for r := range 4 {
			f.comment("row %d", r)
			if f.fine() {
				f.meta("K5", "K3")
				if n > 1 {
					f.op("MOVQ %d(DX), AX", rowSpread)
				}
			}
			f.selectors(n)
			sum := []string{"Z8", "Z9", "Z10", "Z11"}
			if n == 1 {
				sum = sum[r:]
			}
			for b := range n {
				load := "VMOVDQU64 %d(DI), %s"
				if b == n-1 {
					load = "VMOVDQU8.Z %d(DI), K1, %s"
					if f.fine() {
						f.op("MOVQ %d(DX), AX", rowTailSpread)
					}
				}
				f.block(b, load, "Z1", sum[b])
			}
			f.loadScales(r, "K5")
			switch n {
			case 2:
				f.pairs("Z8", "Z9", "Z6")
				f.op("VPSHUFD $0x4e, Z6, Z7")
				f.op("VPADDD Z7, Z6, %s", z(16+r))
			case 3:
				f.add4("Z8", "Z9", "Z10", "Z10", z(16+r))
			case 4:
				f.add4("Z8", "Z9", "Z10", "Z11", z(16+r))
			}
			if r < 3 {
				f.next(r)
			}
		}
		if n > 1 {
			f.quarters()
			f.op("JMP scale")
			continue
		}
		f.add4("Z8", "Z9", "Z10", "Z11", "Z16")
		f.op("VEXTRACTI64X4 $1, Z16, Y17")
		f.op("VPADDD Y17, Y16, Y16")
		f.op("VEXTRACTI32X4 $1, Y16, X17")
		f.op("VPADDD X17, X16, X16")
		f.op("VPEXPANDD.Z Z16, K7, Z16")
	}
}

// tail3 is tail4 for codes of 3 bits, whose chunks are less high than 64: rows are side
// by side, two of them if a chunk is two blocks, four if it is one.
func (f rows) tail3() {
	f.op("MOVQ %d(DX), BX", rowTailWide)
	f.op("ADDQ %d(DX), BX", rowTailNarrow)
	f.op("JZ finish")
	f.groups()
	for r := range 4 {
		f.loadScales(r, "K5")
		if r < 3 {
			f.op("ADDQ R15, R9")
		}
	}
	f.op("CMPQ %d(DX), $0", rowTailWide)
	f.op("JZ narrow")
	f.wide()
	f.op("MOVQ %d(DX), CX", rowTailNarrow)
	f.op("VMOVDQA64 Z24, Z23")
	f.op("TESTQ CX, CX")
	f.op("JZ wide")
	f.narrow(2, 0)
	f.op("VMOVDQA64 Z20, Z21")
	f.op("CMPQ %d(DX), $2", rowTailNarrow)
	f.op("JNE wide3")
	f.narrow(3, 1)
	f.label("wide3")
	f.pairs("Z20", "Z21", "Z23")
	f.label("wide")
	f.fours("Z24", "Z23", "Z16")
	f.op("JMP scale")

	f.label("narrow")
	f.narrow(0, 0)
	f.op("VMOVDQA64 Z20, Z21")
	f.op("CMPQ %d(DX), $2", rowTailNarrow)
	f.op("JNE narrow1")
	f.narrow(1, 1)
	f.label("narrow1")
	f.pairs("Z20", "Z21", "Z23")
	f.fours("Z23", "Z23", "Z16")
}

// strips looks the codes of eight strips in Z1, Z2 and Z3 up, and multiplies them: the
// table is in tables[strip/4·(blocks-1)], and so is the sum.
func (f rows) strips(tables, sums []string, height int) {
	for s := range 8 {
		at := s * len(tables) / 8
		if s*len(tables)%8 == 0 {
			f.op("VPXORD %s, %s, %s", sums[at], sums[at], sums[at])
		}
		in := z(1 + s/2)
		switch {
		case s < 6 && s%2 == 0:
			f.op("VPANDD Z29, %s, Z4", in)
		case s < 6:
			f.op("VPSRLW $3, %s, Z4", in)
			f.op("VPANDD Z29, Z4, Z4")
		default:
			if s == 6 {
				f.last3()
			}
			f.op("VPANDD Z29, %s, Z4", z(1+s%6))
		}
		f.op("VPSHUFB Z4, %s, Z5", tables[at])
		q := "Z6"
		if height == 32 {
			f.op("VBROADCASTI64X4 %d(R10), Z6", 32*s)
		} else {
			f.op("VBROADCASTI32X4 %d(R10), Z6", 16*s)
		}
		f.op("VPDPBUSD %s, Z5, %s", q, sums[at])
	}
}

// wide multiplies a chunk of 256 columns. Z24 gets the sums of blocks 0 and 1 in
// the words of each row's quarter, which are to be added by fours.
func (f rows) wide() {
	for p := range 2 {
		f.comment("rows %d and %d", 2*p, 2*p+1)
		for r := range 2 {
			f.op("PREFETCHT1 (DI)(R13*1)")
			f.op("PREFETCHT1 64(DI)(R13*1)")
			for i := range 3 {
				if r == 0 {
					f.op("VMOVDQU (DI), %s", fmt.Sprintf("Y%d", 1+i))
				} else {
					f.op("VINSERTI64X4 $1, (DI), %s, %s", z(1+i), z(1+i))
				}
				if i < 2 {
					f.op("ADDQ $32, DI")
				}
			}
			f.op("ADDQ R14, DI")
			f.op("SUBQ $64, DI")
			f.selectors(2)
			for b := range 2 {
				f.selectorOf(b)
				if r == 0 {
					f.op("VBROADCASTI32X4 %s, %s", f.at(), z(25+b))
				} else {
					f.op("VBROADCASTI32X4 %s, Y7", f.at())
					f.op("VINSERTI64X4 $1, Y7, %s, %s", z(25+b), z(25+b))
				}
			}
			f.nextSelector(2*p + r)
		}
		f.strips([]string{"Z25", "Z26"}, []string{"Z8", "Z9"}, 32)
		f.pairs("Z8", "Z9", z(20+p))
	}
	f.halves("Z20", "Z21", "Z24")
	f.comment("back to the first row, behind the chunk")
	f.op("LEAQ (R14*4), AX")
	f.op("SUBQ AX, DI")
	f.op("ADDQ $96, DI")
	f.op("ADDQ $256, R10")
}

// at returns the table whose selector is in BX.
func (f rows) at() string {
	if f.fixed && f.sel == 0 {
		return "(R8)"
	}
	return "(R8)(BX*1)"
}

// selectorOf sets BX for block b, whatever it had.
func (f rows) selectorOf(b int) { f.selector(b, true) }

// nextSelector moves the selectors on from row r, in the end back to the first.
func (f rows) nextSelector(r int) {
	if f.fixed && f.sel == 0 {
		return
	}
	f.op("ADDQ %d(DX), SI", rowSelectorStride)
	if r == 3 {
		f.op("MOVQ %d(DX), AX", rowSelectorStride)
		f.op("SHLQ $2, AX")
		f.op("SUBQ AX, SI")
	}
}

// narrow multiplies chunk i of at most 128 columns, which is block b: the sums are four
// words in each row's quarter of Z(20 + i).
func (f rows) narrow(b, i int) {
	mask := []string{"K1", "K7"}[i]
	f.op("MOVQ %d(DX), R10", rowNarrowQ+8*i)
	f.op("MOVQ %d(DX), CX", rowNarrowHeight+8*i)
	for r := range 4 {
		f.comment("row %d", r)
		f.op("PREFETCHT1 (DI)(R13*1)")
		for i, at := range []string{"(DI)", "(DI)(CX*1)", "(DI)(CX*2)"} {
			if r == 0 {
				f.op("VMOVDQU8.Z %s, %s, %s", at, mask, x(1+i))
			} else {
				f.op("VMOVDQU8.Z %s, %s, X4", at, mask)
				f.op("VINSERTI32X4 $%d, X4, %s, %s", r, z(1+i), z(1+i))
			}
		}
		f.op("ADDQ R14, DI")
		f.selectors(b + 1)
		f.selectorOf(b)
		f.op("VBROADCASTI32X4 %s, %sZ25", f.at(), quarter(r))
		f.nextSelector(r)
	}
	f.strips([]string{"Z25"}, []string{z(20 + i)}, 16)
	f.op("LEAQ (R14*4), AX")
	f.op("SUBQ AX, DI")
	f.op("LEAQ (CX)(CX*2), AX")
	f.op("ADDQ AX, DI")
}
