package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

const stepsTable = 80 // the last field of coding.StepsArgs

func codingAVX2() *file {
	f := newFile("amd64 && !purego")
	f.data("firstLanes", 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0, 0, 0, 0, 0, 0, 0, 0)
	for _, members := range []int{0, 1, 2, 4} {
		stepsAVX2(f, members, anyDelta)
	}
	stepsAVX2(f, 0, clamped)
	for _, members := range []int{1, 2, 4} {
		stepsAVX2(f, members, weighted)
	}
	lookupAVX2(f)
	maxAVX2(f)
	rangeAVX2(f)
	roundAVX2(f)
	fitAVX2(f, fitCells)
	fitAVX2(f, fitRound)
	fitAVX2(f, fitEdges)
	samplesAVX2(f)
	widen16AVX2(f, "widenBF16AVX2", func() { f.op("VPSLLD $16, Y0, Y0") })
	widenF16AVX2(f)
	masks := map[uint64]bool{}
	for bits := 2; bits <= 8; bits++ {
		packAVX2(f, bits, masks)
	}
	return f
}

// widen16AVX2 emits a loop from 16-bit floats at SI to float32, from Y0 to Y0.
func widen16AVX2(f *file, name string, body func()) {
	f.text(name, "WidenArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), CX")
	f.label("weights")
	f.op("VPMOVZXWD (SI), Y0")
	body()
	f.op("VMOVDQU Y0, (DI)")
	f.op("ADDQ $16, SI")
	f.op("ADDQ $32, DI")
	f.op("SUBQ $8, CX")
	f.op("JNZ weights")
	f.end()
}

// widenF16AVX2 emits the loop for float16. The exponent and fraction of a float16, read
// as a float32, are 2^112 times too small, also for subnormal numbers. Package cpu does
// not report F16C.
func widenF16AVX2(f *file) {
	f.data("halfScale", 0x77800000)    // 2^112
	f.data("halfFinite", 0x0f7fffff)   // above the bits of all finite float16s after the shift
	f.data("halfInfinite", 0x7f800000) // an exponent
	f.data("halfSign", 0x80000000)
	widen16AVX2(f, "widenF16AVX2", func() {
		for i, name := range []string{"halfScale", "halfFinite", "halfInfinite", "halfSign"} {
			f.op("VBROADCASTSS %s<>(SB), Y%d", name, 4+i)
		}
		f.op("VPSLLD $17, Y0, Y1")
		f.op("VPSRLD $4, Y1, Y1")
		f.op("VMULPS Y4, Y1, Y2")
		f.op("VPCMPGTD Y5, Y1, Y3")
		f.op("VPAND Y6, Y3, Y3")
		f.op("VPOR Y3, Y2, Y2")
		f.op("VPSLLD $16, Y0, Y0")
		f.op("VPAND Y7, Y0, Y0")
		f.op("VPOR Y2, Y0, Y0")
	})
}

// eights emits a loop over CX weights at SI, 8 at a time, masked by Y15.
func (f *file) eights(body func()) {
	f.op("LEAQ firstLanes<>(SB), R14")
	f.op("VMOVDQU (R14), Y15")
	f.op("CMPQ CX, $8")
	f.op("JGE weights")
	f.label("weightsRest")
	f.op("NEGQ CX")
	f.op("VMOVDQU 32(R14)(CX*4), Y15")
	f.op("MOVQ $8, CX")
	f.label("weights")
	body()
	f.op("ADDQ $32, SI")
	f.op("SUBQ $8, CX")
	f.op("JZ weightsEnd")
	f.op("CMPQ CX, $8")
	f.op("JGE weights")
	f.op("JMP weightsRest")
	f.label("weightsEnd")
}

