package main

import (
	"fmt"
	"maps"
	"math"
	"slices"

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

func floatsAVX512() *file {
	f := newFile("amd64 && !purego")
	for _, rows := range []int{6, 3, 1} {
		for _, vectors := range []int{4, 2, 1} {
			multiply(f, rows, vectors)
		}
	}
	addRows(f)
	layerNorm(f)
	softmax(f)
	activations(f)
	return f
}

// multiply emits the product of some rows and vectors of columns. Sums are in Z0 to
// Z23.
func multiply(f *file, rows, vectors int) {
	a := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	sum := func(r, v int) string { return z(4*r + v) }
	f.text(fmt.Sprintf("multiply%dx%dAVX512", rows, vectors), "MultiplyArgs")
	f.op("MOVQ %d(AX), %s", mulA, a[0])
	f.op("MOVQ %d(AX), BX", mulStrideA)
	for r := 1; r < rows; r++ {
		f.op("LEAQ (%s)(BX*1), %s", a[r-1], a[r])
	}
	f.op("MOVQ %d(AX), BX", mulB)
	f.op("MOVQ %d(AX), DX", mulStrideB)
	f.op("MOVQ %d(AX), CX", mulK)
	f.op("XORQ SI, SI")
	for r := range rows {
		for v := range vectors {
			f.op("VPXORD %s, %s, %s", sum(r, v), sum(r, v), sum(r, v))
		}
	}
	f.label("column")
	for v := range vectors {
		f.op("VMOVUPS %d(BX), %s", 64*v, z(24+v))
	}
	for r := range rows {
		f.op("VBROADCASTSS (%s)(SI*4), %s", a[r], z(28+r%2))
		for v := range vectors {
			f.op("VMULPS %s, %s, %s", z(28+r%2), z(24+v), z(30+v%2))
			f.op("VADDPS %s, %s, %s", z(30+v%2), sum(r, v), sum(r, v))
		}
	}
	f.op("ADDQ DX, BX")
	f.op("INCQ SI")
	f.op("CMPQ SI, CX")
	f.op("JLT column")
	f.op("MOVQ %d(AX), DI", mulC)
	f.op("MOVQ %d(AX), DX", mulStrideC)
	for r := range rows {
		for v := range vectors {
			f.op("VMOVUPS %s, %d(DI)", sum(r, v), 64*v)
		}
		if r+1 < rows {
			f.op("ADDQ DX, DI")
		}
	}
	f.op("VZEROUPPER")
	f.op("RET")
}

func addRows(f *file) {
	f.text("addAVX512", "RowArgs")
	f.op("MOVQ %d(AX), SI", rowArgX)
	f.op("MOVQ %d(AX), DI", rowArgY)
	f.op("MOVQ %d(AX), CX", rowArgN)
	f.lanes("add", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VMOVUPS.Z (DI), K1, Z1")
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VMOVUPS Z0, K1, (SI)")
		f.op("ADDQ $64, SI")
		f.op("ADDQ $64, DI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// halves emits what makes one of the 16 lanes of Z1 in the lowest of X1, with X2 for
// the other half.
func (f *file) halves(op string) {
	f.op("VEXTRACTF64X4 $1, Z1, Y2")
	f.op("%sPS Y1, Y2, Y1", op)
	f.op("VEXTRACTF128 $1, Y1, X2")
	f.op("%sPS X1, X2, X1", op)
	f.op("VPERMILPS $0x0e, X1, X2")
	f.op("%sPS X1, X2, X1", op)
	f.op("VPERMILPS $1, X1, X2")
	f.op("%sSS X1, X2, X1", op)
}

func layerNorm(f *file) {
	f.constants(map[string]float32{"floatOne": 1})
	f.text("layerAVX512", "NormArgs")
	begin := func() {
		f.op("MOVQ %d(AX), SI", normX)
		f.op("MOVQ %d(AX), CX", normN)
	}
	begin()
	f.op("VPXORD Z1, Z1, Z1")
	f.lanes("sum", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VADDPS Z0, Z1, Z1")
		f.op("ADDQ $64, SI")
	})
	f.halves("VADD")
	f.op("VDIVSS %d(AX), X1, X1", normCount)
	f.op("VBROADCASTSS X1, Z3")
	begin()
	f.op("VPXORD Z1, Z1, Z1")
	f.lanes("square", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VSUBPS.Z Z3, Z0, K1, Z0")
		f.op("VMULPS Z0, Z0, Z0")
		f.op("VADDPS Z0, Z1, Z1")
		f.op("ADDQ $64, SI")
	})
	f.halves("VADD")
	f.op("VDIVSS %d(AX), X1, X1", normCount)
	f.op("VADDSS %d(AX), X1, X1", normEps)
	f.op("VSQRTSS X1, X1, X1")
	f.op("VMOVSS floatOne<>(SB), X2")
	f.op("VDIVSS X1, X2, X2")
	f.op("VBROADCASTSS X2, Z4")
	begin()
	f.op("MOVQ %d(AX), DI", normDst)
	f.op("MOVQ %d(AX), BX", normWeight)
	f.op("MOVQ %d(AX), DX", normBias)
	f.lanes("scale", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VSUBPS Z3, Z0, Z0")
		f.op("VMULPS Z4, Z0, Z0")
		f.op("VMOVUPS.Z (BX), K1, Z1")
		f.op("VMULPS Z1, Z0, Z0")
		f.op("VMOVUPS.Z (DX), K1, Z1")
		f.op("VADDPS Z1, Z0, Z0")
		f.op("VMOVUPS Z0, K1, (DI)")
		for _, r := range []string{"SI", "DI", "BX", "DX"} {
			f.op("ADDQ $64, %s", r)
		}
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// constants writes constants of one word, in alphabetic order.
func (f *file) constants(c map[string]float32) {
	for _, name := range slices.Sorted(maps.Keys(c)) {
		f.data(name, math.Float32bits(c[name]))
	}
}

// Registers of exp: constants in Z16 to Z28.
var expConstants = []struct {
	name  string
	value float32
}{
	{"expLeast", nn.ExpLeast}, {"expMost", nn.ExpMost}, {"expLog2E", nn.Log2E}, {"expRounder", nn.Rounder},
	{"expLn2High", nn.Ln2High}, {"expLn2Low", nn.Ln2Low},
	{"exp4", nn.ExpPoly[4]}, {"exp3", nn.ExpPoly[3]}, {"exp2", nn.ExpPoly[2]}, {"exp1", nn.ExpPoly[1]}, {"exp0", nn.ExpPoly[0]},
	{"expOne", 1}, {"expBias", math.Float32frombits(127)},
}

const expOne = "Z27"

func (f *file) loadExp() {
	for i, c := range expConstants {
		f.op("VBROADCASTSS %s<>(SB), %s", c.name, z(16+i))
	}
}

// exp emits floats.Exp of Z0 to Z0, with Z1 and Z2.
func (f *file) exp() {
	f.op("VMAXPS Z16, Z0, Z0")
	f.op("VMINPS Z17, Z0, Z0")
	f.op("VMULPS Z18, Z0, Z1")
	f.op("VADDPS Z19, Z1, Z1")
	f.op("VSUBPS Z19, Z1, Z1")
	f.op("VMULPS Z20, Z1, Z2")
	f.op("VSUBPS Z2, Z0, Z0")
	f.op("VMULPS Z21, Z1, Z2")
	f.op("VSUBPS Z2, Z0, Z0")
	f.op("VMULPS Z0, Z22, Z2")
	f.op("VADDPS Z23, Z2, Z2")
	for i := range 3 {
		f.op("VMULPS Z0, Z2, Z2")
		f.op("VADDPS %s, Z2, Z2", z(24+i))
	}
	f.op("VMULPS Z0, Z2, Z2")
	f.op("VMULPS Z0, Z2, Z2")
	f.op("VADDPS Z0, Z2, Z2")
	f.op("VADDPS %s, Z2, Z2", expOne)
	f.op("VCVTPS2DQ Z1, Z1")
	f.op("VPADDD Z28, Z1, Z1")
	f.op("VPSLLD $23, Z1, Z1")
	f.op("VMULPS Z1, Z2, Z0")
}

func softmax(f *file) {
	for _, c := range expConstants {
		f.data(c.name, math.Float32bits(c.value))
	}
	f.text("softmaxAVX512", "RowArgs")
	begin := func() {
		f.op("MOVQ %d(AX), SI", rowArgX)
		f.op("MOVQ %d(AX), CX", rowArgN)
	}
	f.loadExp()
	begin()
	f.op("VBROADCASTSS (SI), Z1")
	f.lanes("max", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VMAXPS Z1, Z0, K1, Z1")
		f.op("ADDQ $64, SI")
	})
	f.halves("VMAX")
	f.op("VBROADCASTSS X1, Z3")
	begin()
	f.op("VPXORD Z4, Z4, Z4")
	f.lanes("exp", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VSUBPS Z3, Z0, Z0")
		f.exp()
		f.op("VMOVUPS Z0, K1, (SI)")
		f.op("VADDPS Z0, Z4, K1, Z4")
		f.op("ADDQ $64, SI")
	})
	f.op("VMOVAPS Z4, Z1")
	f.halves("VADD")
	f.op("VMOVSS expOne<>(SB), X2")
	f.op("VDIVSS X1, X2, X2")
	f.op("VBROADCASTSS X2, Z3")
	begin()
	f.lanes("scale", func() {
		f.op("VMOVUPS.Z (SI), K1, Z0")
		f.op("VMULPS Z3, Z0, Z0")
		f.op("VMOVUPS Z0, K1, (SI)")
		f.op("ADDQ $64, SI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// activations emits the functions between matrices. x is in Z3.
func activations(f *file) {
	for i, c := range nn.NormalPoly {
		f.data(fmt.Sprintf("normal%d", i), math.Float32bits(c))
	}
	f.data("floatAbs", 1<<31-1)
	f.data("floatSign", 1<<31)
	f.constants(map[string]float32{"geluDecay": nn.Decay, "geluHalf": -0.5, "tanhX": nn.TanhX, "tanhX3": nn.TanhX3})
	emit := func(name string, exp bool, load, body func()) {
		f.text(name+"AVX512", "RowArgs")
		if exp {
			f.loadExp()
		}
		load()
		f.op("MOVQ %d(AX), SI", rowArgX)
		f.op("MOVQ %d(AX), DI", rowArgY)
		f.op("MOVQ %d(AX), CX", rowArgN)
		f.lanes("row", func() {
			f.op("VMOVUPS.Z (SI), K1, Z3")
			f.op("VMOVUPS.Z (DI), K1, Z0")
			f.op("VADDPS Z0, Z3, Z3")
			body()
			f.op("VMOVUPS Z0, K1, (SI)")
			f.op("ADDQ $64, SI")
			f.op("ADDQ $64, DI")
		})
		f.op("VZEROUPPER")
		f.op("RET")
	}
	emit("gelu", true, func() {
		for i := range nn.NormalPoly {
			f.op("VBROADCASTSS normal%d<>(SB), %s", i, z(6+i))
		}
		f.op("VBROADCASTSS geluDecay<>(SB), Z14")
		f.op("VBROADCASTSS floatAbs<>(SB), Z15")
		f.op("VBROADCASTSS geluHalf<>(SB), Z29")
		f.op("VPXORD Z30, Z30, Z30")
	}, func() {
		f.op("VPANDD Z15, Z3, Z4")
		f.op("VMULPS Z14, Z4, Z4")
		f.op("VADDPS %s, Z4, Z4", expOne)
		f.op("VDIVPS Z4, %s, Z4", expOne)
		f.op("VMULPS Z4, Z13, Z5")
		for i := 6; i >= 0; i-- {
			f.op("VADDPS %s, Z5, Z5", z(6+i))
			f.op("VMULPS Z4, Z5, Z5")
		}
		f.op("VMULPS Z3, Z3, Z0")
		f.op("VMULPS Z29, Z0, Z0")
		f.exp()
		f.op("VMULPS Z5, Z0, Z0")
		f.op("VMULPS Z3, Z0, Z0")
		f.op("VSUBPS Z0, Z3, Z1")
		f.op("VCMPPS $0x1e, Z30, Z3, K2") // greater than
		f.op("VMOVAPS Z1, K2, Z0")
	})
	emit("geluTanh", true, func() {
		f.op("VBROADCASTSS tanhX<>(SB), Z14")
		f.op("VBROADCASTSS tanhX3<>(SB), Z15")
	}, func() {
		f.op("VMULPS Z3, Z3, Z0")
		f.op("VMULPS Z15, Z0, Z0")
		f.op("VADDPS Z14, Z0, Z0")
		f.op("VMULPS Z3, Z0, Z0")
		f.exp()
		f.op("VADDPS %s, Z0, Z0", expOne)
		f.op("VDIVPS Z0, Z3, Z0")
	})
	emit("silu", true, func() {
		f.op("VBROADCASTSS floatSign<>(SB), Z15")
	}, func() {
		f.op("VPXORD Z15, Z3, Z0")
		f.exp()
		f.op("VADDPS %s, Z0, Z0", expOne)
		f.op("VDIVPS Z0, Z3, Z0")
	})
	emit("relu", false, func() {
		f.op("VPXORD Z30, Z30, Z30")
	}, func() {
		f.op("VMAXPS Z30, Z3, Z0")
	})
}
