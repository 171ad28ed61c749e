package main

import (
	"fmt"
	"math"

	nn "github.com/bitmod-go/bitmod/internal/loops/floats"
)

// Offsets of floats.MultiplyArgs.
const (
	mulC       = 0
	mulA       = 8
	mulB       = 16
	mulStrideC = 24
	mulStrideA = 32
	mulStrideB = 40
	mulK       = 48
)

// Offsets of floats.RowArgs.
const (
	rowArgX = 0
	rowArgY = 8
	rowArgN = 16
)

// Offsets of floats.NormArgs.
const (
	normDst    = 0
	normX      = 8
	normWeight = 16
	normBias   = 24
	normN      = 32
	normCount  = 40
	normEps    = 44
)

// Offsets of floats.RotateArgs.
const (
	rotateX      = 0
	rotateCos    = 8
	rotateSin    = 16
	rotateHalf   = 24
	rotateHeads  = 32
	rotateStride = 40
)

// A simd writes the loops of package floats, for AVX-512 or AVX2. With AVX2, the 16
// elements of a step are two halves, masks are in vector registers, and constants are in
// memory.
type simd struct {
	*file
	avx512 bool
	held   map[string]string // AVX-512: registers of constants

	// The state of the AVX2 form.
	half int
	tail bool // elements may be missing
}

func floatsAVX512() *file {
	s := &simd{file: newFile("amd64 && !purego"), avx512: true}
	for _, rows := range []int{6, 3, 1} {
		for _, vectors := range []int{4, 2, 1} {
			s.multiply(rows, 4, vectors)
		}
	}
	s.loops()
	return s.file
}

func floatsAVX2() *file {
	s := &simd{file: newFile("amd64 && !purego")}
	s.data("laneMask", append(repeat(1<<32-1, 16), repeat(0, 16)...)...)
	for _, f := range []struct{ rows, vectors int }{{6, 1}, {3, 1}, {1, 4}, {1, 2}, {1, 1}} {
		s.multiply(f.rows, 2*f.vectors, 2*f.vectors)
	}
	s.loops()
	return s.file
}

func (s *simd) loops() {
	s.constants()
	s.addRows()
	s.layerNorm()
	s.rmsNorm()
	s.softmax()
	s.rotate()
	s.activations()
}

// begin begins a function.
func (s *simd) begin(name, arg string) {
	s.held = map[string]string{}
	suffix := "AVX2"
	if s.avx512 {
		suffix = "AVX512"
	}
	s.text(name+suffix, arg)
}

func (s *simd) end() {
	s.op("VZEROUPPER")
	s.op("RET")
}

// v returns a register.
func (s *simd) v(i int) string {
	if s.avx512 {
		return z(i)
	}
	return fmt.Sprintf("Y%d", i)
}

// sum returns a register, one for each half.
func (s *simd) sum(i int) string { return s.v(i + s.half) }

// clear clears sum(i).
func (s *simd) clear(i int) {
	if s.avx512 {
		s.op("VPXORD %s, %s, %s", z(i), z(i), z(i))
		return
	}
	for _, r := range []string{s.v(i), s.v(i + 1)} {
		s.op("VXORPS %s, %s, %s", r, r, r)
	}
}

// floatConstants are the constants of all loops.
var floatConstants = func() []floatConstant {
	bits := math.Float32frombits
	c := []floatConstant{
		{"expLeast", nn.ExpLeast}, {"expMost", nn.ExpMost}, {"expLog2E", nn.Log2E}, {"expRounder", nn.Rounder},
		{"expLn2High", nn.Ln2High}, {"expLn2Low", nn.Ln2Low}, {"expBias", bits(127)},
		{"floatOne", 1}, {"floatAbs", bits(1<<31 - 1)}, {"floatSign", bits(1 << 31)},
		{"geluDecay", nn.Decay}, {"geluHalf", -0.5}, {"tanhX", nn.TanhX}, {"tanhX3", nn.TanhX3},
	}
	for i, p := range nn.ExpPoly {
		c = append(c, floatConstant{fmt.Sprintf("exp%d", i), p})
	}
	for i, p := range nn.NormalPoly {
		c = append(c, floatConstant{fmt.Sprintf("normal%d", i), p})
	}
	return c
}()