// fold8 reduces v to its lowest word with op, by halves. It overwrites a.
func (f *file) fold8(op string, v, a int) {
	f.op("VEXTRACTF128 $1, %s, %s", y(v), x(a))
	f.op("%s %s, %s, %s", op, x(a), x(v), x(v))
	f.op("VPSHUFD $0x4e, %s, %s", x(v), x(a))
	f.op("%s %s, %s, %s", op, x(a), x(v), x(v))
	f.op("VPSHUFD $0xb1, %s, %s", x(v), x(a))
	f.op("%s %s, %s, %s", op, x(a), x(v), x(v))
}

// storeBytes stores the 8 words of v as bytes at DI. It overwrites a.
func (f *file) storeBytes(v, a int) {
	f.op("VEXTRACTI128 $1, %s, %s", y(v), x(a))
	f.op("VPACKUSDW %s, %s, %s", x(a), x(v), x(a))
	f.op("VPACKUSWB %s, %s, %s", x(a), x(a), x(a))
	f.op("VMOVQ %s, (DI)", x(a))
	f.op("ADDQ $8, DI")
}

// at32 returns the i-th 32 bytes of a table at an offset from a register.
func at32(base string, table, i int) string { return fmt.Sprintf("%d(%s)", table+32*i, base) }

// table32 emits a look-up of 8 indices idx in a table of 32 words at an address. Bits 3
// and 4 of the indices are the signs of s3 and s4. The look-up overwrites dst, a and b.
func (f *file) table32(at func(i int) string, idx, s3, s4, dst, a, b int) {
	f.op("VPERMPS %s, %s, %s", at(0), y(idx), y(dst))
	f.op("VPERMPS %s, %s, %s", at(1), y(idx), y(a))
	f.op("VBLENDVPS %s, %s, %s, %s", y(s3), y(a), y(dst), y(dst))
	f.op("VPERMPS %s, %s, %s", at(2), y(idx), y(a))
	f.op("VPERMPS %s, %s, %s", at(3), y(idx), y(b))
	f.op("VBLENDVPS %s, %s, %s, %s", y(s3), y(b), y(a), y(a))
	f.op("VBLENDVPS %s, %s, %s, %s", y(s4), y(a), y(dst), y(dst))
}

func (f *file) end() {
	f.op("VZEROUPPER")
	f.op("RET")
}

