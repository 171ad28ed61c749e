package main

import "fmt"

// dotsNEON has the loops for processors without the dot product. Products are summed up
// in 16 bits. Activations are within ±127, so four products with weights within ±32 sum
// up to at most ±16256, and two with weights within ±128 to at most ±32512.
func dotsNEON() *file {
	f := newFile("arm64 && !purego")
	for halved, name := range []string{"", "x128"} {
		for _, n := range neonSet().vectors() {
			for _, mode := range dotModes {
				emitNEON(f, fmt.Sprintf("dots%s%d%sNEON", mode, n, name), mode, n, 8, func() { mlal(f, n, 4>>halved) }, func() {
					for i := range 4 * n {
						f.op("VADDP V%d.S4, V%d.S4, V%d.S4", 2*i+1, 2*i, i)
					}
				})
			}
		}
	}
	return f
}

// dotsNEONDot has the loops for processors with the dot product.
func dotsNEONDot() *file {
	f := newFile("arm64 && !purego")
	for _, n := range neonDotSet().vectors() {
		for _, mode := range dotModes {
			emitNEON(f, fmt.Sprintf("dots%s%dNEONDot", mode, n), mode, n, 4, func() { sdot(f, n) }, func() {})
		}
	}
	return f
}

// dotsNEONMatrix has the loops for processors that multiply matrices of bytes.
func dotsNEONMatrix() *file {
	f := newFile("arm64 && !purego")
	for _, n := range []int{2, 4, 6} {
		for _, mode := range dotModes {
			emitNEON(f, fmt.Sprintf("dots%s%dNEONMatrix", mode, n), mode, n, 4, func() { smmla(f, n) }, func() {
				f.comment("split the sums of two activations")
				for k := range n / 2 {
					for p := range 4 {
						a, b := 8*k+p, 8*k+4+p
						f.op("VUZP1 V%d.S4, V%d.S4, V31.S4", b, a)
						f.op("VUZP2 V%d.S4, V%d.S4, V%d.S4", b, a, b)
						f.op("VORR V31.B16, V31.B16, V%d.B16", a)
					}
				}
			})
		}
	}
	return f
}

// qNEON returns the register that points to the activations of a vector.
func qNEON(t int) string { return fmt.Sprintf("R%d", 1+t) }

// sdot emits four quads. Sums are in V0 …, four registers to a vector, activations in
// V24 …, and the panel in V30 and V31.
func sdot(f *file, n int) {
	for t := range n {
		f.op("VLD1.P 16(%s), [V%d.B16]", qNEON(t), 24+t)
	}
	for u := range 4 {
		for p := 0; p < 4; p += 2 {
			f.op("FLDPQ %d(R7), (F30, F31)", 64*u+16*p)
			for t := range n {
				f.word("sdot", 4*t+p, 30, 24+t, u)
				f.word("sdot", 4*t+p+1, 31, 24+t, u)
			}
		}
	}
	f.op("ADD $256, R7, R7")
}

// smmla emits four quads, two at a time. Each sum register has two rows and two vectors;
// the first two rows of each register of the panel come first.
func smmla(f *file, n int) {
	for u := range 2 {
		for t := range n {
			f.op("VLD1.P 8(%s), V%d.D[%d]", qNEON(t), 24+t/2, t%2)
		}
		for p := range 4 {
			f.op("FMOVQ %d(R7), F30", 64*(2*u)+16*p)
			f.op("FMOVQ %d(R7), F31", 64*(2*u+1)+16*p)
			f.op("VZIP1 V31.S4, V30.S4, V28.S4")
			f.op("VZIP2 V31.S4, V30.S4, V29.S4")
			for k := range n / 2 {
				f.word("smmla", 8*k+p, 28, 24+k)
				f.word("smmla", 8*k+4+p, 29, 24+k)
			}
		}
	}
	f.op("ADD $256, R7, R7")
}