type floatConstant struct {
	name  string
	value float32
}

func (s *simd) constants() {
	n := 8
	if s.avx512 {
		n = 1
	}
	for _, c := range floatConstants {
		s.data(c.name, repeat(math.Float32bits(c.value), n)...)
	}
}

func repeat(w uint32, n int) []uint32 {
	all := make([]uint32, n)
	for i := range all {
		all[i] = w
	}
	return all
}

// hold loads constants before a loop that uses c.
func (s *simd) hold(names ...string) {
	if !s.avx512 {
		return
	}
	for _, n := range names {
		r := z(31 - len(s.held))
		s.held[n] = r
		s.op("VBROADCASTSS %s<>(SB), %s", n, r)
	}
}

// c returns a constant as an operand that may be memory.
func (s *simd) c(name string) string {
	if s.avx512 {
		return s.held[name]
	}
	return name + "<>(SB)"
}

// register returns a register that has a constant. If none has it, it is loaded into
// spare.
func (s *simd) register(name, spare string) string {
	if s.avx512 {
		return s.held[name]
	}
	s.op("VMOVUPS %s<>(SB), %s", name, spare)
	return spare
}

// mask returns the register with ones for the valid elements.
func (s *simd) mask() string { return s.v(14 + s.half) }

// load loads the next elements, with 0 for those beyond the end.
func (s *simd) load(from, r string) {
	switch {
	case s.avx512:
		s.op("VMOVUPS.Z (%s), K1, %s", from, r)
	case s.tail:
		s.op("VMASKMOVPS %d(%s), %s, %s", 32*s.half, from, s.mask(), r)
	default:
		s.op("VMOVUPS %d(%s), %s", 32*s.half, from, r)
	}
}

func (s *simd) store(r, to string) {
	switch {
	case s.avx512:
		s.op("VMOVUPS %s, K1, (%s)", r, to)
	case s.tail:
		s.op("VMASKMOVPS %s, %s, %d(%s)", r, s.mask(), 32*s.half, to)
	default:
		s.op("VMOVUPS %s, %d(%s)", r, 32*s.half, to)
	}
}

// keep sets elements beyond the end to 0.
func (s *simd) keep(r string) {
	switch {
	case s.avx512:
		s.op("VMOVAPS.Z %s, K1, %s", r, r)
	case s.tail:
		s.op("VANDPS %s, %s, %s", s.mask(), r, r)
	}
}

// row writes a loop over CX elements at pointers, 16 at a time. It overwrites R15.
func (s *simd) row(label string, pointers []string, body func()) {
	step := func() {
		for _, p := range pointers {
			s.op("ADDQ $64, %s", p)
		}
	}
	if s.avx512 {
		s.lanes(label, func() { body(); step() })
		return
	}
	halves := func() {
		for s.half = range 2 {
			body()
		}
		s.half = 0
	}
	s.op("SUBQ $16, CX")
	s.op("JLT %sTail", label)
	s.label(label)
	halves()
	step()
	s.op("SUBQ $16, CX")
	s.op("JGE %s", label)
	s.label(label + "Tail")
	s.op("ADDQ $16, CX")
	s.op("JZ %sEnd", label)
	s.op("LEAQ laneMask<>+64(SB), R15")
	s.op("NEGQ CX")
	s.op("VMOVUPS (R15)(CX*4), Y14")
	s.op("VMOVUPS 32(R15)(CX*4), Y15")
	s.tail = true
	halves()
	s.tail = false
	s.label(label + "End")
}

// halves combines the lanes of sum(4), by halves, into the lowest lane of X1.
func (s *simd) halves(op string) {
	if s.avx512 {
		s.op("VEXTRACTF64X4 $1, Z4, Y5")
	}
	s.op("%sPS Y4, Y5, Y1", op)
	s.op("VEXTRACTF128 $1, Y1, X2")
	s.op("%sPS X1, X2, X1", op)
	s.op("VPERMILPS $0x0e, X1, X2")
	s.op("%sPS X1, X2, X1", op)
	s.op("VPERMILPS $1, X1, X2")
	s.op("%sSS X1, X2, X1", op)
}

