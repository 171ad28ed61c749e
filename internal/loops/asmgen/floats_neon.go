package main

import (
	"fmt"
	"math"
)

// A neonFloats writes the loops of package floats for NEON, 16 elements at a time. A
// register number such as x stands for four registers from x on. A constant is loaded
// where it is used, once for all four.
type neonFloats struct {
	*file
	at    map[string]int // constants, from R8 on
	spare int            // register of the last constant
	label string         // of the loop
	tail  bool           // fewer than 16 elements are left, in R7
}

const (
	floatsFrame     = "elements-64(SP)"
	floatsFrameSize = 64
	// A mask with ones for the valid elements of a tail.
	floatsMask = 24
)

func floatsNEONFile() *file {
	s := &neonFloats{file: newFile("arm64 && !purego"), at: map[string]int{}}
	s.data("laneMask", append(repeat(1<<32-1, 16), repeat(0, 16)...)...)
	var words []uint32
	for i, c := range floatConstants {
		s.at[c.name] = 16 * i
		words = append(words, repeat(math.Float32bits(c.value), 4)...)
	}
	s.data("floatConstants", words...)
	for _, f := range []struct{ rows, vectors int }{{6, 1}, {3, 1}, {1, 4}, {1, 2}, {1, 1}} {
		s.multiply(f.rows, f.vectors)
	}
	s.addRows()
	s.layerNorm()
	s.rmsNorm()
	s.softmax()
	s.rotate()
	s.activations()
	return s.file
}

// begin begins a function.
func (s *neonFloats) begin(name, arg string) {
	s.frameARM64(name+"NEON", arg, floatsFrameSize)
	s.op("MOVD $floatConstants<>(SB), R8")
}

// c loads a constant and returns its register, one of the last four.
func (s *neonFloats) c(name string) int {
	at, ok := s.at[name]
	if !ok {
		panic("no constant " + name)
	}
	s.spare = 28 + (s.spare+1)%4
	s.op("FMOVQ %d(R8), F%d", at, s.spare)
	return s.spare
}

// four calls a function for each of four registers.
func four(do func(i int)) {
	for i := range 4 {
		do(i)
	}
}

// word4 emits an instruction for each of four registers, with operands a and b or a
// alone.
func (s *neonFloats) word4(name string, to int, from ...int) {
	four(func(i int) {
		operands := []int{to + i}
		for _, v := range from {
			operands = append(operands, v+i)
		}
		s.word(name, operands...)
	})
}

// by emits an instruction for each of four registers, with one operand that all share.
func (s *neonFloats) by(name string, to, a, b int) {
	four(func(i int) { s.word(name, to+i, a+i, b) })
}

// row writes a loop over R7 elements, 16 at a time.
func (s *neonFloats) row(label string, body func()) {
	s.label = label
	s.op("SUBS $16, R7, R7")
	s.op("BLT %sTail", label)
	s.file.label(label)
	body()
	s.op("SUBS $16, R7, R7")
	s.op("BGE %s", label)
	s.file.label(label + "Tail")
	s.op("ADDS $16, R7, R7")
	s.op("BEQ %sEnd", label)
	s.op("MOVD $laneMask<>+64(SB), R11")
	s.op("SUB R7<<2, R11, R11")
	s.op("VLD1 (R11), %s", list(floatsMask, 4, "S4"))
	s.tail = true
	body()
	s.tail = false
	s.file.label(label + "End")
}

// load loads the next elements into four registers, with 0 for those beyond the end, and
// moves the pointer on.
func (s *neonFloats) load(from string, v int) {
	if !s.tail {
		s.op("VLD1.P 64(%s), %s", from, list(v, 4, "S4"))
		return
	}
	four(func(i int) { s.clear(v + i) })
	s.op("MOVD $%s, R11", floatsFrame)
	s.op("VST1 %s, (R11)", list(v, 4, "S4"))
	s.copyTail(fmt.Sprintf("%sLoad%d", s.label, v), from, "R11", 4)
	s.op("MOVD $%s, R11", floatsFrame)
	s.op("VLD1 (R11), %s", list(v, 4, "S4"))
}

// store stores the next elements and moves the pointer on.
func (s *neonFloats) store(v int, to string) {
	if !s.tail {
		s.op("VST1.P %s, 64(%s)", list(v, 4, "S4"), to)
		return
	}
	s.op("MOVD $%s, R11", floatsFrame)
	s.op("VST1 %s, (R11)", list(v, 4, "S4"))
	s.copyTail(fmt.Sprintf("%sStore%d%s", s.label, v, to), "R11", to, 4)
}

