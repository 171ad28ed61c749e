package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

func algebraNEON() *file {
	f := newFile("arm64 && !purego")
	gramNEON(f)
	takeNEON(f)
	reduceNEON(f)
	return f
}

// A tile is computed in blocks of neonRows rows and neonCols columns. The sums of row r
// are in V4r ….
const (
	neonRows = 4
	neonCols = 8
)

// fours emits a loop over the rows of a tile, four at a time. R19 is R0 plus 8 times the
// number of the first row.
func (f *file) fours(rows func(), body func()) {
	f.op("MOVD R0, R19")
	rows()
	f.label("fourRows")
	body()
	f.op("ADD $%d, R19, R19", 8*neonRows)
	f.op("SUBS $%d, R21, R21", neonRows)
	f.op("BGT fourRows")
	f.op("RET")
}

// gramNEON emits the loop that adds products of vectors to a tile. Rows of an incomplete
// block are copied to the frame and back.
func gramNEON(f *file) {
	const frame = neonRows * neonCols * 8
	f.frameARM64("gramNEON", "GramArgs", frame)
	f.op("MOVD %d(R0), R7", gramStride)
	f.op("LSL $3, R7, R7")
	f.op("MOVD %d(R0), R20", gramX)
	products := func(label string) {
		f.op("MOVD R20, R10")
		f.op("MOVD R6, R11")
		f.op("MOVD %d(R0), R8", gramVectors)
		f.label(label)
		f.op("FLDPQ (R10), (F16, F17)")
		f.op("VLD1 (R11), %s", list(20, 4, "D2"))
		for r := range neonRows {
			for p := range 4 {
				f.word(fmt.Sprintf("dmla%d", r%2), 4*r+p, 20+p, 16+r/2)
			}
		}
		f.op("ADD R7, R10, R10")
		f.op("ADD R7, R11, R11")
		f.op("SUBS $1, R8, R8")
		f.op("BNE %s", label)
	}
	copyRows := func(label, from, to string) {
		for r := range neonRows {
			f.op("MOVD R%d, R11", 1+r)
			f.op("MOVD $tile-%d(SP), R12", frame-8*neonCols*r)
			f.op("MOVD R9, R8")
			f.label(fmt.Sprintf("%s%d", label, r))
			f.op("FMOVD.P 8(%s), F0", from)
			f.op("FMOVD.P F0, 8(%s)", to)
			f.op("SUBS $1, R8, R8")
			f.op("BNE %s%d", label, r)
		}
	}
	f.fours(func() { f.op("MOVD $%d, R21", algebra.TileRows) }, func() {
		for r := range neonRows {
			f.op("MOVD %d(R19), R%d", gramSums+8*r, 1+r)
		}
		f.op("MOVD %d(R0), R6", gramY)
		f.op("MOVD %d(R0), R9", gramCols)
		f.op("B next")
		f.label("block")
		for r := range neonRows {
			f.op("VLD1 (R%d), %s", 1+r, list(4*r, 4, "D2"))
		}
		products("vector")
		for r := range neonRows {
			f.op("VST1.P %s, 64(R%d)", list(4*r, 4, "D2"), 1+r)
		}
		f.op("ADD $%d, R6, R6", 8*neonCols)
		f.label("next")
		f.op("SUBS $%d, R9, R9", neonCols)
		f.op("BGE block")
		f.op("ADDS $%d, R9, R9", neonCols)
		f.op("BEQ end")
		copyRows("in", "R11", "R12")
		f.op("MOVD $tile-%d(SP), R12", frame)
		for r := range neonRows {
			f.op("VLD1.P 64(R12), %s", list(4*r, 4, "D2"))
		}
		products("partVector")
		f.op("MOVD $tile-%d(SP), R12", frame)
		for r := range neonRows {
			f.op("VST1.P %s, 64(R12)", list(4*r, 4, "D2"))
		}
		copyRows("out", "R12", "R11")
		f.label("end")
		f.op("ADD $%d, R20, R20", 8*neonRows)
	})
}

