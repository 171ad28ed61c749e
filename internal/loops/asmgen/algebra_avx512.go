package main

import "fmt"

// Offsets of algebra.GramArgs, algebra.TakeArgs and algebra.ReduceArgs.
const (
	gramSums    = 0
	gramX       = 64
	gramY       = 72
	gramStride  = 80
	gramVectors = 88
	gramCols    = 96

	takeT = 0
	takeN = 8
	takeM = 16
	takeR = 24

	reduceC     = 0
	reduceR     = 64
	reduceRStep = 128
	reduceM     = 136
	reduceMStep = 144
	reduceMLess = 152
	reduceN     = 160
	reduceRows  = 168
	reduceCols  = 176
)

func algebraAVX512() *file {
	f := newFile("amd64 && !purego")
	gram(f)
	take(f)
	reduce(f)
	return f
}

// gram emits the loop that adds products of vectors to a tile of 8 × 24.
func gram(f *file) {
	const rows, parts = 8, 3
	sum := func(r, p int) string { return z(parts*r + p) }
	at := []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "DX"}
	f.text("gramAVX512", "GramArgs")
	f.tileMasks(gramCols)
	for r := range rows {
		f.op("MOVQ %d(AX), %s", gramSums+8*r, at[r])
		for p := range parts {
			f.op("VMOVUPD.Z %d(%s), K%d, %s", 64*p, at[r], 1+p, sum(r, p))
		}
	}
	f.op("MOVQ %d(AX), SI", gramX)
	f.op("MOVQ %d(AX), DI", gramY)
	f.op("MOVQ %d(AX), BX", gramStride)
	f.op("SHLQ $3, BX")
	f.op("MOVQ %d(AX), CX", gramVectors)
	f.label("vector")
	for p := range parts {
		f.op("VMOVUPD %d(DI), %s", 64*p, z(24+p))
	}
	for r := range rows {
		x := z(27 + r%4)
		f.op("VBROADCASTSD %d(SI), %s", 8*r, x)
		for p := range parts {
			f.op("VFMADD231PD %s, %s, %s", z(24+p), x, sum(r, p))
		}
	}
	f.op("ADDQ BX, SI")
	f.op("ADDQ BX, DI")
	f.op("DECQ CX")
	f.op("JNZ vector")
	for r := range rows {
		for p := range parts {
			f.op("VMOVUPD %s, K%d, %d(%s)", sum(r, p), 1+p, 64*p, at[r])
		}
	}
	f.op("VZEROUPPER")
	f.op("RET")
}

// tileMasks sets K1 … K3 to masks of a tile's columns. The number of columns is at an
// offset in the arguments.
func (f *file) tileMasks(cols int) {
	f.op("MOVQ %d(AX), CX", cols)
	f.op("MOVL $1, R15")
	f.op("SHLL CX, R15")
	f.op("DECL R15")
	for p := range 3 {
		f.op("KMOVW R15, K%d", 1+p)
		f.op("SHRL $8, R15")
	}
}

// take emits the loop that subtracts a multiple of one vector from another.
func take(f *file) {
	f.text("takeAVX512", "TakeArgs")
	f.op("MOVQ %d(AX), DI", takeT)
	f.op("MOVQ %d(AX), CX", takeN)
	f.op("MOVQ %d(AX), R8", takeM)
	f.op("VBROADCASTSD %d(AX), Z8", takeR)
	f.op("XORQ SI, SI")
	f.each("numbers", 8, func() {
		f.op("VMOVUPD.Z (DI)(SI*1), K1, Z0")
		f.op("VMOVUPD.Z (R8)(SI*1), K1, Z1")
		f.op("VFNMADD231PD Z1, Z8, Z0")
		f.op("VMOVUPD Z0, K1, (DI)(SI*1)")
		f.op("ADDQ $64, SI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// reduce emits the loop that subtracts products from a tile of at most 8 × 24.
func reduce(f *file) {
	f.text("reduceAVX512", "ReduceArgs")
	f.tileMasks(reduceCols)
	f.op("MOVQ %d(AX), DX", reduceRStep)
	f.op("SHLQ $3, DX")
	f.op("MOVQ %d(AX), SI", reduceM)
	f.op("MOVQ %d(AX), BX", reduceMStep)
	f.op("SHLQ $3, BX")
	f.op("MOVQ %d(AX), CX", reduceN)
	f.op("CMPQ %d(AX), $4", reduceRows)
	f.op("JLE some")
	f.reduceParts(8)
	f.label("some")
	f.reduceParts(4)
}

// reduceParts emits reduce for the given number of rows, and 8, 16 and 24 columns.
func (f *file) reduceParts(rows int) {
	f.op("CMPQ %d(AX), $8", reduceCols)
	f.op("JLE cols%dx1", rows)
	f.op("CMPQ %d(AX), $16", reduceCols)
	f.op("JLE cols%dx2", rows)
	for parts := 3; parts > 0; parts-- {
		f.label(fmt.Sprintf("cols%dx%d", rows, parts))
		f.reduceTile(rows, parts)
	}
}

// reduceTile emits reduce for the given numbers of rows and vectors of columns.
func (f *file) reduceTile(rows, parts int) {
	sum := func(r, p int) string { return z(parts*r + p) }
	at := []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "AX"}
	each := func(do func(r, p int)) {
		for r := range rows {
			f.op("MOVQ %d(AX), DI", reduceC+8*r)
			for p := range parts {
				do(r, p)
			}
		}
	}
	each(func(r, p int) {
		f.op("VMOVUPD.Z %d(DI), K%d, %s", 64*p, 1+p, sum(r, p))
		f.op("PREFETCHT0 %d(DI)", 64*(parts+p)) // of the next tile
	})
	f.op("MOVQ %d(AX), R15", reduceMLess)
	f.op("SHLQ $3, R15")
	for r := range rows {
		f.op("MOVQ %d(AX), %s", reduceR+8*r, at[r])
	}
	f.label(fmt.Sprintf("row%dx%d", rows, parts))
	for p := range parts {
		f.op("VMOVUPD.Z %d(SI), K%d, %s", 64*p, 1+p, z(24+p))
		f.op("PREFETCHT1 %d(SI)", 64*(parts+p)) // of the next tile
	}
	for r := range rows {
		x := z(27 + r%4)
		f.op("VBROADCASTSD (%s), %s", at[r], x)
		for p := range parts {
			f.op("VFNMADD231PD %s, %s, %s", z(24+p), x, sum(r, p))
		}
		f.op("ADDQ DX, %s", at[r])
	}
	f.op("ADDQ BX, SI")
	f.op("SUBQ R15, BX")
	f.op("DECQ CX")
	f.op("JNZ row%dx%d", rows, parts)
	f.op("MOVQ a+0(FP), AX")
	each(func(r, p int) {
		if p < parts-1 {
			f.op("VMOVUPD %s, %d(DI)", sum(r, p), 64*p)
		} else {
			f.op("VMOVUPD %s, K%d, %d(DI)", sum(r, p), 1+p, 64*p)
		}
	})
	f.op("VZEROUPPER")
	f.op("RET")
}