// stepsAVX2 emits the loop that finds steps and the errors of the given number of
// codebooks. There are no loops for powers.
func stepsAVX2(f *file, members int, kind stepsKind) {
	const acc, delta, scale, off = 8, 12, 13, 14
	name := map[stepsKind]string{anyDelta: "steps%dAVX2", clamped: "clamped%dAVX2", weighted: "weighted%dAVX2"}[kind]
	f.text(fmt.Sprintf(name, members), "StepsArgs")
	f.op("MOVQ %d(AX), DI", stepsSteps)
	f.op("MOVQ %d(AX), BX", stepsClass)
	f.op("MOVQ %d(AX), R10", stepsDeltas)
	if members > 0 {
		f.op("MOVQ %d(AX), R11", stepsErrors)
	}
	if kind == weighted {
		f.op("MOVQ %d(AX), R12", stepsA)
	}
	f.groupsOf(7, true, func() {
		f.op("VBROADCASTSD (R10), Y7")
		f.op("ADDQ $8, R10")
		f.op("VCVTSS2SD %d(BX), X0, X0", classInv)
		f.op("VDIVSD X7, X0, X0")
		f.op("VCVTSD2SS X0, X0, X0")
		f.op("VBROADCASTSS X0, %s", y(scale))
		f.op("VCVTSD2SS X7, X7, X0")
		f.op("VBROADCASTSS X0, %s", y(delta))
		f.op("VBROADCASTSS %d(BX), %s", classOff, y(off))
		f.comment("thresholds as weights: the nearest float32 to t·Δ, or the one below it")
		f.op("VPCMPEQD X6, X6, X6")
		f.op("VPSRLD $31, X6, X6")
		for q := range 8 {
			f.op("VMOVUPD %d(BX), Y0", classThresholds+32*q)
			f.op("VMULPD Y7, Y0, Y1")
			f.op("VCVTPD2PSY Y1, X2")
			f.op("VCVTPS2PD X2, Y3")
			f.op("VFNMADD231PD Y7, Y0, Y3")
			f.op("VMULPD %d(BX), Y7, Y4", classSlack+32*q)
			f.op("VCMPPD $30, Y4, Y3, Y4")
			f.op("VEXTRACTF128 $1, Y4, X3")
			f.op("VSHUFPS $0x88, X3, X4, X4")
			f.op("VPSRAD $31, X2, X3")
			f.op("VPOR X6, X3, X3")
			f.op("VPAND X4, X3, X3")
			f.op("VPSUBD X3, X2, X2")
			f.op("VMOVDQU X2, %d(AX)", stepsTable+16*q)
		}
		for m := range members {
			f.op("VPXOR %s, %s, %s", y(acc+m), y(acc+m), y(acc+m))
		}
		f.eights(func() {
			f.op("VMASKMOVPS (SI), Y15, Y0")
			f.op("VMOVAPS Y0, Y1")
			f.op("VFMADD213PS %s, %s, Y1", y(off), y(scale))
			if kind == clamped {
				f.op("VPXOR Y2, Y2, Y2")
				f.op("VMAXPS Y2, Y1, Y1")
				f.op("MOVL $0x41f80000, R15") // 31
				f.op("VMOVD R15, X2")
				f.op("VPBROADCASTD X2, Y2")
				f.op("VMINPS Y2, Y1, Y1")
			}
			f.op("VCVTTPS2DQ Y1, Y1")
			f.op("VPSLLD $28, Y1, Y2")
			f.op("VPSLLD $27, Y1, Y3")
			f.table32(func(i int) string { return at32("AX", stepsTable, i) }, 1, 2, 3, 4, 5, 6)
			f.op("VCMPPS $30, Y4, Y0, Y4")
			f.op("VPSUBD Y4, Y1, Y1")
			if members > 0 {
				f.op("VPSLLD $28, Y1, Y2")
				f.op("VPSLLD $27, Y1, Y3")
			}
			if kind == weighted {
				f.op("VMASKMOVPS (R12), Y15, Y7")
				f.op("ADDQ $32, R12")
			}
			for m := range members {
				f.table32(func(i int) string { return at32("BX", classValues+128*m, i) }, 1, 2, 3, 4, 5, 6)
				f.op("VFNMADD213PS Y0, %s, Y4", y(delta))
				f.op("VANDPS Y15, Y4, Y4")
				if kind == weighted {
					f.op("VMULPS Y4, Y7, Y5")
					f.op("VFMADD231PS Y4, Y5, %s", y(acc+m))
					continue
				}
				f.op("VFMADD231PS Y4, Y4, %s", y(acc+m))
			}
			f.storeBytes(1, 5)
		})
		for m := range members {
			f.fold8("VADDPS", acc+m, 0)
			f.op("VMOVSS %s, %d(R11)", x(acc+m), 4*m)
		}
		if members > 0 {
			f.op("ADDQ %d(AX), R11", stepsStride)
		}
		if kind == weighted {
			f.op("MOVQ R9, R15")
			f.op("SHLQ $2, R15")
			f.op("SUBQ R15, R12")
		}
	})
}

// lookupAVX2 emits the loop from steps to codes, 32 at a time.
func lookupAVX2(f *file) {
	f.text("lookupAVX2", "LookupArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), CX")
	f.op("MOVQ 24(AX), BX")
	f.op("VBROADCASTI128 (BX), Y4")
	f.op("VBROADCASTI128 16(BX), Y5")
	f.label("bytes")
	f.op("VMOVDQU (SI), Y0")
	f.op("VPSLLW $3, Y0, Y3")
	f.op("VPSHUFB Y0, Y4, Y1")
	f.op("VPSHUFB Y0, Y5, Y2")
	f.op("VPBLENDVB Y3, Y2, Y1, Y1")
	f.op("VMOVDQU Y1, (DI)")
	f.op("ADDQ $32, SI")
	f.op("ADDQ $32, DI")
	f.op("SUBQ $32, CX")
	f.op("JNZ bytes")
	f.end()
}

