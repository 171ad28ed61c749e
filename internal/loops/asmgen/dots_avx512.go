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
	segSize  = 32
)

const panels = 4 // of 16 rows, side by side

func dotsAVX512() *file {
	f := newFile("amd64 && !purego")
	for _, n := range []int{1, 2, 3, 4, 6} {
		for _, mode := range []string{"One", "Int", "Float"} {
			dots(f, n, mode)
		}
	}
	finish(f)
	return f
}

// dots emits the loop for n activations.
func dots(f *file, n int, mode string) {
	q := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	sum := func(t, p int) string { return z(panels*t + p) }
	each := func(do func(t, p int)) {
		for t := range n {
			for p := range panels {
				do(t, p)
			}
		}
	}
	f.text(fmt.Sprintf("dots%s%dAVX512", mode, n), "DotArgs")
	for t := range n {
		f.op("MOVQ %d(AX), %s", dotQ+8*t, q[t])
	}
	f.op("MOVQ %d(AX), BX", dotPanel)
	f.op("MOVQ %d(AX), DX", dotSegments)
	f.op("MOVQ %d(AX), R15", dotAcc)
	f.op("XORQ SI, SI") // column
	f.op("JMP next")

	f.label("segment")
	f.comment("sums begin with the offset of the weights times the sum of the activations")
	f.op("MOVLQSX %d(DX), DI", segBegin)
	f.op("MOVLQSX %d(DX), R14", segEnd)
	f.op("VMOVQ %d(AX), X30", dotShift)
	for t := range n {
		f.op("MOVQ %d(AX), CX", dotPrefix+8*t)
		f.op("VPBROADCASTD (CX)(R14*1), Z31")
		f.op("VPSUBD.BCST (CX)(DI*1), Z31, Z31")
		f.op("VPSLLD X30, Z31, %s", sum(t, 0))
		for p := 1; p < panels; p++ {
			f.op("VMOVDQA64 %s, %s", sum(t, 0), sum(t, p))
		}
	}
	f.op("MOVLQSX %d(DX), CX", segQuads)

	f.label("quads")
	for u := range 4 {
		for p := range panels {
			f.op("VMOVDQU64 %d(BX), %s", 64*(panels*u+p), z(24+p))
		}
		for t := range n {
			f.op("VPBROADCASTD %d(%s)(SI*1), %s", 4*u, q[t], z(28+t%2))
			for p := range panels {
				f.op("VPDPBUSD %s, %s, %s", z(28+t%2), z(24+p), sum(t, p))
			}
		}
	}
	f.op("ADDQ $%d, BX", 4*64*panels)
	f.op("ADDQ $16, SI")
	f.op("SUBQ $4, CX")
	f.op("JNZ quads")

	f.op("MOVQ %d(AX), CX", dotK)
	f.op("MOVLQSX %d(DX), DI", segK)
	for p := range panels {
		f.op("VMOVDQU32 %d(CX)(DI*1), %s", 64*p, z(24+p))
	}
	block := func(t, p int) string { return fmt.Sprintf("%d(DI)", 64*(panels*t+p)) }
	switch mode {
	case "One":
		each(func(t, p int) {
			f.op("VCVTDQ2PS %s, %s", sum(t, p), sum(t, p))
			f.op("VMULPS %s, %s, %s", z(24+p), sum(t, p), sum(t, p))
		})
	case "Int":
		f.op("MOVQ %d(AX), DI", dotBlock)
		each(func(t, p int) {
			f.op("VPMULLD %s, %s, %s", z(24+p), sum(t, p), sum(t, p))
			f.op("VPADDD %s, %s, %s", block(t, p), sum(t, p), sum(t, p))
		})
	case "Float":
		f.op("MOVQ %d(AX), DI", dotBlock)
		each(func(t, p int) {
			f.op("VCVTDQ2PS %s, %s", sum(t, p), sum(t, p))
			f.op("VMULPS %s, %s, %s", z(24+p), sum(t, p), sum(t, p))
			f.op("VADDPS %s, %s, %s", block(t, p), sum(t, p), sum(t, p))
		})
	}
	if mode != "One" {
		f.op("CMPL %d(DX), $0", segLast)
		f.op("JNE last")
		each(func(t, p int) { f.op("VMOVDQU32 %s, %s", sum(t, p), block(t, p)) })
		f.op("ADDQ $%d, DX", segSize)
		f.op("JMP next")
		f.label("last")
		f.op("VPXORD Z28, Z28, Z28")
		each(func(t, p int) {
			f.op("VMOVDQU32 Z28, %s", block(t, p))
			if mode == "Int" {
				f.op("VCVTDQ2PS %s, %s", sum(t, p), sum(t, p))
			}
		})
	}
	f.op("MOVLQSX %d(DX), DI", segD)
	f.op("MOVLQSX %d(DX), R14", segLane)
	f.op("ADDQ R15, R14")
	for t := range n {
		f.op("MOVQ %d(AX), CX", dotD+8*t)
		f.op("VBROADCASTSS (CX)(DI*1), %s", z(28+t%2))
		for p := range panels {
			at := fmt.Sprintf("%d(R14)", 64*(4*panels*t+p))
			f.op("VMULPS %s, %s, %s", z(28+t%2), sum(t, p), sum(t, p))
			f.op("VADDPS %s, %s, %s", at, sum(t, p), sum(t, p))
			f.op("VMOVUPS %s, %s", sum(t, p), at)
		}
	}
	f.op("ADDQ $%d, DX", segSize)
	f.label("next")
	f.op("CMPL %d(DX), $0", segQuads)
	f.op("JNE segment")
	f.op("VZEROUPPER")
	f.op("RET")
}

// finish emits the end of the sums of 64 rows.
func finish(f *file) {
	f.text("finishAVX512", "FinishArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), DX")
	for p := range panels {
		lane := func(l int) string { return fmt.Sprintf("%d(SI)", 64*(panels*l+p)) }
		f.op("VMOVUPS %s, Z0", lane(0))
		f.op("VMOVUPS %s, Z1", lane(1))
		f.op("VADDPS %s, Z0, Z0", lane(2))
		f.op("VADDPS %s, Z1, Z1", lane(3))
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VMULPS %d(DX), Z0, Z0", 64*p)
		f.op("VMOVUPS Z0, %d(DI)", 64*p)
	}
	f.op("VZEROUPPER")
	f.op("RET")
}
