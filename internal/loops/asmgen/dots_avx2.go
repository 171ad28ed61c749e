package main

import "fmt"

// avx2Quads has, by the range of weights, the number of products of four columns that are
// summed up in 16 bits. With weights w and activations q, |q| ≤ 127, VPMADDUBSW gives (w₀
// + o)·q₀ + (w₁ + o)·q₁ for the offset o of the range. This is within
//
//	range 16   0 ≤ w+16 ≤ 32   ±8128: four are within ±32512
//	range 32   0 ≤ w+32 ≤ 64   ±16256: two are within ±32512
//	range 128  |w| ≤ 128       ±32512: one, as |w₀|·(±q₀) + |w₁|·(±q₁)
//
// so no sum saturates.
var avx2Quads = [3]int{4, 2, 1}

func dotsAVX2() *file {
	f := newFile("amd64 && !purego")
	for r, name := range []string{"16x", "32x", "128x"} {
		for _, n := range avx2Set().vectors() {
			for _, mode := range dotModes {
				d := dots256{f: f, n: n, panels: 2, offset: avx2Set().offset[r] > 0, scratch: 12}
				d.emit(fmt.Sprintf("dots%s%s%dAVX2", mode, name, n), mode, func() { d.madd(avx2Quads[r]) })
			}
		}
	}
	return f
}

func dotsAVXVNNI() *file {
	f := newFile("amd64 && !purego")
	for _, n := range avxVNNISet().vectors() {
		for _, mode := range dotModes {
			d := dots256{f: f, n: n, panels: 4, offset: true, scratch: 15}
			d.emit(fmt.Sprintf("dots%s%dAVXVNNI", mode, n), mode, d.vnni)
		}
	}
	return f
}

// dots256 is a loop for n activations and a band of panels registers of 8 rows. Sums are
// in the first registers, ordered by activation.
type dots256 struct {
	f       *file
	n       int
	panels  int
	offset  bool
	scratch int // a register that is free between segments
}

func (d *dots256) sum(t, p int) int { return d.panels*t + p }

var qRegisters = []string{"R8", "R9", "R10", "R11", "R12", "R13"}

func (d *dots256) each(do func(t, p int, sum string)) {
	for t := range d.n {
		for p := range d.panels {
			do(t, p, y(d.sum(t, p)))
		}
	}
}

// madd emits four quads; it sums up the given number of them in 16 bits before it widens
// the sums.
func (d *dots256) madd(quads int) {
	f := d.f
	// Registers: sums in Y0 … Y3, sums in 16 bits in Y4 … Y7, the panel in Y8 and Y9,
	// activations in Y10, magnitudes of the panel in Y11 and Y12, temporary Y13 and
	// Y14, ones in Y15.
	short := func(t, p int) string { return y(4 + d.sum(t, p)) }
	for u := range 4 {
		for p := range d.panels {
			f.op("VMOVDQU %d(BX), %s", 32*(d.panels*u+p), y(8+p))
			if quads == 1 {
				f.op("VPABSB %s, %s", y(8+p), y(11+p))
			}
		}
		for t := range d.n {
			f.op("VPBROADCASTD %d(%s)(SI*1), Y10", 4*u, qRegisters[t])
			for p := range d.panels {
				temp := y(13 + p)
				switch {
				case quads == 1:
					f.op("VPSIGNB %s, Y10, %s", y(8+p), temp)
					f.op("VPMADDUBSW %s, %s, %s", temp, y(11+p), short(t, p))
				case u%quads == 0:
					f.op("VPMADDUBSW Y10, %s, %s", y(8+p), short(t, p))
				default:
					f.op("VPMADDUBSW Y10, %s, %s", y(8+p), temp)
					f.op("VPADDW %s, %s, %s", temp, short(t, p), short(t, p))
				}
				if u%quads == quads-1 {
					f.op("VPMADDWD Y15, %s, %s", short(t, p), short(t, p))
					f.op("VPADDD %s, %s, %s", short(t, p), y(d.sum(t, p)), y(d.sum(t, p)))
				}
			}
		}
	}
}