// takeNEON emits the loop that subtracts a multiple of one vector from another.
func takeNEON(f *file) {
	f.textARM64("takeNEON", "TakeArgs")
	f.op("MOVD %d(R0), R1", takeT)
	f.op("MOVD R1, R4")
	f.op("MOVD %d(R0), R3", takeN)
	f.op("MOVD %d(R0), R2", takeM)
	f.op("FMOVD %d(R0), F16", takeR)
	f.op("SUBS $8, R3, R3")
	f.op("BLT last")
	f.label("eight")
	f.op("VLD1.P 64(R1), %s", list(0, 4, "D2"))
	f.op("VLD1.P 64(R2), %s", list(4, 4, "D2"))
	for i := range 4 {
		f.word("dmls0", i, 4+i, 16)
	}
	f.op("VST1.P %s, 64(R4)", list(0, 4, "D2"))
	f.op("SUBS $8, R3, R3")
	f.op("BGE eight")
	f.label("last")
	f.op("ADDS $8, R3, R3")
	f.op("BEQ end")
	f.label("one")
	f.op("FMOVD.P 8(R1), F0")
	f.op("FMOVD.P 8(R2), F4")
	f.word("dmls0", 0, 4, 16)
	f.op("FMOVD.P F0, 8(R4)")
	f.op("SUBS $1, R3, R3")
	f.op("BNE one")
	f.label("end")
	f.op("RET")
}

// reduceNEON emits the loop that subtracts products from a tile: eight columns at a time,
// then two, then one.
func reduceNEON(f *file) {
	f.textARM64("reduceNEON", "ReduceArgs")
	f.op("MOVD %d(R0), R7", reduceMLess)
	f.op("LSL $3, R7, R7")
	f.op("MOVD %d(R0), R14", reduceRStep)
	f.op("LSL $3, R14, R14")
	f.fours(func() { f.op("MOVD %d(R0), R21", reduceRows) }, func() {
		for r := range neonRows {
			f.op("MOVD %d(R19), R%d", reduceC+8*r, 1+r)
		}
		f.op("MOVD %d(R0), R5", reduceM)
		f.op("MOVD %d(R0), R6", reduceMStep)
		f.op("LSL $3, R6, R6")
		f.op("MOVD %d(R0), R9", reduceCols)
		for _, cols := range []int{neonCols, 2, 1} {
			f.reduceCols(cols)
		}
	})
}

// reduceCols emits the loop that takes the given number of columns at a time.
func (f *file) reduceCols(cols int) {
	label := fmt.Sprintf("cols%d", cols)
	regs := max(1, cols/2)
	load := func(from string, v int) {
		if cols == 1 {
			f.op("FMOVD %s, F%d", from, v)
		} else {
			f.op("VLD1 %s, %s", from, list(v, regs, "D2"))
		}
	}
	f.op("B %sNext", label)
	f.label(label)
	for r := range neonRows {
		load(fmt.Sprintf("(R%d)", 1+r), 4*r)
		f.op("MOVD %d(R19), R%d", reduceR+8*r, 10+r)
	}
	f.op("MOVD R5, R15")
	f.op("MOVD R6, R16")
	f.op("MOVD %d(R0), R17", reduceN)
	f.label(label + "Row")
	load("(R15)", 20)
	for r := range neonRows {
		f.op("FMOVD (R%d), F%d", 10+r, 16+r)
		f.op("ADD R14, R%[1]d, R%[1]d", 10+r)
	}
	for r := range neonRows {
		for p := range regs {
			f.word("dmls0", 4*r+p, 20+p, 16+r)
		}
	}
	f.op("ADD R16, R15, R15")
	f.op("SUB R7, R16, R16")
	f.op("SUBS $1, R17, R17")
	f.op("BNE %sRow", label)
	for r := range neonRows {
		if cols == 1 {
			f.op("FMOVD.P F%d, 8(R%d)", 4*r, 1+r)
		} else {
			f.op("VST1.P %s, %d(R%d)", list(4*r, regs, "D2"), 16*regs, 1+r)
		}
	}
	f.op("ADD $%d, R5, R5", 8*cols)
	f.label(label + "Next")
	f.op("SUBS $%d, R9, R9", cols)
	f.op("BGE %s", label)
	f.op("ADD $%d, R9, R9", cols)
}