// keep sets elements beyond the end to 0.
func (s *neonFloats) keep(v int) {
	if s.tail {
		four(func(i int) { s.and(v+i, v+i, floatsMask+i) })
	}
}

func (s *neonFloats) clear4(v int) { four(func(i int) { s.clear(v + i) }) }

// multiply emits the product of some rows and a multiple of 16 columns. V24 … are
// columns, V28 … the elements of a to multiply them by.
func (s *neonFloats) multiply(rows, vectors int) {
	a := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	sum := func(r, v int) int { return 4*vectors*r + v }
	s.textARM64(fmt.Sprintf("multiply%dx%dNEON", rows, vectors), "MultiplyArgs")
	s.op("MOVD %d(R0), %s", mulA, a[0])
	s.op("MOVD %d(R0), R2", mulStrideA)
	for r := 1; r < rows; r++ {
		s.op("ADD R2, %s, %s", a[r-1], a[r])
	}
	s.op("MOVD %d(R0), R3", mulB)
	s.op("MOVD %d(R0), R4", mulStrideB)
	s.op("MOVD %d(R0), R5", mulK)
	for i := range 4 * rows * vectors {
		s.clear(i)
	}
	s.file.label("column")
	if vectors > 1 {
		s.op("MOVD R3, R6")
	}
	for r := range rows {
		s.op("FMOVS.P 4(%s), F%d", a[r], 28+r%4)
		for v := range vectors {
			if r == 0 {
				if vectors > 1 {
					s.op("VLD1.P 64(R6), %s", list(24, 4, "S4"))
				} else {
					s.op("VLD1 (R3), %s", list(24, 4, "S4"))
				}
			}
			for i := range 4 {
				s.word("fmlae", sum(r, 4*v+i), 24+i, 28+r%4, 0)
			}
		}
	}
	s.op("ADD R4, R3, R3")
	s.op("SUBS $1, R5, R5")
	s.op("BNE column")
	s.op("MOVD %d(R0), R3", mulC)
	s.op("MOVD %d(R0), R4", mulStrideC)
	for r := range rows {
		for v := 0; v < 4*vectors; v += 2 {
			s.op("FSTPQ (F%d, F%d), %d(R3)", sum(r, v), sum(r, v+1), 16*v)
		}
		if r+1 < rows {
			s.op("ADD R4, R3, R3")
		}
	}
	s.op("RET")
}

// rowArgs loads the arguments of a row: R1 is X for loads, R9 is X for stores, and R2 is
// Y.
func (s *neonFloats) rowArgs() {
	s.op("MOVD %d(R0), R1", rowArgX)
	s.op("MOVD R1, R9")
	s.op("MOVD %d(R0), R2", rowArgY)
	s.op("MOVD %d(R0), R7", rowArgN)
}

func (s *neonFloats) addRows() {
	const x, y = 0, 4
	s.begin("add", "RowArgs")
	s.rowArgs()
	s.row("add", func() {
		s.load("R1", x)
		s.load("R2", y)
		s.word4("fadd", x, x, y)
		s.store(x, "R9")
	})
	s.op("RET")
}

// normRow begins a pass over the row of a norm, at R1.
func (s *neonFloats) normRow() {
	s.op("MOVD %d(R0), R1", normX)
	s.op("MOVD %d(R0), R7", normN)
}

// normScale computes the scale of a row from the sum of squares in V16 …, and puts it
// into all lanes of V20.
func (s *neonFloats) normScale() {
	s.foldSum(16)
	s.op("FMOVS %d(R0), F20", normCount)
	s.op("FDIVS F20, F16, F16")
	s.op("FMOVS %d(R0), F20", normEps)
	s.op("FADDS F20, F16, F16")
	s.op("FSQRTS F16, F16")
	s.op("FMOVS $1.0, F20")
	s.op("FDIVS F16, F20, F20")
	s.op("VDUP V20.S[0], V20.S4")
}

