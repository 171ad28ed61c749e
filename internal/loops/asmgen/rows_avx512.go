package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

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
	rowRowScaleStride
	rowCodeBack
	rowScaleBack
	rowSelectorBack
	rowTable
	rowUnit // and rowOffset in the upper half
	rowQ
	rowSums
	rowD
	rowSteps
	rowAhead
	rowBlockShift
	rowSelectorBits
	rowSelectorMask
	rowSelectorAt
	_
	_
	_
	rowSpread
	rowStepScales
	rowTailScales
	rowStepSelectors
	rowTailSelectors
	rowTailHalves
	rowTailWide
	rowTailWhole
	rowTailLast
	rowTailParts

	rowOffset = rowUnit + 4
)

// rowHighTables is the offset of the tables for 3-bit codes in bits 3 to 5.
const rowHighTables = 16 * 64

// Offsets of RowSpread and RowPart.
const (
	spreadScales = 512

	partMask   = 0
	partOffset = 8
	partIndex  = 16
	partShift  = 80
	partKeep   = 144
	partSize   = 208
)

// A rowScale is the format of the scales of rows, and the range of their columns.
type rowScale int

const (
	coarse rowScale = iota // integers for 128 columns or more
	fine                   // integers for 16, 32 or 64 columns
	e8m0                   // powers of two for 32 columns
	e4m3                   // small floats for 16
)

// rowLoops are all functions, as Rows in package loops finds them.
var rowLoops = []rows{
	{bits: 3, scale: coarse}, {bits: 3, scale: coarse, sel: selTwo}, {bits: 3, scale: coarse, sel: selAny},
	{bits: 4, scale: coarse}, {bits: 4, scale: coarse, sel: selTwo}, {bits: 4, scale: coarse, sel: selAny},
	{bits: 5, scale: coarse}, {bits: 6, scale: coarse}, {bits: 7, scale: coarse}, {bits: 8, scale: coarse},
	{bits: 3, scale: fine}, {bits: 3, scale: fine, sel: selAny},
	{bits: 4, scale: fine}, {bits: 4, scale: fine, sel: selAny},
	{bits: 3, scale: fine, sel: selPair}, {bits: 4, scale: fine, sel: selPair},
	{bits: 3, scale: fine, sel: selHalf}, {bits: 4, scale: fine, sel: selHalf},
	{bits: 3, scale: fine, sel: selZero}, {bits: 4, scale: fine, sel: selZero},
	{bits: 5, scale: fine}, {bits: 6, scale: fine}, {bits: 7, scale: fine}, {bits: 8, scale: fine},
	{bits: 4, scale: e8m0}, {bits: 4, scale: e8m0, sel: selAny},
	{bits: 4, scale: e4m3}, {bits: 4, scale: e4m3, sel: selAny},
}