// vnni emits four quads for processors that have VPDPBUSD without AVX-512.
func (d *dots256) vnni() {
	f := d.f
	for u := range 4 {
		for t := range d.n {
			f.op("VPBROADCASTD %d(%s)(SI*1), %s", 4*u, qRegisters[t], y(12+t))
		}
		for p := range d.panels {
			f.op("VMOVDQU %d(BX), Y15", 32*(d.panels*u+p))
			for t := range d.n {
				vpdpbusd(f, 12+t, 15, d.sum(t, p))
			}
		}
	}
}

// vpdpbusd emits VPDPBUSD in its VEX form, which the assembler lacks. The instruction
// adds products of the signed bytes of register s and the unsigned bytes of register u.
func vpdpbusd(f *file, s, u, sum int) {
	// C4, then R, X and B inverted and the map 0F38, then W, the second operand
	// inverted, 256 bits and the prefix 66, then the opcode and the registers.
	b1 := 0x02 | 1<<6 | (sum>>3^1)<<7 | (s>>3^1)<<5
	b2 := (u^15)<<3 | 1<<2 | 1
	f.op("BYTE $0xc4; BYTE $0x%02x; BYTE $0x%02x; BYTE $0x50; BYTE $0x%02x // {vex} vpdpbusd %%ymm%d, %%ymm%d, %%ymm%d",
		b1, b2, 0xc0|(sum&7)<<3|s&7, s, u, sum)
}