// multiply emits the product of some rows and vectors of columns. The sums of row r begin
// at register stride·r.
func (s *simd) multiply(rows, stride, vectors int) {
	a := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	size, columns := 64, vectors
	if !s.avx512 {
		size, columns = 32, vectors/2
	}
	sum := func(r, v int) string { return s.v(stride*r + v) }
	// Behind the sums are columns, and the elements of a to multiply them by.
	column, by := 24, []string{z(28), z(29)}
	if !s.avx512 {
		column, by = 12, []string{"Y14", "Y15"}
	}
	s.begin(fmt.Sprintf("multiply%dx%d", rows, columns), "MultiplyArgs")
	s.op("MOVQ %d(AX), %s", mulA, a[0])
	s.op("MOVQ %d(AX), BX", mulStrideA)
	for r := 1; r < rows; r++ {
		s.op("LEAQ (%s)(BX*1), %s", a[r-1], a[r])
	}
	s.op("MOVQ %d(AX), BX", mulB)
	s.op("MOVQ %d(AX), DX", mulStrideB)
	s.op("MOVQ %d(AX), CX", mulK)
	s.op("XORQ SI, SI")
	for r := range rows {
		for v := range vectors {
			if s.avx512 {
				s.op("VPXORD %s, %s, %s", sum(r, v), sum(r, v), sum(r, v))
			} else {
				s.op("VXORPS %s, %s, %s", sum(r, v), sum(r, v), sum(r, v))
			}
		}
	}
	inPlace := rows == 1 // each column is used once
	s.label("column")
	for v := range vectors {
		if !inPlace {
			s.op("VMOVUPS %d(BX), %s", size*v, s.v(column+v))
		}
	}
	for r := range rows {
		x := by[r%len(by)]
		s.op("VBROADCASTSS (%s)(SI*4), %s", a[r], x)
		for v := range vectors {
			if inPlace {
				s.op("VFMADD231PS %d(BX), %s, %s", size*v, x, sum(r, v))
			} else {
				s.op("VFMADD231PS %s, %s, %s", x, s.v(column+v), sum(r, v))
			}
		}
	}
	s.op("ADDQ DX, BX")
	s.op("INCQ SI")
	s.op("CMPQ SI, CX")
	s.op("JLT column")
	s.op("MOVQ %d(AX), DI", mulC)
	s.op("MOVQ %d(AX), DX", mulStrideC)
	for r := range rows {
		for v := range vectors {
			s.op("VMOVUPS %s, %d(DI)", sum(r, v), size*v)
		}
		if r+1 < rows {
			s.op("ADDQ DX, DI")
		}
	}
	s.end()
}

func (s *simd) addRows() {
	s.begin("add", "RowArgs")
	s.op("MOVQ %d(AX), SI", rowArgX)
	s.op("MOVQ %d(AX), DI", rowArgY)
	s.op("MOVQ %d(AX), CX", rowArgN)
	s.row("add", []string{"SI", "DI"}, func() {
		x, y := s.v(0), s.v(1)
		s.load("SI", x)
		s.load("DI", y)
		s.op("VADDPS %s, %s, %s", y, x, x)
		s.store(x, "SI")
	})
	s.end()
}

// normRow begins a pass over the row of a norm.
func (s *simd) normRow() {
	s.op("MOVQ %d(AX), SI", normX)
	s.op("MOVQ %d(AX), CX", normN)
}

// normScale computes the scale of a row from the sum of squares in sum(4), and puts it
// into all lanes of v(6).
func (s *simd) normScale() {
	s.halves("VADD")
	s.op("VDIVSS %d(AX), X1, X1", normCount)
	s.op("VADDSS %d(AX), X1, X1", normEps)
	s.op("VSQRTSS X1, X1, X1")
	s.op("VMOVSS floatOne<>(SB), X2")
	s.op("VDIVSS X1, X2, X2")
	s.op("VBROADCASTSS X2, %s", s.v(6))
}