func rowsAVX512() *file {
	f := newFile("amd64 && !purego")
	// parts writes a constant with equal parts for the values, of words or of pairs of
	// 16-bit numbers.
	parts := func(name string, bits int, values ...uint32) {
		var words [16]uint32
		for i := range words {
			words[i] = values[i*len(values)/16]
			if bits == 16 {
				words[i] |= words[i] << 16
			}
		}
		f.data(name, words[:]...)
	}
	f.comment("the shifts of 3-bit codes in each part of a vector")
	parts("shift32", 16, 0, 0, 3, 3)
	parts("high32", 16, 4, 4, 5, 5)
	parts("shift16", 16, 0, 3, 0, 3)
	parts("last16", 16, 0, 3, 6, 6)
	parts("high16", 16, 0, 0, 4, 5)
	parts("keep16", 32, 0xffffffff, 0xffffffff, 0x03030303, 0x03030303)
	parts("shift4", 16, 0, 0, 4, 4)
	f.data("strips8", 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 2, 0, 0, 0, 1, 0)
	parts("shift8", 16, 0, 3, 0, 3, 0, 3, 6, 6)
	parts("high8", 16, 0, 0, 0, 0, 0, 0, 4, 5)
	all, two := ^uint32(0), uint32(0x03030303)
	parts("keep8", 32, all, all, all, all, all, all, two, two)
	f.data("eights", 0, 8, 16, 24, 0, 8, 16, 24, 0, 8, 16, 24, 0, 8, 16, 24)
	f.data("firsts", 0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	var words [16]uint32
	for i := range 32 {
		h, j, b := i/16, i/4%4, i%4
		words[i/2] |= uint32(8*b+4*h+j) << (i % 2 * 16)
	}
	f.comment("sums of 16 columns, from the order of columns to halves and quarters of blocks")
	f.data("byQuarter", words[:]...)
	for _, r := range rowLoops {
		r.file = f
		r.emit()
	}
	return f
}

// The layouts of selectors.
const (
	selNone = iota
	selTwo  // 2 bits for every 128 columns
	selAny
	selPair // 2 bits for every 32 columns
	selHalf // 2 bits for every 64 columns
	selZero // zero-points of 4 bits, for fewer than 128 columns
)

// rows emits the loops of RowArgs. In them
//
//	DX args       DI codes       R9 scales      SI selectors     R8 table
//	R10 q         R11 sums of q  R12 d          CX rows left     BX anything
//	R13 ahead, or the next RowPart              R14, R15 strides of codes and scales
//	AX selectors, or the RowSpread
//	Z0 lanes, quarter r of row r                Z1… planes       Z8…Z11 sums of blocks
//	Z12 selectors Z13 table      Z14 scales     Z16…Z19 sums of the rows
//	Z20…Z23 sums of second halves               Z28…Z31 anything
//	K1 a RowPart  K2, K6 valid selectors and scales               K3 half of a register
//	K4, K5, K7 the quarters of rows 1 to 3
//
// Constants are in registers from reg.
type rows struct {
	*file
	bits  int
	scale rowScale
	sel   int
	regs  map[string]string
}

func (f rows) name() string {
	return fmt.Sprintf("rows%d%s%sAVX512", f.bits, [...]string{"", "Fine", "E8M0", "E4M3"}[f.scale], [...]string{"", "Two", "Any", "Pair", "Half", "Zero"}[f.sel])
}

// byColumn reports whether each column has a selector, rather than each block.
func (f rows) byColumn() bool { return f.scale != coarse && f.sel == selAny }

// looksUp reports whether codes become values through a table.
func (f rows) looksUp() bool { return f.bits <= 6 && f.sel != selZero }

// reg returns the register of a constant, and allocates one on the first call.
func (f rows) reg(name string) string {
	if r, ok := f.regs[name]; ok {
		return r
	}
	free := []int{15}
	for r := 1 + pack.StripBytes(f.bits); r < 8; r++ {
		free = append(free, r)
	}
	if f.scale != e4m3 {
		free = append(free, 24, 25, 26, 27)
	}
	if !f.looksUp() {
		free = append(free, 13)
	}
	if f.scale == coarse || f.sel == selNone {
		free = append(free, 12)
	}
	if f.scale == coarse {
		free = append(free, 20, 21, 22, 23)
	}
	f.regs[name] = z(free[len(f.regs)])
	return f.regs[name]
}

// constant sets all bytes of a register to b.
func (f rows) constant(name string, b int) {
	f.op("MOVL $%#x, AX", 0x01010101*b)
	f.op("VPBROADCASTD AX, %s", f.reg(name))
}

// low returns the register with the mask of the lowest bits of bytes.
func low(bits int) string { return fmt.Sprintf("low%d", bits) }

func (f rows) emit() {
	f.regs = map[string]string{}
	name := f.name()
	fmt.Fprintf(f, "\n// func %s(a *RowArgs)\nTEXT ·%s(SB), NOSPLIT, $80-8\n", name, name)
	f.op("MOVQ a+0(FP), DX")
	for i, at := range []int{rowCodes, rowScales, rowSelectors, rowDst, rowRowScales, rowFours} {
		f.op("MOVQ %d(DX), AX", at)
		f.op("MOVQ AX, %s", local(i))
	}
	f.op("MOVQ %d(DX), R8", rowTable)
	f.op("MOVQ %d(DX), R14", rowCodeStride)
	f.op("MOVQ %d(DX), R15", rowScaleStride)
	for _, fields := range pack.Layout(f.bits) {
		for _, d := range fields[1:] {
			if f.regs[low(int(d.To))] == "" {
				f.constant(low(int(d.To)), 1<<d.To-1)
			}
		}
	}
	if f.bits == 7 {
		f.constant(low(7), 1<<7-1)
	}
	if f.byColumn() || f.sel == selZero || f.sel == selPair {
		f.constant("code", 1<<f.bits-1)
	}
	if f.sel == selZero {
		f.constant("zero", 15)
	}
	if f.bits == 3 {
		f.op("MOVL $0xff00, AX")
		f.op("KMOVW AX, K3")
	}
	f.op("MOVQ %d(DX), AX", rowSpread)
	if f.looksUp() && (f.sel == selNone || f.byColumn()) {
		f.op("VMOVDQU64 (R8), Z13")
		if f.looksUpHigh() {
			f.op("VMOVDQU64 %d(R8), %s", rowHighTables, f.reg("high"))
		}
	}
	if f.sel == selZero {
		f.op("VMOVDQU64 (AX), %s", f.reg("zeros"))
	}
	f.op("VMOVDQU64 %d(AX), %s", spreadScales, f.reg("scales0"))
	switch f.scale {
	case fine, e4m3:
		f.op("VMOVDQU64 %d(AX), %s", spreadScales+64, f.reg("scales1"))
	case coarse:
		for r, k := range []int{4, 5, 7} {
			f.op("MOVL $%#x, BX", 0xf<<(4+4*r))
			f.op("KMOVD BX, K%d", k)
		}
	}
	switch f.scale {
	case e8m0:
		f.op("MOVL $0x00400000, BX")
		f.op("VPBROADCASTD BX, %s", f.reg("least"))
		f.op("MOVL $0x7f7f7f7f, BX")
		f.op("VPBROADCASTD BX, Y%s", f.reg("ones")[1:])
	case e4m3:
		f.op("MOVL $0x7b800000, BX")
		f.op("VPBROADCASTD BX, %s", f.reg("bias"))
	}

	f.label("four")
	f.op("MOVQ %s, DI", local(0))
	f.op("MOVQ %s, R9", local(1))
	f.op("MOVQ %s, SI", local(2))
	f.op("MOVQ %d(DX), R10", rowQ)
	f.op("MOVQ %d(DX), R11", rowSums)
	f.op("MOVQ %d(DX), R12", rowD)
	f.op("MOVQ %d(DX), R13", rowAhead)
	f.op("VPXORD Z0, Z0, Z0")
	if f.byColumn() {
		f.op("MOVQ %d(DX), AX", rowSpread)
	}
	f.op("MOVQ $0, at-8(SP)")
	f.masks(rowStepScales, rowStepSelectors)
	f.op("MOVQ %d(DX), BX", rowSteps)
	f.op("MOVQ BX, steps-16(SP)")
	f.op("TESTQ BX, BX")
	f.op("JZ tail")

	f.op("PCALIGN $64")
	f.label("step")
	f.startStep()
	f.op("MOVQ $4, CX")
	f.label("row")
	f.startRow()
	f.op("CMPQ steps-16(SP), $0")
	f.op("JEQ tailRow")
	for c := range 512 / f.chunkColumns() {
		f.chunk(c, 0, true)
	}
	f.label("sums")
	f.endRow()
	f.op("DECQ CX")
	f.op("JNZ row")
	f.endStep()
	f.op("ADDQ $512, R10")
	f.op("ADDQ $%d, R11", map[bool]int{true: 16, false: 64}[f.scale == coarse])
	f.op("ADDQ $16, R12")
	f.op("CMPQ steps-16(SP), $0")
	f.op("JEQ finish")
	f.op("DECQ steps-16(SP)")
	f.op("JNZ step")
	f.op("CMPQ %d(DX), $0", rowTailHalves)
	f.op("JEQ finish")
	f.label("tail")
	f.masks(rowTailScales, rowTailSelectors)
	if f.scale == coarse && f.bits <= 4 {
		f.op("CMPQ %d(DX), $1", rowTailHalves)
		f.op("JNE step")
		f.op("CMPQ %d(DX), $0", rowTailLast)
		f.op("JEQ step")
		f.last64()
	} else {
		f.op("JMP step")
	}

	f.tail()

	f.label("finish")
	f.op("VPERMILPS $0x4e, Z0, Z1")
	f.op("VADDPS Z1, Z0, Z0")
	f.op("VPERMILPS $0xb1, Z0, Z1")
	f.op("VADDPS Z1, Z0, Z0")
	f.op("VMOVDQU64 firsts<>(SB), Z28")
	f.op("VPERMPS Z0, Z28, Z0")
	f.op("MOVQ %s, AX", local(4))
	f.op("MOVQ %s, BX", local(3))
	f.op("VBROADCASTSS %d(DX), X1", rowUnit)
	f.op("VMULPS (AX), X1, X1")
	f.op("VMULPS X1, X0, X0")
	f.op("VMOVUPS X0, (BX)")
	f.op("ADDQ %d(DX), AX", rowRowScaleStride)
	f.op("MOVQ AX, %s", local(4))
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

// local returns the place in the frame of a copy of an argument that changes. The garbage
// collector must not see pointers that have moved beyond the end of their memory, and it
// does not look in the frame.
func local(i int) string {
	name := []string{"codes", "scales", "selectors", "dst", "rowScales", "fours"}[i]
	return fmt.Sprintf("%s-%d(SP)", name, 40+8*i)
}

// masks sets the masks of the scales and selectors of a step.
func (f rows) masks(scales, selectors int) {
	f.op("MOVQ %d(DX), BX", scales)
	f.op("KMOVQ BX, K6")
	if f.sel != selNone && f.sel != selTwo {
		f.op("MOVQ %d(DX), BX", selectors)
		f.op("KMOVQ BX, K2")
	}
}

// startStep loads the scales and selectors of a step, and the corrections to subtract
// from sums.
func (f rows) startStep() {
	if f.scale != coarse {
		f.op("VMOVDQU64 byQuarter<>(SB), Z28")
		f.op("VPERMW (R11), Z28, Z28")
		f.op("VEXTRACTI64X4 $1, Z28, Y29")
		for i := range 2 {
			c := f.reg([]string{"correct0", "correct1"}[i])
			f.op("VPMOVSXWD Y%d, %s", 28+i, c)
			f.op("VPSRAD $4, %s, %s", c, c)
			if f.sel != selZero {
				f.op("VPMULLD.BCST %d(DX), %s, %s", rowOffset, c, c)
			}
		}
		return
	}
	f.op("MOVQ at-8(SP), BX")
	f.op("ADDQ $4, at-8(SP)")
	f.op("MOVQ %d(DX), AX", rowBlockShift)
	f.op("SHRXQ AX, BX, BX")
	f.op("MOVQ BX, scale-24(SP)")
	if f.sel == selAny {
		f.op("IMULQ %d(DX), BX", rowSelectorBits)
		f.op("MOVQ BX, shift-32(SP)")
	}
}

// startRow loads the selectors of a row, and if groups are fine, its scales.
func (f rows) startRow() {
	switch {
	case f.scale != coarse:
		if f.scale == e8m0 {
			f.comment("scales beyond the end are 1, since subnormal ones are slow")
			f.op("VMOVDQA64 %s, Z14", f.reg("ones"))
			f.op("VMOVDQU8 (R9), K6, Y14")
		} else {
			f.op("VMOVDQU8.Z (R9), K6, Y14")
		}
		if f.sel != selNone {
			f.op("VMOVDQU8.Z (SI), K2, X12")
		}
		if f.sel == selHalf || f.sel == selPair {
			f.op("VMOVD X12, AX")
		}
		if f.byColumn() {
			f.op("VPBROADCASTQ X12, Z12")
		}
		if f.sel == selZero {
			f.op("VPERMQ $0x50, Y12, Y12")
			f.op("VPMULTISHIFTQB Y12, Y%s, Y12", f.reg("zeros")[1:])
			f.op("VPANDD Y%s, Y12, Y12", f.reg("zero")[1:])
		}
	case f.sel == selTwo:
		f.op("MOVBLZX (SI), AX")
	case f.sel == selAny:
		f.op("MOVQ shift-32(SP), BX")
		f.op("MOVQ BX, AX")
		f.op("SHRQ $3, AX")
		f.op("VMOVDQU8.Z (SI)(AX*1), K2, X28")
		f.op("VMOVQ X28, AX")
		f.op("ANDQ $7, BX")
		f.op("SHRXQ BX, AX, AX")
		f.op("SHLQ $4, AX")
	}
}

// table loads the table of block b into Z13, or of half b if halves have tables.
func (f rows) table(b int) {
	f.selector(b)
	f.op("VMOVDQU64 (R8)(BX*4), Z13")
}

// selector sets BX to 16 times the selector of block b, or of half b if halves have
// tables.
func (f rows) selector(b int) {
	if f.sel == selTwo || f.sel == selHalf {
		if b == 2 {
			f.op("MOVL AX, BX")
		} else {
			f.op("RORXL $%d, AX, BX", (28+2*b)%32)
		}
		f.op("ANDL $0x30, BX")
	} else {
		f.op("MOVQ %d(DX), BX", rowSelectorAt+8*b)
		f.op("SHRXQ BX, AX, BX")
		f.op("ANDQ %d(DX), BX", rowSelectorMask)
	}
}

// looksUpHigh reports whether there are tables for codes in bits 3 to 5 of bytes, which
// save a shift.
func (f rows) looksUpHigh() bool {
	return f.bits == 3 && (f.scale == coarse || f.sel == selNone || f.sel == selHalf)
}

// highHalf is half for codes in bits 3 to 5.
func (f rows) highHalf(h int, codes string) {
	table := "Z30"
	if f.sel == selNone {
		table = f.reg("high")
	} else {
		if f.sel == selHalf {
			f.selector(h)
		}
		f.op("VMOVDQU64 %d(R8)(BX*4), %s", rowHighTables, table)
	}
	f.op("VPERMB %s, %s, Z29", table, codes)
	f.dot(h, "Z29")
}

// half multiplies half h of the blocks of a step, whose codes are in the lowest bits of
// bytes.
func (f rows) half(h int, codes string) {
	switch {
	case f.sel == selHalf:
		f.table(h)
	case f.scale == coarse && f.sel != selNone && h%2 == 0:
		f.table(h / 2)
	}
	values := "Z29"
	switch {
	case f.sel == selPair:
		f.comment("two tables, each for half of the columns")
		f.op("RORXL $%d, AX, BX", (32+4*h-6)%32)
		f.op("ANDL $0x3c0, BX")
		f.op("VMOVDQU64 (R8)(BX*1), Z13")
		f.op("VPANDD %s, %s, Z29", f.reg("code"), codes)
		f.op("VPSHUFB Z29, Z13, Z29")
	case f.sel == selZero:
		f.op("VPANDD %s, %s, Z29", f.reg("code"), codes)
	case !f.looksUp():
		values = codes
	case f.byColumn():
		f.op("VMOVDQU64 %d(AX), Z29", 64*h)
		f.op("VPMULTISHIFTQB Z12, Z29, Z29")
		f.op("VPTERNLOGD $0xd8, %s, %s, Z29", f.reg("code"), codes)
		f.op("VPERMB Z13, Z29, Z29")
	default:
		f.op("VPERMB Z13, %s, Z29", codes)
	}
	f.dot(h, values)
}

// dot multiplies values by the activations of half h.
func (f rows) dot(h int, values string) {
	sum := f.sum(h)
	if h%2 == 0 || f.scale != coarse {
		f.op("VPXORD %s, %s, %s", sum, sum, sum)
	}
	f.op("VPDPBUSD %d(R10), %s, %s", 64*h, values, sum)
}

// sum returns the register of the sums of half h. With coarse scales, both halves of a
// block share one.
func (f rows) sum(h int) string {
	if f.scale != coarse && h%2 == 1 {
		return z(20 + h/2)
	}
	return z(8 + h/2)
}

// chunkColumns returns the number of columns of a chunk of the full height.
func (f rows) chunkColumns() int { return 64 * len(pack.Layout(f.bits)) }

// chunk multiplies chunk c, of full height, from byte at on.
func (f rows) chunk(c, at int, ahead bool) {
	layout := pack.Layout(f.bits)
	planes := pack.StripBytes(f.bits)
	for p := range planes {
		at := at + 64*(c*planes+p)
		if ahead {
			f.op("PREFETCHT1 %d(DI)(R13*1)", at)
		}
		f.op("VMOVDQU64 %d(DI), %s", at, z(1+p))
	}
	for s, fields := range layout {
		if f.looksUpHigh() && len(fields) == 1 && fields[0].From == 3 {
			f.highHalf(c*len(layout)+s, z(1+fields[0].Index))
			continue
		}
		codes := f.shifted(fields[0], "Z28")
		for _, d := range fields[1:] {
			if codes != "Z28" {
				f.op("VMOVDQA64 %s, Z28", codes)
			}
			codes = "Z28"
			more := f.shifted(d, "Z30")
			f.op("VPTERNLOGD $0xe4, %s, %s, Z28", f.reg(low(int(d.To))), more)
		}
		if f.bits == 7 {
			f.op("VPANDD %s, Z28, Z28", f.reg(low(7)))
		}
		f.half(c*len(layout)+s, codes)
	}
}

// shifted returns the register that has a field in its place: the plane itself, or a
// shifted copy.
func (f rows) shifted(d pack.Field, to string) string {
	plane := z(1 + d.Index)
	switch {
	case d.From > d.To:
		f.op("VPSRLW $%d, %s, %s", d.From-d.To, plane, to)
	case d.From < d.To:
		f.op("VPSLLW $%d, %s, %s", d.To-d.From, plane, to)
	default:
		return plane
	}
	return to
}

// add4 adds each of four vectors up to four numbers, one in every quarter of the result.
func (f rows) add4(a, b, c, d, out string) {
	f.pairs(a, b, "Z30")
	f.pairs(c, d, "Z31")
	f.op("VPUNPCKLQDQ Z31, Z30, Z28")
	f.op("VPUNPCKHQDQ Z31, Z30, Z29")
	f.op("VPADDD Z29, Z28, %s", out)
}

// pairs adds neighbouring words of a and b up: of each quarter, a, b, a and b.
func (f rows) pairs(a, b, out string) {
	f.op("VPUNPCKLDQ %s, %s, Z28", b, a)
	f.op("VPUNPCKHDQ %s, %s, Z29", b, a)
	f.op("VPADDD Z29, Z28, %s", out)
}

// halves adds quarters 1 and 3 of a and b to quarters 0 and 2; the sums of a come first.
func (f rows) halves(a, b, out string) {
	f.op("VSHUFI64X2 $0x88, %s, %s, Z28", b, a)
	f.op("VSHUFI64X2 $0xdd, %s, %s, Z29", b, a)
	f.op("VPADDD Z29, Z28, %s", out)
}

// push moves each of four registers from r on to the one before, which frees the last.
func (f rows) push(r int) {
	for i := range 3 {
		f.op("VMOVDQA64 %s, %s", z(r+i+1), z(r+i))
	}
}

// endRow adds up the sums of a row into Z19, and also into Z27 if a block has eight
// groups.
func (f rows) endRow() {
	f.push(16)
	if f.scale == coarse {
		f.add4("Z8", "Z9", "Z10", "Z11", "Z19")
	} else {
		f.add4("Z8", "Z9", "Z10", "Z11", "Z8")
		f.add4("Z20", "Z21", "Z22", "Z23", "Z9")
		for i, s := range []string{"Z8", "Z9"} {
			correct := f.reg([]string{"correct0", "correct1"}[i])
			if f.sel == selZero {
				f.op("VPERMB Z12, %s, Z28", f.reg([]string{"scales0", "scales1"}[i]))
				f.op("VPMADDWD %s, Z28, Z28", correct)
				correct = "Z28"
			}
			f.op("VPSUBD %s, %s, %s", correct, s, s)
		}
	}
	switch f.scale {
	case fine:
		f.op("VPERMB Z14, %s, Z28", f.reg("scales0"))
		f.op("VPERMB Z14, %s, Z29", f.reg("scales1"))
		f.addScaled("Z8", "Z9", "Z19")
	case e8m0:
		f.op("VPERMB Z14, %s, Z30", f.reg("scales0"))
		f.powers("Z30")
		f.halves("Z8", "Z9", "Z8")
		f.op("VCVTDQ2PS Z8, Z8")
		f.op("VMULPS Z30, Z8, Z19")
	case e4m3:
		f.push(24)
		for i, out := range []string{"Z19", "Z27"} {
			f.op("VPERMB Z14, %s, Z30", f.reg([]string{"scales0", "scales1"}[i]))
			f.smallFloats("Z30")
			f.op("VCVTDQ2PS %s, %s", z(8+i), z(8+i))
			f.op("VMULPS Z30, %s, %s", z(8+i), out)
		}
	}
	f.nextRow()
}

// powers makes b the exponent of 2^(b−127), which is subnormal for 0.
func (f rows) powers(b string) {
	f.op("VPSLLD $23, %s, %s", b, b)
	f.op("VPMAXSD %s, %s, %s", f.reg("least"), b, b)
}

// smallFloats shifts exponent and fraction to their places in a float32, and multiplies
// by 2^120 for the difference of the biases, which is exact for subnormal numbers, too.
func (f rows) smallFloats(b string) {
	f.op("VPSLLD $20, %s, %s", b, b)
	f.op("VMULPS %s, %s, %s", f.reg("bias"), b, b)
}

// addScaled multiplies the sums of 16 columns in a and b by scales in Z28 and Z29, and
// adds the products. With selectors, values are within ±16, so the sums fit into the
// lower halves of words.
func (f rows) addScaled(a, b, out string) {
	if f.sel != selNone {
		f.op("VPMADDWD Z28, %s, %s", a, out)
		f.op("VPDPWSSD Z29, %s, %s", b, out)
		return
	}
	f.op("VPMULLD Z28, %s, %s", a, a)
	f.op("VPMULLD Z29, %s, %s", b, b)
	f.op("VPADDD %s, %s, %s", b, a, out)
}

// nextRow moves the pointers to the next row.
func (f rows) nextRow() {
	f.op("ADDQ R14, DI")
	if f.scale != coarse {
		f.op("ADDQ R15, R9")
	}
	if f.sel != selNone {
		f.op("ADDQ %d(DX), SI", rowSelectorStride)
	}
}

// endStep adds the sums of four rows to their lanes, and moves on.
func (f rows) endStep() {
	f.op("ADDQ %d(DX), DI", rowCodeBack)
	if f.scale != coarse {
		f.op("ADDQ %d(DX), R9", rowScaleBack)
	}
	if f.sel != selNone {
		f.op("ADDQ %d(DX), SI", rowSelectorBack)
	}
	sum := "Z16"
	switch f.scale {
	case coarse:
		f.quarters()
		f.label("scale")
		f.op("MOVQ scale-24(SP), BX")
		f.op("ADDQ R9, BX")
		for r := range 4 {
			f.op("VMOVDQU8.Z (BX), K6, X28")
			f.op("VPBROADCASTD X28, %sZ14", []string{"", "K4, ", "K5, ", "K7, "}[r])
			if r < 3 {
				f.op("ADDQ R15, BX")
			}
		}
		f.op("VPSHUFB %s, Z14, Z14", f.reg("scales0"))
		f.op("VBROADCASTI32X4 (R11), Z28")
		f.op("VPSRAD $4, Z28, Z28")
		f.op("VPMULLD.BCST %d(DX), Z28, Z28", rowOffset)
		f.op("VPSUBD Z28, Z16, Z16")
		f.comment("a float32 holds both exactly, and their product is rounded once, like the integer product")
		f.op("VCVTDQ2PS Z14, Z14")
		f.op("VCVTDQ2PS Z16, Z16")
		f.op("VMULPS Z14, Z16, Z16")
	case fine:
		f.quarters()
		f.label("scale")
		f.op("VCVTDQ2PS Z16, Z16")
	case e8m0:
		f.addQuarters(16, true)
		sum = "Z28"
	case e4m3:
		f.addQuarters(16, true)
		f.addQuarters(24, false)
		sum = "Z28"
	}
	if sum == "Z28" {
		f.label("scale")
	}
	f.op("VBROADCASTF32X4 (R12), Z29")
	f.op("VMULPS Z29, %s, %s", sum, sum)
	f.op("VADDPS %s, Z0, Z0", sum)
}

// quarters adds up the quarters of Z16 … Z19. The sum of row r goes to quarter r of Z16.
func (f rows) quarters() {
	f.halves("Z16", "Z17", "Z16")
	f.halves("Z18", "Z19", "Z18")
	f.halves("Z16", "Z18", "Z16")
}

// addQuarters adds the quarters of four registers from r on to Z28, one after the other.
// The quarters of the i-th register go to quarter i.
func (f rows) addQuarters(r int, first bool) {
	for i, imm := range []string{"$0x44", "$0xee"} {
		f.op("VSHUFF32X4 %s, %s, %s, %s", imm, z(r+1), z(r), z(8+2*i))
		f.op("VSHUFF32X4 %s, %s, %s, %s", imm, z(r+3), z(r+2), z(9+2*i))
	}
	for i := range 4 {
		a, b := z(8+i/2*2), z(9+i/2*2)
		imm := []string{"$0x88", "$0xdd"}[i%2]
		if first && i == 0 {
			f.op("VSHUFF32X4 %s, %s, %s, Z28", imm, b, a)
			continue
		}
		f.op("VSHUFF32X4 %s, %s, %s, Z29", imm, b, a)
		f.op("VADDPS Z29, Z28, Z28")
	}
}

// tail computes the sums of the columns after the last whole step of a row: first chunks
// of full height, or with 3 bits of height 32 or 16, and then parts. Blocks beyond the
// end of the row have sums of 0.
func (f rows) tail() {
	f.label("tailRow")
	f.op("MOVQ %d(DX), BX", rowAhead)
	f.op("PREFETCHT1 (DI)(BX*1)")
	f.op("PREFETCHT1 64(DI)(BX*1)")
	f.op("MOVQ %d(DX), R13", rowTailParts)
	blocks := f.chunkColumns() / 128
	switch {
	case f.bits == 3:
		f.op("CMPQ %d(DX), $0", rowTailWide)
		f.op("JEQ narrow0")
		f.chunk32()
		f.narrow(2, 96)
		f.narrow(0, 0)
	case blocks == 0 || blocks > 2:
		f.parts(0, 4, 0)
		f.op("JMP sums")
	default:
		for b := 0; b < 4-blocks; b += blocks {
			f.op("CMPQ %d(DX), $%d", rowTailWhole, b/blocks+1)
			f.op("JLT parts%d", b)
			f.chunk(b/blocks, 0, false)
		}
		f.op("JMP parts%d", 4-blocks)
		for b := 0; b < 4; b += blocks {
			f.parts(b, b+blocks, 64*b)
			f.op("JMP zero%d", b+blocks)
		}
	}
	f.label("zero1")
	f.oneBlock()
	for b := 2; b < 4; b++ {
		f.label(fmt.Sprintf("zero%d", b))
		f.zero(2 * b)
		if f.scale != coarse {
			f.zero(2*b + 1)
		}
	}
	f.label("zero4")
	f.op("JMP sums")
}

// oneBlock is endRow and endStep, up to scaling, for a tail of one block with its sums in
// Z8, or in Z8 and Z20 if groups are fine. Four rows take the places of four blocks, so
// that one addition serves all.
func (f rows) oneBlock() {
	f.push(16)
	f.op("VMOVDQA64 Z8, Z19")
	if f.scale != coarse {
		for _, m := range [][2]int{{10, 9}, {11, 10}, {21, 11}, {20, 21}} {
			f.op("VMOVDQA64 %s, %s", z(m[0]), z(m[1]))
		}
		f.op("VALIGNQ $1, Y23, Y14, Y23")
		if f.sel == selZero {
			f.op("VALIGNQ $1, Y22, Y12, Y22")
		}
	}
	f.nextRow()
	f.op("DECQ CX")
	f.op("JNZ row")
	if f.scale == coarse {
		f.label("ones")
	}
	f.op("MOVL $0x1111, BX")
	f.op("KMOVD BX, K1")
	f.add4("Z16", "Z17", "Z18", "Z19", "Z16")
	if f.scale == coarse {
		f.addDown("VPADDD", "Z16", "X16")
		f.op("VPEXPANDD.Z Z16, K1, Z16")
		f.op("JMP scale")
		return
	}
	f.add4("Z9", "Z10", "Z11", "Z21", "Z9")
	ofRows := func(i int, from, out string) {
		f.op("VPSHUFD $0, %s, %s", f.reg([]string{"scales0", "scales1"}[i]), out)
		f.op("VPADDD eights<>(SB), %s, %s", out, out)
		f.op("VPERMB %s, %s, %s", from, out, out)
	}
	scales := func(i int, out string) { ofRows(i, "Z23", out) }
	for i, s := range []string{"Z16", "Z9"} {
		f.op("VPSHUFD $0, %s, Z28", f.reg([]string{"correct0", "correct1"}[i]))
		if f.sel == selZero {
			ofRows(i, "Z22", "Z29")
			f.op("VPMADDWD Z29, Z28, Z28")
		}
		f.op("VPSUBD Z28, %s, %s", s, s)
	}
	switch f.scale {
	case fine:
		scales(0, "Z28")
		scales(1, "Z29")
		f.addScaled("Z16", "Z9", "Z16")
		f.addDown("VPADDD", "Z16", "X16")
		f.op("VPEXPANDD.Z Z16, K1, Z16")
	case e8m0:
		f.halves("Z16", "Z9", "Z8")
		scales(0, "Z30")
		f.powers("Z30")
		f.op("VCVTDQ2PS Z8, Z8")
		f.op("VMULPS Z30, Z8, Z8")
		f.inOrder("Z8")
	case e4m3:
		for i, s := range []string{"Z16", "Z9"} {
			scales(i, "Z30")
			f.smallFloats("Z30")
			f.op("VCVTDQ2PS %s, %s", s, s)
			f.op("VMULPS Z30, %s, %s", s, z(10+i))
		}
		f.inOrder("Z10", "Z11")
	}
	f.op("JMP scale")
}

// last64 is a tail of one chunk of 64 columns, without branches, for groups of 128
// columns or more. It goes on where oneBlock adds up.
func (f rows) last64() {
	f.startStep()
	for r := range 4 {
		f.startRow()
		f.chunk64(0)
		f.half(0, "Z28")
		f.op("VMOVDQA64 Z8, %s", z(16+r))
		f.nextRow()
	}
	f.op("JMP ones")
}

// addDown adds the quarters of a register up in pairs.
func (f rows) addDown(add, in, out string) {
	f.op("VEXTRACTI64X4 $1, %s, Y28", in)
	f.op("%s Y28, Y%s, Y28", add, in[1:])
	f.op("VEXTRACTI32X4 $1, Y28, X29")
	f.op("%s X29, X28, %s", add, out)
}

// inOrder adds up the quarters of registers one after the other, and spreads the sums to
// the first words of the quarters of Z28.
func (f rows) inOrder(in ...string) {
	for i, v := range in {
		if i == 0 {
			f.op("VMOVAPS X%s, X28", v[1:])
		} else {
			f.op("VADDPS X%s, X28, X28", v[1:])
		}
		for q := 1; q < 4; q++ {
			f.op("VEXTRACTF32X4 $%d, %s, X29", q, v)
			f.op("VADDPS X29, X28, X28")
		}
	}
	f.op("VEXPANDPS.Z Z28, K1, Z28")
}

func (f rows) zero(h int) { f.op("VPXORD %s, %s, %s", f.sum(h), f.sum(h), f.sum(h)) }

// narrow multiplies a chunk of 128 columns from byte at on, if there is one, and the
// columns after it, from block b on.
func (f rows) narrow(b, at int) {
	if at == 0 {
		f.label("narrow0")
	}
	f.op("CMPQ %d(DX), $0", rowTailWhole)
	f.op("JEQ parts%d", b)
	f.chunk16(b, at)
	f.parts(b+1, b+2, at+48)
	f.op("JMP zero%d", b+2)
	f.parts(b, b+1, at)
	f.op("JMP zero%d", b+1)
}

// chunk32 multiplies a chunk of 256 columns of 3-bit codes. Every vector of columns is
// two strips.
func (f rows) chunk32() {
	f.op("VMOVDQU64 (DI), Z1")
	f.op("VBROADCASTI64X4 64(DI), Z2")
	for h := range 2 {
		f.op("VBROADCASTI64X4 %d(DI), Z28", 32*h)
		f.op("VPSRLVW shift32<>(SB), Z28, Z28")
		f.half(h, "Z28")
	}
	f.op("VPSRLVW shift32<>(SB), Z2, Z28")
	f.half(2, "Z28")
	f.op("VPSRLW $6, Z1, Z28")
	f.op("VPSRLVW high32<>(SB), Z2, Z30")
	f.op("VPTERNLOGD $0xe4, %s, Z30, Z28", f.reg(low(2)))
	f.half(3, "Z28")
}

// chunk16 multiplies block b, a chunk of 128 columns of 3-bit codes from byte at on.
// Every vector of columns is four strips.
func (f rows) chunk16(b, at int) {
	f.op("VBROADCASTI32X4 %d(DI), Z28", at)
	f.op("VBROADCASTI32X4 %d(DI), K3, Z28", at+16)
	f.op("VPSRLVW shift16<>(SB), Z28, Z28")
	f.half(2*b, "Z28")
	f.op("VBROADCASTI32X4 %d(DI), Z1", at+32)
	f.op("VPSRLVW high16<>(SB), Z1, Z30")
	f.op("VBROADCASTI32X8 %d(DI), K3, Z1", at)
	f.op("VPSRLVW last16<>(SB), Z1, Z28")
	f.op("VPTERNLOGD $0xe4, keep16<>(SB), Z30, Z28")
	f.half(2*b+1, "Z28")
}

// chunk64 unpacks a chunk of 64 columns from byte at on. Each strip is 32 columns of 4
// bits or 8 of 3.
func (f rows) chunk64(at int) {
	if f.bits == 4 {
		f.op("VBROADCASTI64X4 %d(DI), Z28", at)
		f.op("VPSRLVW shift4<>(SB), Z28, Z28")
		return
	}
	f.op("VMOVDQU %d(DI), X1", at)
	f.op("VPBROADCASTQ %d(DI), Z2", at+16)
	f.op("VPBLENDD $0x30, Y2, Y1, Y1")
	f.op("VMOVDQU64 strips8<>(SB), Z28")
	f.op("VPERMQ Z1, Z28, Z28")
	f.op("VPSRLVW shift8<>(SB), Z28, Z28")
	f.op("VPSRLVW high8<>(SB), Z2, Z30")
	f.op("VPTERNLOGD $0xe4, keep8<>(SB), Z30, Z28")
}

// parts multiplies the halves of blocks from … to−1 that the row has, each with one
// RowPart for each field of a code. The first 64 columns, from byte at on, may be a chunk
// instead.
func (f rows) parts(from, to, at int) {
	f.label(fmt.Sprintf("parts%d", from))
	fields := 0
	for _, d := range pack.Layout(f.bits) {
		fields = max(fields, len(d))
	}
	for h := 2 * from; h < 2*to; h++ {
		if h > 0 {
			f.op("CMPQ %d(DX), $%d", rowTailHalves, h)
		}
		switch {
		case h%2 == 1:
			f.op("JLE odd%d_%d", from, h)
		case h > 0:
			f.op("JLE zero%d", h/2)
		}
		first := h == 2*from && f.bits <= 4
		if first {
			f.op("CMPQ %d(DX), $0", rowTailLast)
			f.op("JEQ low%d", h)
			f.chunk64(at)
			f.op("JMP both%d", h)
			f.label(fmt.Sprintf("low%d", h))
		}
		for i := range fields {
			to := []string{"Z28", "Z30"}[min(i, 1)]
			f.op("KMOVQ %d(R13), K1", partMask)
			f.op("MOVQ %d(R13), BX", partOffset)
			f.op("VMOVDQU8.Z (DI)(BX*1), K1, %s", to)
			if f.bits < 8 {
				f.op("VMOVDQU64 %d(R13), Z29", partIndex)
				f.op("VPERMB %s, Z29, %s", to, to)
				f.op("VMOVDQU64 %d(R13), Z29", partShift)
				f.op("VPMULTISHIFTQB %s, Z29, %s", to, to)
				f.op("VPANDD %d(R13), %s, %s", partKeep, to, to)
			}
			f.op("ADDQ $%d, R13", partSize)
			if i > 0 {
				f.op("VPORD Z30, Z28, Z28")
			}
		}
		if first {
			f.label(fmt.Sprintf("both%d", h))
		}
		f.half(h, "Z28")
		if h%2 == 1 {
			f.op("JMP even%d_%d", from, h)
			f.label(fmt.Sprintf("odd%d_%d", from, h))
			if f.scale != coarse {
				f.zero(h)
			}
			f.op("JMP zero%d", h/2+1)
			f.label(fmt.Sprintf("even%d_%d", from, h))
		}
	}
}
