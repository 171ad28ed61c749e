package main

import "fmt"

// Offsets of DotArgs.
const (
	dotPanel    = 0
	dotSegments = 8
	dotK        = 16
	dotAcc      = 24
	dotBlock    = 32
	dotShift    = 40
	dotQ        = 48
	dotPrefix   = 96
	dotD        = 144
	dotOuter    = 192
	dotDst      = 200
	dotCol      = 208
)

// Offsets of Segment.
const (
	segQuads = 0
	segBegin = 4
	segEnd   = 8
	segK     = 12
	segD     = 16
	segLane  = 20
	segLast  = 24
	segFirst = 28
	segSize  = 32
)

// panelRowsAll is loops.PanelRows.
const panelRowsAll = 64

// avx512Vectors is the greatest number of vectors of activations; the sums of more don't
// fit into registers.
const avx512Vectors = 6

func dotsAVX512() *file {
	f := newFile("amd64 && !purego")
	for _, n := range avx512Set().vectors() {
		for _, mode := range dotModes {
			dots(f, n, mode)
		}
	}
	return f
}

// dots emits the loop for n vectors and a band of two registers of 16 rows.
//
// Registers: sums of segments in Z0 … Z11, sums of a block in Z12 … Z23, the panel and
// scales in Z24 and Z25, activations and temporaries in Z28 … Z31, the shift of prefixes
// in Z27. A single vector has too few sums to keep the multiplier busy, so each sum is
// split into two, the second from Z2 on.
func dots(f *file, n int, mode string) {
	const panels = 2 // of 16 rows, side by side
	sum := func(t, p int) string { return z(panels*t + p) }
	block := func(t, p int) string { return z(panels*(avx512Vectors+t) + p) }
	w := func(p int) string { return z(24 + p) }
	each := func(do func(t, p int)) {
		for t := range n {
			for p := range panels {
				do(t, p)
			}
		}
	}
	inBlock := func(t, p int) string { return fmt.Sprintf("%d(DI)", 4*panelRowsAll*t+64*p) }
	f.text(fmt.Sprintf("dots%s%dAVX512", mode, n), "DotArgs")
	for t := range n {
		f.op("MOVQ %d(AX), %s", dotQ+8*t, qRegisters[t])
	}
	f.op("MOVQ %d(AX), BX", dotPanel)
	f.op("MOVQ %d(AX), DX", dotSegments)
	f.op("MOVQ %d(AX), R15", dotAcc)
	f.op("VMOVQ %d(AX), X27", dotShift)
	f.op("MOVQ %d(AX), SI", dotCol)
	if mode != "One" {
		f.op("MOVQ %d(AX), DI", dotBlock)
		each(func(t, p int) { f.op("VMOVDQU32 %s, %s", inBlock(t, p), block(t, p)) })
	}
	f.op("JMP next")

	f.label("segment")
	f.comment("sums begin with the offset of the weights times the sum of the activations")
	f.op("MOVLQSX %d(DX), DI", segBegin)
	f.op("MOVLQSX %d(DX), R14", segEnd)
	for t := range n {
		f.op("MOVQ %d(AX), CX", dotPrefix+8*t)
		f.op("VPBROADCASTD (CX)(R14*1), %s", z(28+t%4))
		f.op("VPSUBD.BCST (CX)(DI*1), %s, %s", z(28+t%4), sum(t, 0))
	}
	f.op("CMPQ %d(AX), $0", dotShift)
	f.op("JEQ shifted")
	for t := range n {
		f.op("VPSLLD X27, %[1]s, %[1]s", sum(t, 0))
	}
	f.label("shifted")
	for t := range n {
		f.op("VMOVDQA64 %s, %s", sum(t, 0), sum(t, 1))
	}
	if n == 1 {
		f.op("VPXORD Z2, Z2, Z2")
		f.op("VPXORD Z3, Z3, Z3")
	}
	f.op("MOVLQSX %d(DX), CX", segQuads)

	f.label("quads")
	for u := range 4 {
		for p := range panels {
			f.op("VMOVDQU64 %d(BX), %s", 64*(panels*u+p), w(p))
		}
		for t := range n {
			q := z(28 + t%4)
			f.op("VPBROADCASTD %d(%s)(SI*1), %s", 4*u, qRegisters[t], q)
			for p := range panels {
				to := sum(t, p)
				if n == 1 {
					to = sum(u%2, p)
				}
				f.op("VPDPBUSD %s, %s, %s", q, w(p), to)
			}
		}
	}
	f.op("ADDQ $%d, BX", 4*64*panels)
	f.op("ADDQ $16, SI")
	f.op("SUBQ $4, CX")
	f.op("JNZ quads")
	if n == 1 {
		f.op("VPADDD Z2, Z0, Z0")
		f.op("VPADDD Z3, Z1, Z1")
	}

	f.op("MOVQ %d(AX), CX", dotK)
	f.op("MOVLQSX %d(DX), DI", segK)
	for p := range panels {
		f.op("VMOVDQU32 %d(CX)(DI*1), %s", 64*p, w(p))
	}
	result := sum // of a block
	switch mode {
	case "One":
		each(func(t, p int) {
			f.op("VCVTDQ2PS %s, %s", sum(t, p), sum(t, p))
			f.op("VMULPS %s, %s, %s", w(p), sum(t, p), sum(t, p))
		})
	case "Int":
		each(func(t, p int) {
			f.op("VPMULLD %s, %s, %s", w(p), sum(t, p), sum(t, p))
			f.op("VPADDD %s, %[2]s, %[2]s", sum(t, p), block(t, p))
		})
	case "Float":
		result = block
		each(func(t, p int) {
			f.op("VCVTDQ2PS %s, %s", sum(t, p), sum(t, p))
			f.op("VMULPS %s, %s, %s", w(p), sum(t, p), sum(t, p))
			f.op("VADDPS %s, %[2]s, %[2]s", sum(t, p), block(t, p))
		})
	}
	if mode != "One" {
		f.op("CMPL %d(DX), $0", segLast)
		f.op("JEQ done")
		if mode == "Int" {
			each(func(t, p int) { f.op("VCVTDQ2PS %s, %s", block(t, p), sum(t, p)) })
		}
	}
	f.op("MOVLQSX %d(DX), DI", segD)
	f.op("MOVLQSX %d(DX), R14", segLane)
	f.op("ADDQ R15, R14")
	for t := range n {
		f.op("MOVQ %d(AX), CX", dotD+8*t)
		f.op("VBROADCASTSS (CX)(DI*1), %s", z(28+t%4))
		for p := range panels {
			f.op("VMULPS %s, %s, %s", z(28+t%4), result(t, p), sum(t, p))
		}
	}
	at := func(t, p int) string { return fmt.Sprintf("%d(R14)", 64*panels*4*t+64*p) }
	f.op("CMPL %d(DX), $0", segFirst)
	f.op("JNE first")
	each(func(t, p int) {
		f.op("VADDPS %s, %s, %s", at(t, p), sum(t, p), sum(t, p))
		f.op("VMOVUPS %s, %s", sum(t, p), at(t, p))
	})
	f.label("zero")
	if mode != "One" {
		each(func(t, p int) { f.op("VPXORD %[1]s, %[1]s, %[1]s", block(t, p)) })
	}
	f.label("done")
	f.op("ADDQ $%d, DX", segSize)
	f.label("next")
	f.op("CMPL %d(DX), $0", segQuads)
	f.op("JNE segment")

	if mode != "One" {
		f.op("MOVQ %d(AX), DI", dotBlock)
		each(func(t, p int) { f.op("VMOVDQU32 %s, %s", block(t, p), inBlock(t, p)) })
	}
	f.op("MOVQ %d(AX), CX", dotOuter)
	f.op("TESTQ CX, CX")
	f.op("JEQ end")
	f.op("MOVQ %d(AX), DI", dotDst)
	for t := range n {
		for p := range panels {
			lane := func(l int) string { return fmt.Sprintf("%d(R15)", 64*panels*(4*t+l)+64*p) }
			f.op("VMOVUPS %s, Z0", lane(0))
			f.op("VMOVUPS %s, Z1", lane(1))
			f.op("VADDPS %s, Z0, Z0", lane(2))
			f.op("VADDPS %s, Z1, Z1", lane(3))
			f.op("VADDPS Z1, Z0, Z0")
			f.op("VMULPS %d(CX), Z0, Z0", 64*p)
			f.op("VMOVUPS Z0, %d(DI)", 4*panelRowsAll*t+64*p)
		}
	}
	f.label("end")
	f.op("VZEROUPPER")
	f.op("RET")

	f.label("first")
	f.comment("0 + −0 is 0")
	f.op("VPXORD Z31, Z31, Z31")
	each(func(t, p int) {
		f.op("VADDPS Z31, %s, %s", sum(t, p), sum(t, p))
		f.op("VMOVUPS %s, %s", sum(t, p), at(t, p))
	})
	f.op("JMP zero")
}