func maxAVX2(f *file) {
	f.text("maxAVX2", "MaxArgs")
	f.op("MOVQ 32(AX), R8")
	f.op("VPCMPEQD Y6, Y6, Y6")
	f.op("VPSRLD $1, Y6, Y6")
	f.groupsOf(7, false, func() {
		f.op("VPXOR Y4, Y4, Y4")
		f.eights(func() {
			f.op("VMASKMOVPS (SI), Y15, Y0")
			f.op("VPAND Y6, Y0, Y0")
			f.op("VPMAXUD Y0, Y4, Y4")
		})
		f.fold8("VPMAXUD", 4, 0)
		f.op("VMOVD X4, (R8)")
		f.op("ADDQ $4, R8")
	})
}

func rangeAVX2(f *file) {
	f.text("rangeAVX2", "RangeArgs")
	f.op("MOVQ 32(AX), R8")
	f.groupsOf(7, false, func() {
		f.op("VPXOR Y4, Y4, Y4")
		f.op("VPXOR Y5, Y5, Y5")
		f.eights(func() {
			f.op("VMASKMOVPS (SI), Y15, Y0")
			f.op("VMINPS Y0, Y4, Y4")
			f.op("VMAXPS Y0, Y5, Y5")
		})
		f.fold8("VMINPS", 4, 0)
		f.fold8("VMAXPS", 5, 0)
		f.op("VMOVSS X4, (R8)")
		f.op("VMOVSS X5, 4(R8)")
		f.op("ADDQ $8, R8")
	})
}

// roundAVX2 emits the loop for integer codebooks.
func roundAVX2(f *file) {
	f.text("roundAVX2", "RoundArgs")
	f.op("MOVQ 32(AX), DI")
	f.op("MOVQ 40(AX), R10")
	f.op("MOVQ 48(AX), R11")
	f.op("VPBROADCASTD 56(AX), Y10")
	f.op("MOVQ $0x3fe0000000000000, R15")
	f.op("VMOVQ R15, X11")
	f.op("VPBROADCASTQ X11, Y11")
	f.op("MOVQ $0x3ff0000000000000, R15")
	f.op("VMOVQ R15, X12")
	f.op("VPBROADCASTQ X12, Y12")
	f.op("MOVL $0x3effe000, R15") // 1/2 − 2^−12
	f.op("VMOVD R15, X14")
	f.op("VPBROADCASTD X14, Y14")
	f.groupsOf(7, true, func() {
		f.op("VBROADCASTSD (R10), Y8")
		f.op("VPBROADCASTD (R11), Y9")
		f.op("ADDQ $8, R10")
		f.op("ADDQ $4, R11")
		f.op("VDIVSD X8, X12, X0")
		f.op("VCVTSD2SS X0, X0, X0")
		f.op("VBROADCASTSS X0, Y7")
		f.eights(func() {
			f.op("VMASKMOVPS (SI), Y15, Y0")
			f.op("VMULPS Y7, Y0, Y1")
			f.op("VROUNDPS $8, Y1, Y2")
			f.op("VSUBPS Y2, Y1, Y1")
			f.op("VPSLLD $1, Y1, Y1")
			f.op("VPSRLD $1, Y1, Y1")
			f.op("VCMPPS $30, Y14, Y1, Y1")
			f.op("VCVTPS2DQ Y2, Y2")
			f.op("VPTEST Y1, Y1")
			f.op("JNZ divide")
			f.label("rounded")
			f.op("VPADDD Y9, Y2, Y2")
			f.op("VPXOR X1, X1, X1")
			f.op("VPMAXSD Y1, Y2, Y2")
			f.op("VPMINSD Y10, Y2, Y2")
			f.storeBytes(2, 1)
		})
	})
	f.comment("some weight is near the middle between two integers")
	f.label("divide")
	f.op("VEXTRACTF128 $1, Y0, X1")
	for i := range 2 {
		f.op("VCVTPS2PD %s, %s", x(i), y(i))
		f.op("VDIVPD Y8, %s, %s", y(i), y(i))
		f.op("VROUNDPD $9, %s, %s", y(i), y(2+i))
		f.op("VADDPD Y11, %s, %s", y(2+i), y(4+i))
		f.op("VCMPPD $30, %s, %s, %s", y(4+i), y(i), y(4+i))
		f.op("VANDPD Y12, %s, %s", y(4+i), y(4+i))
		f.op("VADDPD %s, %s, %s", y(4+i), y(2+i), y(2+i))
		f.op("VCVTTPD2DQY %s, %s", y(2+i), x(2+i))
	}
	f.op("VINSERTI128 $1, X3, Y2, Y2")
	f.op("JMP rounded")
}