// emit emits a function; inner emits four quads.
func (d *dots256) emit(name, mode string, inner func()) {
	f := d.f
	f.text(name, "DotArgs")
	for t := range d.n {
		f.op("MOVQ %d(AX), %s", dotQ+8*t, qRegisters[t])
	}
	f.op("MOVQ %d(AX), BX", dotPanel)
	f.op("MOVQ %d(AX), DX", dotSegments)
	f.op("MOVQ %d(AX), SI", dotCol)
	f.op("JMP next")

	f.label("segment")
	if d.offset {
		f.comment("sums begin with the offset of the weights times the sum of the activations")
		f.op("MOVLQSX %d(DX), DI", segBegin)
		f.op("MOVLQSX %d(DX), R14", segEnd)
		f.op("VMOVQ %d(AX), %s", dotShift, x(d.scratch))
		for t := range d.n {
			f.op("MOVQ %d(AX), CX", dotPrefix+8*t)
			f.op("MOVL (CX)(R14*1), R15")
			f.op("SUBL (CX)(DI*1), R15")
			f.op("VMOVD R15, %s", x(d.sum(t, 0)))
			f.op("VPSLLD %s, %s, %s", x(d.scratch), x(d.sum(t, 0)), x(d.sum(t, 0)))
			f.op("VPBROADCASTD %s, %s", x(d.sum(t, 0)), y(d.sum(t, 0)))
			for p := 1; p < d.panels; p++ {
				f.op("VMOVDQA %s, %s", y(d.sum(t, 0)), y(d.sum(t, p)))
			}
		}
	} else {
		d.each(func(t, p int, sum string) { f.op("VPXOR %s, %s, %s", sum, sum, sum) })
	}
	if d.panels == 2 {
		f.op("VPCMPEQW Y15, Y15, Y15")
		f.op("VPSRLW $15, Y15, Y15")
	}
	f.op("MOVLQSX %d(DX), CX", segQuads)

	f.label("quads")
	inner()
	f.op("ADDQ $%d, BX", 4*32*d.panels)
	f.op("ADDQ $16, SI")
	f.op("SUBQ $4, CX")
	f.op("JNZ quads")

	f.op("MOVLQSX %d(DX), CX", segK)
	f.op("ADDQ %d(AX), CX", dotK)
	k := func(p int) string { return fmt.Sprintf("%d(CX)", 32*p) }
	block := func(t, p int) string { return fmt.Sprintf("%d(DI)", 256*t+32*p) }
	if mode != "One" {
		f.op("MOVQ %d(AX), DI", dotBlock)
	}
	d.each(func(t, p int, sum string) {
		if mode == "Int" {
			f.op("VPMULLD %s, %s, %s", k(p), sum, sum)
			f.op("VPADDD %s, %s, %s", block(t, p), sum, sum)
			return
		}
		f.op("VCVTDQ2PS %s, %s", sum, sum)
		f.op("VMULPS %s, %s, %s", k(p), sum, sum)
		if mode == "Float" {
			f.op("VADDPS %s, %s, %s", block(t, p), sum, sum)
		}
	})
	zero := y(d.scratch)
	if mode != "One" {
		f.op("CMPL %d(DX), $0", segLast)
		f.op("JNE last")
		d.each(func(t, p int, sum string) { f.op("VMOVDQU %s, %s", sum, block(t, p)) })
		f.op("ADDQ $%d, DX", segSize)
		f.op("JMP next")
		f.label("last")
		f.op("VPXOR %s, %s, %s", zero, zero, zero)
		d.each(func(t, p int, sum string) {
			f.op("VMOVDQU %s, %s", zero, block(t, p))
			if mode == "Int" {
				f.op("VCVTDQ2PS %s, %s", sum, sum)
			}
		})
	}
	f.op("MOVLQSX %d(DX), DI", segD)
	f.op("MOVLQSX %d(DX), R14", segLane)
	f.op("ADDQ %d(AX), R14", dotAcc)
	f.op("CMPL %d(DX), $0", segFirst)
	f.op("JEQ add")
	f.op("VPXOR %[1]s, %[1]s, %[1]s", zero)
	d.each(func(t, p int, _ string) { f.op("VMOVUPS %s, %d(R14)", zero, 32*(4*d.panels*t+p)) })
	f.label("add")
	for t := range d.n {
		f.op("MOVQ %d(AX), CX", dotD+8*t)
		f.op("VBROADCASTSS (CX)(DI*1), %s", zero)
		for p := range d.panels {
			at := fmt.Sprintf("%d(R14)", 32*(4*d.panels*t+p))
			sum := y(d.sum(t, p))
			f.op("VMULPS %s, %s, %s", zero, sum, sum)
			f.op("VADDPS %s, %s, %s", at, sum, sum)
			f.op("VMOVUPS %s, %s", sum, at)
		}
	}
	f.op("ADDQ $%d, DX", segSize)
	f.label("next")
	f.op("CMPL %d(DX), $0", segQuads)
	f.op("JNE segment")

	f.op("MOVQ %d(AX), CX", dotOuter)
	f.op("TESTQ CX, CX")
	f.op("JEQ end")
	f.op("MOVQ %d(AX), R14", dotAcc)
	f.op("MOVQ %d(AX), DI", dotDst)
	for t := range d.n {
		for p := range d.panels {
			lane := func(l int) string { return fmt.Sprintf("%d(R14)", 32*(d.panels*(4*t+l)+p)) }
			f.op("VMOVUPS %s, Y0", lane(0))
			f.op("VMOVUPS %s, Y1", lane(1))
			f.op("VADDPS %s, Y0, Y0", lane(2))
			f.op("VADDPS %s, Y1, Y1", lane(3))
			f.op("VADDPS Y1, Y0, Y0")
			f.op("VMULPS %d(CX), Y0, Y0", 32*p)
			f.op("VMOVUPS Y0, %d(DI)", 4*panelRowsAll*t+32*p)
		}
	}
	f.label("end")
	f.op("VZEROUPPER")
	f.op("RET")
}

func avx2Set() set {
	return set{
		name: "avx2", constraint: "amd64 && !purego", suffix: "AVX2",
		lanes: 8, band: 16, offset: [3]int{16, 32, 0}, take: [9]int{1, 2, 2, 2, 2, 2, 2, 2, 2}, floatRows: 16, floats: 3, few: 2,
		table: func(bits, tables int) string {
			return fmt.Sprintf("panelTable%dx%dAVX2", bits, avx2Tables(bits, tables))
		},
		dots: func(r int, mode string, n int) string {
			return fmt.Sprintf("dots%s%dx%dAVX2", mode, []int{16, 32, 128}[r], n)
		},
	}
}

func avxVNNISet() set {
	s := avx2Set()
	s.name, s.band, s.offset, s.take = "avxVNNI", 32, [3]int{16, 32, 128}, [9]int{1, 2, 3, 2, 3, 3, 3, 3, 3}
	s.dots = func(_ int, mode string, n int) string { return fmt.Sprintf("dots%s%dAVXVNNI", mode, n) }
	return s
}