func (s *neonFloats) layerNorm() {
	const x, y, sum, scale, mean = 0, 4, 16, 20, 21
	s.begin("layer", "NormArgs")
	s.normRow()
	s.clear4(sum)
	s.row("sum", func() {
		s.load("R1", x)
		s.word4("fadd", sum, sum, x)
	})
	s.foldSum(sum)
	s.op("FMOVS %d(R0), F%d", normCount, mean)
	s.op("FDIVS F%d, F%d, F%d", mean, sum, mean)
	s.op("VDUP V%d.S[0], V%d.S4", mean, mean)
	s.normRow()
	s.clear4(sum)
	s.row("square", func() {
		s.load("R1", x)
		s.by("fsub", x, x, mean)
		s.keep(x)
		s.word4("fmul", x, x, x)
		s.word4("fadd", sum, sum, x)
	})
	s.normScale()
	s.normRow()
	s.op("MOVD %d(R0), R2", normDst)
	s.op("MOVD %d(R0), R3", normWeight)
	s.op("MOVD %d(R0), R4", normBias)
	s.row("scale", func() {
		s.load("R1", x)
		s.by("fsub", x, x, mean)
		s.by("fmul", x, x, scale)
		s.load("R3", y)
		s.word4("fmul", x, x, y)
		s.load("R4", y+4)
		s.word4("fadd", x, x, y+4)
		s.store(x, "R2")
	})
	s.op("RET")
}

func (s *neonFloats) rmsNorm() {
	const x, y, sum, scale = 0, 4, 16, 20
	s.begin("rms", "NormArgs")
	s.normRow()
	s.clear4(sum)
	s.row("square", func() {
		s.load("R1", x)
		s.word4("fmul", x, x, x)
		s.word4("fadd", sum, sum, x)
	})
	s.normScale()
	s.normRow()
	s.op("MOVD %d(R0), R2", normDst)
	s.op("MOVD %d(R0), R3", normWeight)
	s.row("scale", func() {
		s.load("R1", x)
		s.by("fmul", x, x, scale)
		s.load("R3", y)
		s.word4("fmul", x, x, y)
		s.store(x, "R2")
	})
	s.op("RET")
}

// exp emits floats.Exp of V0 … to V0 …, with V4 … and V8 ….
func (s *neonFloats) exp() {
	const x, k, p = 0, 4, 8
	s.by("fmaxnm", x, x, s.c("expLeast"))
	s.by("fminnm", x, x, s.c("expMost"))
	s.by("fmul", k, x, s.c("expLog2E"))
	rounder := s.c("expRounder")
	s.by("fadd", k, k, rounder)
	s.by("fsub", k, k, rounder)
	for _, part := range []string{"expLn2High", "expLn2Low"} {
		s.by("fmul", p, k, s.c(part))
		s.word4("fsub", x, x, p)
	}
	s.by("fmul", p, x, s.c("exp4"))
	s.by("fadd", p, p, s.c("exp3"))
	for i := 2; i >= 0; i-- {
		s.word4("fmul", p, p, x)
		s.by("fadd", p, p, s.c(fmt.Sprintf("exp%d", i)))
	}
	s.word4("fmul", p, p, x)
	s.word4("fmul", p, p, x)
	s.word4("fadd", p, p, x)
	s.by("fadd", p, p, s.c("floatOne"))
	s.word4("fcvtzs", k, k)
	bias := s.c("expBias")
	four(func(i int) { s.op("VADD V%d.S4, V%[2]d.S4, V%[2]d.S4", bias, k+i) })
	four(func(i int) { s.op("VSHL $23, V%[1]d.S4, V%[1]d.S4", k+i) })
	s.word4("fmul", x, k, p)
}

func (s *neonFloats) softmax() {
	const x, mask, sum, by = 0, 4, 16, 20
	s.begin("softmax", "RowArgs")
	s.rowArgs()
	s.op("FMOVS (R1), F%d", sum)
	four(func(i int) { s.op("VDUP V%d.S[0], V%d.S4", sum, sum+(i+1)%4) })
	s.row("max", func() {
		s.load("R1", x)
		s.word4("fcmgt", mask, x, sum)
		s.keep(mask)
		four(func(i int) { s.op("VBIT V%d.B16, V%d.B16, V%d.B16", mask+i, x+i, sum+i) })
	})
	s.word("fmaxnm", sum, sum, sum+1)
	s.word("fmaxnm", sum+2, sum+2, sum+3)
	s.word("fmaxnm", sum, sum, sum+2)
	s.word("fmaxv", by, sum)
	s.op("VDUP V%[1]d.S[0], V%[1]d.S4", by)
	s.rowArgs()
	s.clear4(sum)
	s.row("exp", func() {
		s.load("R1", x)
		s.by("fsub", x, x, by)
		s.exp()
		s.store(x, "R9")
		s.keep(x)
		s.word4("fadd", sum, sum, x)
	})
	s.foldSum(sum)
	s.op("FMOVS $1.0, F%d", by)
	s.op("FDIVS F%d, F%d, F%d", sum, by, by)
	s.op("VDUP V%[1]d.S[0], V%[1]d.S4", by)
	s.rowArgs()
	s.row("scale", func() {
		s.load("R1", x)
		s.by("fmul", x, x, by)
		s.store(x, "R9")
	})
	s.op("RET")
}