func (s *simd) layerNorm() {
	x, y, mean := s.v(0), s.v(1), s.v(3)
	s.begin("layer", "NormArgs")
	s.normRow()
	s.clear(4)
	s.row("sum", []string{"SI"}, func() {
		s.load("SI", x)
		s.op("VADDPS %s, %s, %s", x, s.sum(4), s.sum(4))
	})
	s.halves("VADD")
	s.op("VDIVSS %d(AX), X1, X1", normCount)
	s.op("VBROADCASTSS X1, %s", mean)
	s.normRow()
	s.clear(4)
	s.row("square", []string{"SI"}, func() {
		s.load("SI", x)
		s.op("VSUBPS %s, %s, %s", mean, x, x)
		s.keep(x)
		s.op("VMULPS %s, %s, %s", x, x, x)
		s.op("VADDPS %s, %s, %s", x, s.sum(4), s.sum(4))
	})
	s.normScale()
	s.normRow()
	s.op("MOVQ %d(AX), DI", normDst)
	s.op("MOVQ %d(AX), BX", normWeight)
	s.op("MOVQ %d(AX), DX", normBias)
	s.row("scale", []string{"SI", "DI", "BX", "DX"}, func() {
		s.load("SI", x)
		s.op("VSUBPS %s, %s, %s", mean, x, x)
		s.op("VMULPS %s, %s, %s", s.v(6), x, x)
		s.load("BX", y)
		s.op("VMULPS %s, %s, %s", y, x, x)
		s.load("DX", y)
		s.op("VADDPS %s, %s, %s", y, x, x)
		s.store(x, "DI")
	})
	s.end()
}

func (s *simd) rmsNorm() {
	x, y := s.v(0), s.v(1)
	s.begin("rms", "NormArgs")
	s.normRow()
	s.clear(4)
	s.row("square", []string{"SI"}, func() {
		s.load("SI", x)
		s.op("VMULPS %s, %s, %s", x, x, x)
		s.op("VADDPS %s, %s, %s", x, s.sum(4), s.sum(4))
	})
	s.normScale()
	s.normRow()
	s.op("MOVQ %d(AX), DI", normDst)
	s.op("MOVQ %d(AX), BX", normWeight)
	s.row("scale", []string{"SI", "DI", "BX"}, func() {
		s.load("SI", x)
		s.op("VMULPS %s, %s, %s", s.v(6), x, x)
		s.load("BX", y)
		s.op("VMULPS %s, %s, %s", y, x, x)
		s.store(x, "DI")
	})
	s.end()
}

var expConstants = []string{"expLeast", "expMost", "expLog2E", "expRounder", "expLn2High", "expLn2Low", "expBias", "floatOne", "exp0", "exp1", "exp2", "exp3", "exp4"}

// exp emits floats.Exp of v(0) to v(0), with v(1) and v(2).
func (s *simd) exp() {
	x, k, p := s.v(0), s.v(1), s.v(2)
	s.op("VMAXPS %s, %s, %s", s.c("expLeast"), x, x)
	s.op("VMINPS %s, %s, %s", s.c("expMost"), x, x)
	s.op("VMULPS %s, %s, %s", s.c("expLog2E"), x, k)
	s.op("VADDPS %s, %s, %s", s.c("expRounder"), k, k)
	s.op("VSUBPS %s, %s, %s", s.c("expRounder"), k, k)
	for _, part := range []string{"expLn2High", "expLn2Low"} {
		s.op("VMULPS %s, %s, %s", s.c(part), k, p)
		s.op("VSUBPS %s, %s, %s", p, x, x)
	}
	s.op("VMULPS %s, %s, %s", s.c("exp4"), x, p)
	s.op("VADDPS %s, %s, %s", s.c("exp3"), p, p)
	for i := 2; i >= 0; i-- {
		s.op("VMULPS %s, %s, %s", x, p, p)
		s.op("VADDPS %s, %s, %s", s.c(fmt.Sprintf("exp%d", i)), p, p)
	}
	s.op("VMULPS %s, %s, %s", x, p, p)
	s.op("VMULPS %s, %s, %s", x, p, p)
	s.op("VADDPS %s, %s, %s", x, p, p)
	s.op("VADDPS %s, %s, %s", s.c("floatOne"), p, p)
	s.op("VCVTPS2DQ %s, %s", k, k)
	s.op("VPADDD %s, %s, %s", s.c("expBias"), k, k)
	s.op("VPSLLD $23, %s, %s", k, k)
	s.op("VMULPS %s, %s, %s", k, p, x)
}