// packAVX2 emits the loop that packs codes, 16 at a time. masks has the masks already
// written.
func packAVX2(f *file, bits int, masks map[uint64]bool) {
	layout := pack.Layout(bits)
	type from struct {
		strip int
		pack.Field
	}
	planes := make([][]from, pack.StripBytes(bits))
	for s, fields := range layout {
		for _, d := range fields {
			planes[d.Index] = append(planes[d.Index], from{s, d})
			if m := d.Mask << d.From; !masks[m] {
				masks[m] = true
				w := uint32(m)
				f.data(fmt.Sprintf("mask%02x", byte(m)), w, w, w, w)
			}
		}
	}
	f.text(fmt.Sprintf("pack%dAVX2", bits), "PackArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), BX")
	f.op("MOVQ 24(AX), DX")
	f.op("LEAQ (BX)(BX*2), R9")
	f.op("LEAQ (BX)(BX*4), R10")
	f.op("LEAQ (R9)(BX*4), R11")
	at := func(base string, i int) string {
		return "(" + base + ")" + []string{"", "(BX*1)", "(BX*2)", "(R9*1)", "(BX*4)", "(R10*1)", "(R9*2)", "(R11*1)"}[i]
	}
	f.label("chunk")
	f.op("MOVQ BX, CX")
	f.label("part")
	for s := range layout {
		f.op("VMOVDQU %s, %s", at("SI", s), x(s))
	}
	for p, fields := range planes {
		for i, d := range fields {
			src, v := x(d.strip), "X9"
			if i == 0 {
				v = "X8"
			}
			switch shift := int(d.From) - int(d.To); {
			case shift > 0:
				f.op("VPSLLW $%d, %s, %s", shift, src, v)
				src = v
			case shift < 0:
				f.op("VPSRLW $%d, %s, %s", -shift, src, v)
				src = v
			}
			f.op("VPAND mask%02x<>(SB), %s, %s", byte(d.Mask<<d.From), src, v)
			if i > 0 {
				f.op("VPOR X9, X8, X8")
			}
		}
		f.op("VMOVDQU X8, %s", at("DI", p))
	}
	f.op("ADDQ $16, SI")
	f.op("ADDQ $16, DI")
	f.op("SUBQ $16, CX")
	f.op("JNZ part")
	// The pointers have passed the first strip and the first plane. Skip the others.
	if n := len(layout); n > 1 {
		f.op("IMUL3Q $%d, BX, CX", n-1)
		f.op("ADDQ CX, SI")
	}
	if n := len(planes); n > 1 {
		f.op("IMUL3Q $%d, BX, CX", n-1)
		f.op("ADDQ CX, DI")
	}
	f.op("DECQ DX")
	f.op("JNZ chunk")
	f.end()
}