func (s *neonFloats) rotate() {
	const a, b, c, d, ac, bd = 0, 4, 8, 12, 16, 20
	s.begin("rotate", "RotateArgs")
	s.op("MOVD %d(R0), R5", rotateX)
	s.op("MOVD %d(R0), R6", rotateHeads)
	s.op("MOVD %d(R0), R13", rotateStride)
	s.file.label("head")
	s.op("MOVD R5, R1")
	s.op("MOVD %d(R0), R7", rotateHalf)
	s.op("ADD R7<<2, R1, R2")
	s.op("MOVD R1, R9")
	s.op("MOVD R2, R14")
	s.op("MOVD %d(R0), R3", rotateCos)
	s.op("MOVD %d(R0), R4", rotateSin)
	s.row("pairs", func() {
		s.load("R1", a)
		s.load("R2", b)
		s.load("R3", c)
		s.load("R4", d)
		s.word4("fmul", ac, a, c)
		s.word4("fmul", bd, b, d)
		s.word4("fsub", ac, ac, bd)
		s.word4("fmul", a, a, d)
		s.word4("fmul", b, b, c)
		s.word4("fadd", a, a, b)
		s.store(ac, "R9")
		s.store(a, "R14")
	})
	s.op("ADD R13, R5, R5")
	s.op("SUBS $1, R6, R6")
	s.op("BNE head")
	s.op("RET")
}

// activations emits two loops for each activation: of x + y, and of x multiplied by y
// afterwards. The argument is in V12 …, the result in V0 …. Tails do not use registers
// from V20 on.
func (s *neonFloats) activations() {
	const r, spare, x, t, p = 0, 4, 12, 16, 20
	emit := func(name string, body func()) {
		for _, gate := range []bool{false, true} {
			if gate {
				s.begin(name+"Gate", "RowArgs")
			} else {
				s.begin(name, "RowArgs")
			}
			s.rowArgs()
			s.row("row", func() {
				s.load("R1", x)
				if !gate {
					s.load("R2", r)
					s.word4("fadd", x, x, r)
				}
				body()
				if gate {
					s.load("R2", spare)
					s.word4("fmul", r, r, spare)
				}
				s.store(r, "R9")
			})
			s.op("RET")
		}
	}
	emit("gelu", func() {
		s.word4("fabs", t, x)
		s.by("fmul", t, t, s.c("geluDecay"))
		one := s.c("floatOne")
		s.by("fadd", t, t, one)
		four(func(i int) { s.word("fdiv", t+i, one, t+i) })
		s.by("fmul", p, t, s.c("normal7"))
		for i := 6; i >= 0; i-- {
			s.by("fadd", p, p, s.c(fmt.Sprintf("normal%d", i)))
			s.word4("fmul", p, p, t)
		}
		s.word4("fmul", r, x, x)
		s.by("fmul", r, r, s.c("geluHalf"))
		s.exp()
		s.word4("fmul", r, r, p)
		s.word4("fmul", r, r, x)
		s.word4("fsub", spare, x, r)
		s.word4("fcmgt0", p, x)
		four(func(i int) { s.op("VBIT V%d.B16, V%d.B16, V%d.B16", p+i, spare+i, r+i) })
	})
	emit("geluTanh", func() {
		s.word4("fmul", r, x, x)
		s.by("fmul", r, r, s.c("tanhX3"))
		s.by("fadd", r, r, s.c("tanhX"))
		s.word4("fmul", r, r, x)
		s.exp()
		s.by("fadd", r, r, s.c("floatOne"))
		s.word4("fdiv", r, x, r)
	})
	emit("silu", func() {
		s.word4("fneg", r, x)
		s.exp()
		s.by("fadd", r, r, s.c("floatOne"))
		s.word4("fdiv", r, x, r)
	})
	emit("relu", func() {
		s.word4("fcmgt0", r, x)
		four(func(i int) { s.and(r+i, r+i, x+i) })
	})
}