func (s *simd) softmax() {
	x, by := s.v(0), s.v(3)
	begin := func() {
		s.op("MOVQ %d(AX), SI", rowArgX)
		s.op("MOVQ %d(AX), CX", rowArgN)
	}
	s.begin("softmax", "RowArgs")
	s.hold(expConstants...)
	begin()
	s.op("VBROADCASTSS (SI), %s", s.v(4))
	if !s.avx512 {
		s.op("VMOVAPS Y4, Y5")
	}
	s.row("max", []string{"SI"}, func() {
		s.load("SI", x)
		switch {
		case s.avx512:
			s.op("VMAXPS Z4, Z0, K1, Z4")
			return
		case s.tail:
			s.op("VBLENDVPS %s, %s, %s, %s", s.mask(), x, s.sum(4), x)
		}
		s.op("VMAXPS %s, %s, %s", s.sum(4), x, s.sum(4))
	})
	s.halves("VMAX")
	s.op("VBROADCASTSS X1, %s", by)
	begin()
	s.clear(4)
	s.row("exp", []string{"SI"}, func() {
		s.load("SI", x)
		s.op("VSUBPS %s, %s, %s", by, x, x)
		s.exp()
		s.store(x, "SI")
		s.keep(x)
		s.op("VADDPS %s, %s, %s", x, s.sum(4), s.sum(4))
	})
	s.halves("VADD")
	s.op("VMOVSS floatOne<>(SB), X2")
	s.op("VDIVSS X1, X2, X2")
	s.op("VBROADCASTSS X2, %s", by)
	begin()
	s.row("scale", []string{"SI"}, func() {
		s.load("SI", x)
		s.op("VMULPS %s, %s, %s", by, x, x)
		s.store(x, "SI")
	})
	s.end()
}

func (s *simd) rotate() {
	a, b, c, d, ac, bd := s.v(0), s.v(1), s.v(2), s.v(3), s.v(4), s.v(5)
	s.begin("rotate", "RotateArgs")
	s.op("MOVQ %d(AX), R8", rotateX)
	s.op("MOVQ %d(AX), R9", rotateHeads)
	s.label("head")
	s.op("MOVQ R8, SI")
	s.op("MOVQ %d(AX), CX", rotateHalf)
	s.op("LEAQ (SI)(CX*4), DI")
	s.op("MOVQ %d(AX), BX", rotateCos)
	s.op("MOVQ %d(AX), DX", rotateSin)
	s.row("pairs", []string{"SI", "DI", "BX", "DX"}, func() {
		s.load("SI", a)
		s.load("DI", b)
		s.load("BX", c)
		s.load("DX", d)
		s.op("VMULPS %s, %s, %s", c, a, ac)
		s.op("VMULPS %s, %s, %s", d, b, bd)
		s.op("VSUBPS %s, %s, %s", bd, ac, ac)
		s.op("VMULPS %s, %s, %s", d, a, a)
		s.op("VMULPS %s, %s, %s", c, b, b)
		s.op("VADDPS %s, %s, %s", b, a, a)
		s.store(ac, "SI")
		s.store(a, "DI")
	})
	s.op("ADDQ %d(AX), R8", rotateStride)
	s.op("DECQ R9")
	s.op("JNZ head")
	s.end()
}

