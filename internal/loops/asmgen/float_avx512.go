package main

import "fmt"

// Offsets of WidenArgs.
const (
	widenPanel = 0
	widenDst   = 8
	widenQuads = 16
	widenSub   = 24
	widenTable = 32
)

// Offsets of FloatArgs.
const (
	floatPanel    = 0
	floatSegments = 8
	floatK        = 16
	floatAcc      = 24
	floatX        = 32
)

// Offsets of FloatSegment.
const (
	fsegQuads = 0
	fsegPanel = 4
	fsegX     = 8
	fsegK     = 12
	fsegLane  = 16
	fsegSize  = 24
)

const (
	floatLanes = 32
	floatSums  = 4 * 64 * (floatLanes + 3) // bytes from vector to vector
	runBytes   = 64                        // from a column's activation to the next one's
)

func floatAVX512() *file {
	f := newFile("amd64 && !purego")
	for _, mode := range widenModes {
		widen(f, mode)
	}
	for _, n := range []int{1, 2, 3, 4, 6} {
		floats(f, n)
	}
	floatFinish(f)
	return f
}

// widen emits the loop that makes floats of bytes.
func widen(f *file, mode string) {
	f.text("widen"+mode+"AVX512", "WidenArgs")
	f.op("MOVQ %d(AX), SI", widenPanel)
	f.op("MOVQ %d(AX), DI", widenDst)
	f.op("MOVQ %d(AX), CX", widenQuads)
	if mode == "Sub" {
		f.op("MOVQ %d(AX), R15", widenSub)
		for p := range panels {
			f.op("VMOVUPS %d(R15), %s", 64*p, z(24+p))
		}
		f.op("MOVL $0x000000ff, R15")
		f.op("VPBROADCASTD R15, Z28")
		f.op("MOVL $0x4b000000, R15") // 2^23
		f.op("VPBROADCASTD R15, Z29")
	} else {
		f.op("MOVQ %d(AX), R15", widenTable)
		f.op("VMOVUPS (R15), Z24")
		if mode == "Table64" {
			for i := 1; i < 4; i++ {
				f.op("VMOVUPS %d(R15), %s", 64*i, z(24+i))
			}
			f.op("MOVL $32, R15")
			f.op("VPBROADCASTD R15, Z17")
		}
	}
	f.label("quad")
	for p := range panels {
		f.op("VMOVDQU64 %d(SI), %s", 64*p, z(4*p))
		for c := 1; c < 4; c++ {
			f.op("VPSRLD $%d, %s, %s", 8*c, z(4*p), z(4*p+c))
		}
		for c := range 4 {
			v := z(4*p + c)
			switch mode {
			case "Sub":
				f.op("VPTERNLOGD $0xea, Z29, Z28, %s", v) // v&Z28 | Z29
				f.op("VSUBPS %s, %s, %s", z(24+p), v, v)
			case "Table16":
				f.op("VPERMPS Z24, %s, %s", v, v)
			case "Table64":
				f.op("VPTESTMD Z17, %s, K1", v)
				f.op("VMOVDQA64 %s, Z16", v)
				f.op("VPERMI2PS Z25, Z24, %s", v)
				f.op("VPERMI2PS Z27, Z26, Z16")
				f.op("VMOVAPS Z16, K1, %s", v)
			}
			f.op("VMOVUPS %s, %d(DI)", v, 64*(panels*c+p))
		}
	}
	f.op("ADDQ $%d, SI", 64*panels)
	f.op("ADDQ $%d, DI", 4*64*panels)
	f.op("DECQ CX")
	f.op("JNZ quad")
	f.op("VZEROUPPER")
	f.op("RET")
}

// floats emits the loop for n vectors.
func floats(f *file, n int) {
	q := []string{"R8", "R9", "R10", "R11", "R12", "R13"}
	sum := func(t, p int) string { return z(panels*t + p) }
	f.text(fmt.Sprintf("floats%dAVX512", n), "FloatArgs")
	for t := range n {
		f.op("MOVQ %d(AX), %s", floatX+8*t, q[t])
	}
	f.op("MOVQ %d(AX), DX", floatSegments)
	f.op("JMP next")

	f.label("segment")
	f.op("MOVLQSX %d(DX), BX", fsegPanel)
	f.op("ADDQ %d(AX), BX", floatPanel)
	f.op("MOVLQSX %d(DX), SI", fsegX)
	f.op("MOVLQSX %d(DX), DI", fsegK)
	f.op("ADDQ %d(AX), DI", floatK)
	f.op("MOVLQSX %d(DX), R14", fsegLane)
	f.op("ADDQ %d(AX), R14", floatAcc)

	f.label("quad")
	for c := range 4 {
		for p := range panels {
			f.op("VMOVUPS %d(BX), %s", 64*(panels*c+p), z(24+p))
		}
		for t := range n {
			x := z(28 + t%4)
			f.op("VBROADCASTSS %d(%s)(SI*1), %s", runBytes*c, q[t], x)
			for p := range panels {
				if c == 0 {
					f.op("VMULPS %s, %s, %s", x, z(24+p), sum(t, p))
				} else {
					f.op("VFMADD231PS %s, %s, %s", x, z(24+p), sum(t, p))
				}
			}
		}
	}
	for p := range panels {
		f.op("VMOVUPS %d(DI), %s", 64*p, z(24+p))
	}
	for t := range n {
		for p := range panels {
			at := fmt.Sprintf("%d(R14)", floatSums*t+64*p)
			f.op("VFMADD213PS %s, %s, %s", at, z(24+p), sum(t, p))
			f.op("VMOVUPS %s, %s", sum(t, p), at)
		}
	}
	f.op("ADDQ $%d, BX", 4*64*panels)
	f.op("ADDQ $4, SI")
	f.op("ADDQ $%d, R14", 64*panels)
	f.op("DECQ CX")
	f.op("JNZ quad")
	f.op("ADDQ $%d, DX", fsegSize)
	f.label("next")
	f.op("MOVLQSX %d(DX), CX", fsegQuads)
	f.op("TESTQ CX, CX")
	f.op("JNE segment")
	f.op("VZEROUPPER")
	f.op("RET")
}

// floatFinish emits the end of the sums of 64 rows.
func floatFinish(f *file) {
	f.text("floatFinishAVX512", "FloatFinishArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), DX")
	f.op("MOVQ $%d, CX", panels)
	f.label("rows")
	lane := func(l int) string { return fmt.Sprintf("%d(SI)", 64*panels*l) }
	half := floatLanes / 2
	for l := range half {
		f.op("VMOVUPS %s, %s", lane(l), z(l))
		f.op("VADDPS %s, %s, %s", lane(l+half), z(l), z(l))
	}
	for half > 1 {
		half /= 2
		for l := range half {
			f.op("VADDPS %s, %s, %s", z(l+half), z(l), z(l))
		}
	}
	f.op("VMULPS (DX), Z0, Z0")
	f.op("VMOVUPS Z0, (DI)")
	f.op("ADDQ $64, SI")
	f.op("ADDQ $64, DX")
	f.op("ADDQ $64, DI")
	f.op("DECQ CX")
	f.op("JNZ rows")
	f.op("VZEROUPPER")
	f.op("RET")
}