// mlal emits four quads; it sums up the given number of them in 16 bits before it widens
// the sums. Sums are in V0 …, two registers for each register of the panel. Their 16-bit
// sums are in V28 and V29, or V30 and V31. V16 … V19 or V20 … V23 repeat a quad of
// activations.
func mlal(f *file, n, quads int) {
	for t := range n {
		f.op("VLD1.P 16(%s), [V25.B16]", qNEON(t))
		for u := range 4 {
			f.op("VDUP V25.S[%d], V%d.S4", u, 16+4*t+u)
		}
	}
	for p := range 4 {
		for u := range 4 {
			f.op("FMOVQ %d(R7), F%d", 64*u+16*p, 26+u%2)
			for t := range n {
				low, high := "smlal", "smlal2"
				if u%quads == 0 {
					low, high = "smull", "smull2"
				}
				f.word(low, 28+2*t, 26+u%2, 16+4*t+u)
				f.word(high, 29+2*t, 26+u%2, 16+4*t+u)
				if u%quads == quads-1 {
					f.word("sadalp", 8*t+2*p, 28+2*t)
					f.word("sadalp", 8*t+2*p+1, 29+2*t)
				}
			}
		}
	}
	f.op("ADD $256, R7, R7")
}

// emitNEON emits a function for n vectors, with the given number of sum registers for
// each. inner emits four quads; end leaves the sums of each vector in four registers.
func emitNEON(f *file, name, mode string, n, registers int, inner, end func()) {
	f.textARM64(name, "DotArgs")
	f.op("MOVD %d(R0), R9", dotCol)
	for t := range n {
		f.op("MOVD %d(R0), %s", dotQ+8*t, qNEON(t))
		f.op("ADD R9, %[1]s, %[1]s", qNEON(t))
	}
	f.op("MOVD %d(R0), R7", dotPanel)
	f.op("MOVD %d(R0), R8", dotSegments)
	f.op("MOVD %d(R0), R15", dotK)
	f.op("MOVD %d(R0), R16", dotAcc)
	f.op("MOVD %d(R0), R17", dotBlock)
	f.op("JMP next")

	f.label("segment")
	for i := range registers * n {
		f.op("VEOR V%d.B16, V%d.B16, V%d.B16", i, i, i)
	}
	f.label("quads")
	inner()
	f.op("SUBS $4, R9, R9")
	f.op("BNE quads")
	end()

	// V24 … V27 are the scales, V28 … V31 the sums of Block.
	f.op("MOVW %d(R8), R10", segK)
	f.op("ADD R15, R10, R10")
	f.op("VLD1 (R10), %s", list(24, 4, "S4"))
	each := func(do func(t, p, sum int)) {
		for t := range n {
			for p := range 4 {
				do(t, p, 4*t+p)
			}
		}
	}
	if mode != "One" {
		f.op("MOVD R17, R11")
	}
	each(func(t, p, sum int) {
		if p == 0 && mode != "One" {
			f.op("VLD1.P 64(R11), %s", list(28, 4, "S4"))
			f.op("ADD $192, R11, R11")
		}
		if mode == "Int" {
			f.word("mul", sum, sum, 24+p)
			f.op("VADD V%d.S4, V%d.S4, V%d.S4", 28+p, sum, sum)
			return
		}
		f.word("scvtf", sum, sum)
		f.word("fmul", sum, sum, 24+p)
		if mode == "Float" {
			f.word("fadd", sum, sum, 28+p)
		}
	})
	if mode != "One" {
		f.op("MOVW %d(R8), R10", segLast)
		f.op("MOVD R17, R11")
		f.op("CBNZ R10, last")
		for t := range n {
			f.op("VST1.P %s, 64(R11)", list(4*t, 4, "S4"))
			f.op("ADD $192, R11, R11")
		}
		f.op("ADD $%d, R8, R8", segSize)
		f.op("JMP next")
		f.label("last")
		for i := range 4 {
			f.op("VEOR V%d.B16, V%d.B16, V%d.B16", 28+i, 28+i, 28+i)
		}
		for range n {
			f.op("VST1.P %s, 64(R11)", list(28, 4, "S4"))
			f.op("ADD $192, R11, R11")
		}
		if mode == "Int" {
			each(func(t, p, sum int) { f.word("scvtf", sum, sum) })
		}
	}
	f.op("MOVW %d(R8), R12", segD)
	f.op("MOVW %d(R8), R13", segLane)
	f.op("ADD R16, R13, R13")
	f.op("MOVW %d(R8), R10", segFirst)
	f.op("CBZ R10, add")
	for i := range 4 {
		f.op("VEOR V%d.B16, V%d.B16, V%d.B16", 24+i, 24+i, 24+i)
	}
	f.op("MOVD R13, R11")
	for range n {
		f.op("VST1 %s, (R11)", list(24, 4, "S4"))
		f.op("ADD $256, R11, R11")
	}
	f.label("add")
	for t := range n {
		f.op("MOVD %d(R0), R14", dotD+8*t)
		f.op("FMOVS (R14)(R12), F28")
		f.op("VLD1 (R13), %s", list(24, 4, "S4"))
		for p := range 4 {
			f.word("fmul0", 4*t+p, 4*t+p, 28)
			f.word("fadd", 4*t+p, 24+p, 4*t+p)
		}
		f.op("VST1 %s, (R13)", list(4*t, 4, "S4"))
		if t+1 < n {
			f.op("ADD $256, R13, R13")
		}
	}
	f.op("ADD $%d, R8, R8", segSize)
	f.label("next")
	f.op("MOVW %d(R8), R9", segQuads)
	f.op("CBNZ R9, segment")

	f.op("MOVD %d(R0), R10", dotOuter)
	f.op("CBZ R10, end")
	f.op("VLD1 (R10), %s", list(24, 4, "S4"))
	f.op("MOVD %d(R0), R11", dotDst)
	for range n {
		f.op("MOVD R16, R13")
		for l := range 4 {
			f.op("VLD1 (R13), %s", list(4*l, 4, "S4"))
			f.op("ADD $64, R13, R13")
		}
		f.op("ADD $256, R16, R16")
		for p := range 4 {
			f.word("fadd", p, p, 8+p)
			f.word("fadd", 4+p, 4+p, 12+p)
			f.word("fadd", p, p, 4+p)
			f.word("fmul", p, p, 24+p)
		}
		f.op("VST1 %s, (R11)", list(0, 4, "S4"))
		f.op("ADD $256, R11, R11")
	}
	f.label("end")
	f.op("RET")
}

func neonSet() set {
	return set{
		name: "neon", constraint: "arm64 && !purego", suffix: "NEON",
		lanes: 4, band: 16, floatRows: 16, floats: 3, take: [9]int{1, 2, 2, 2, 2, 2, 2, 2, 2},
		table: func(bits, tables int) string {
			return fmt.Sprintf("panelTable%dx%dNEON", bits, avx2Tables(bits, tables))
		},
		dots: func(r int, mode string, n int) string {
			return fmt.Sprintf("dots%s%d%sNEON", mode, n, []string{"", "", "x128"}[r])
		},
	}
}

func neonDotSet() set {
	s := neonSet()
	s.name, s.take = "neonDot", [9]int{1, 2, 3, 4, 3, 6, 4, 4, 6}
	s.dots = func(_ int, mode string, n int) string { return fmt.Sprintf("dots%s%dNEONDot", mode, n) }
	return s
}

func neonMatrixSet() set {
	s := neonDotSet()
	s.name = "neonMatrix"
	s.dots = func(_ int, mode string, n int) string {
		if n%2 == 1 {
			return fmt.Sprintf("dots%s%dNEONDot", mode, n)
		}
		return fmt.Sprintf("dots%s%dNEONMatrix", mode, n)
	}
	return s
}