// activations emits two loops for each activation: of x + y, and of x multiplied by y
// afterwards. The argument is in v(3), the result in v(0).
func (s *simd) activations() {
	emit := func(name string, constants []string, body func()) {
		for _, gate := range []bool{false, true} {
			if gate {
				s.begin(name+"Gate", "RowArgs")
			} else {
				s.begin(name, "RowArgs")
			}
			s.hold(constants...)
			s.op("MOVQ %d(AX), SI", rowArgX)
			s.op("MOVQ %d(AX), DI", rowArgY)
			s.op("MOVQ %d(AX), CX", rowArgN)
			s.row("row", []string{"SI", "DI"}, func() {
				s.load("SI", s.v(3))
				if !gate {
					s.load("DI", s.v(0))
					s.op("VADDPS %s, %s, %s", s.v(0), s.v(3), s.v(3))
				}
				body()
				if gate {
					s.load("DI", s.v(1))
					s.op("VMULPS %s, %s, %s", s.v(1), s.v(0), s.v(0))
				}
				s.store(s.v(0), "SI")
			})
			s.end()
		}
	}
	with := func(names ...string) []string { return append(append([]string{}, expConstants...), names...) }
	r, x, t, p, spare := s.v(0), s.v(3), s.v(4), s.v(5), s.v(1)
	gelu := with("floatAbs", "geluDecay", "geluHalf")
	for i := range nn.NormalPoly {
		gelu = append(gelu, fmt.Sprintf("normal%d", i))
	}
	emit("gelu", gelu, func() {
		s.op("VANDPS %s, %s, %s", s.c("floatAbs"), x, t)
		s.op("VMULPS %s, %s, %s", s.c("geluDecay"), t, t)
		s.op("VADDPS %s, %s, %s", s.c("floatOne"), t, t)
		s.op("VDIVPS %s, %s, %s", t, s.register("floatOne", spare), t)
		s.op("VMULPS %s, %s, %s", s.c("normal7"), t, p)
		for i := 6; i >= 0; i-- {
			s.op("VADDPS %s, %s, %s", s.c(fmt.Sprintf("normal%d", i)), p, p)
			s.op("VMULPS %s, %s, %s", t, p, p)
		}
		s.op("VMULPS %s, %s, %s", x, x, r)
		s.op("VMULPS %s, %s, %s", s.c("geluHalf"), r, r)
		s.exp()
		s.op("VMULPS %s, %s, %s", p, r, r)
		s.op("VMULPS %s, %s, %s", x, r, r)
		s.op("VSUBPS %s, %s, %s", r, x, spare)
		s.op("VXORPS %s, %s, %s", p, p, p)
		if s.avx512 {
			s.op("VCMPPS $0x1e, %s, %s, K2", p, x) // greater than
			s.op("VMOVAPS %s, K2, %s", spare, r)
			return
		}
		s.op("VCMPPS $0x1e, %s, %s, %s", p, x, p)
		s.op("VBLENDVPS %s, %s, %s, %s", p, spare, r, r)
	})
	emit("geluTanh", with("tanhX", "tanhX3"), func() {
		s.op("VMULPS %s, %s, %s", x, x, r)
		s.op("VMULPS %s, %s, %s", s.c("tanhX3"), r, r)
		s.op("VADDPS %s, %s, %s", s.c("tanhX"), r, r)
		s.op("VMULPS %s, %s, %s", x, r, r)
		s.exp()
		s.op("VADDPS %s, %s, %s", s.c("floatOne"), r, r)
		s.op("VDIVPS %s, %s, %s", r, x, r)
	})
	emit("silu", with("floatSign"), func() {
		s.op("VXORPS %s, %s, %s", s.c("floatSign"), x, r)
		s.exp()
		s.op("VADDPS %s, %s, %s", s.c("floatOne"), r, r)
		s.op("VDIVPS %s, %s, %s", r, x, r)
	})
	emit("relu", nil, func() {
		s.op("VXORPS %s, %s, %s", spare, spare, spare)
		s.op("VMAXPS %s, %s, %s", spare, x, r)
	})
}
