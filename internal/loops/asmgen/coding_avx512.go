package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

// Offsets of coding.Class.
const (
	classThresholds = 0
	classSlack      = 256
	classValues     = 512
	classInv        = 1024
	classOff        = 1028
)

// Offsets of coding.Groups, the first field of the arguments of loops over groups.
const (
	groupsW      = 0
	groupsSize   = 8
	groupsLast   = 16
	groupsGroups = 24
)

// Offsets of coding.StepsArgs.
const (
	stepsSteps  = 32
	stepsClass  = 40
	stepsDeltas = 48
	stepsErrors = 56
	stepsStride = 64
	stepsA      = 72
)

func codingAVX512() *file {
	f := newFile("amd64 && !purego")
	for _, members := range []int{0, 1, 2, 4} {
		steps(f, members, anyDelta)
		steps(f, members, powers)
	}
	steps(f, 0, clamped)
	for _, members := range []int{1, 2, 4} {
		steps(f, members, weighted)
	}
	lookup(f)
	anyOf(f)
	groupMax(f)
	roundIntegers(f)
	groupRange(f)
	f.data("firsts", 0, 4, 8, 0)
	fitAVX512(f, fitCells)
	fitAVX512(f, fitRound)
	fitAVX512(f, fitEdges)
	widen16(f, "widenBF16AVX512", func() {
		f.op("VPMOVZXWD.Z (SI), K1, Z0")
		f.op("VPSLLD $16, Z0, Z0")
	})
	widen16(f, "widenF16AVX512", func() { f.op("VCVTPH2PS.Z (SI), K1, Z0") })
	narrow(f)
	for bits := 2; bits <= 8; bits++ {
		packCodes(f, bits)
	}
	return f
}

// y returns the name of the lower half of a vector register.
func y(i int) string { return fmt.Sprintf("Y%d", i) }

// lanes emits a loop over CX elements, 16 at a time, masked by K1.
func (f *file) lanes(label string, body func()) {
	f.each(label, 16, body)
}

// each emits a loop over CX elements, n = 16 or 64 at a time, masked by K1.
func (f *file) each(label string, n int, body func()) {
	f.op("MOVQ $-1, R15")
	f.op("KMOVQ R15, K1")
	f.op("CMPQ CX, $%d", n)
	f.op("JGE %s", label)
	f.label(label + "Rest")
	f.op("NEGQ CX")
	f.op("ADDQ $64, CX")
	f.op("SHRQ CX, R15")
	f.op("KMOVQ R15, K1")
	f.op("MOVQ $%d, CX", n)
	f.label(label)
	body()
	f.op("SUBQ $%d, CX", n)
	f.op("JZ %sEnd", label)
	f.op("CMPQ CX, $%d", n)
	f.op("JGE %s", label)
	f.op("JMP %sRest", label)
	f.label(label + "End")
}

// groups emits a loop over groups of weights. body gets the address of a group's weights
// in SI and their number in CX, and must leave SI behind the last step of 16. If codes is
// set, DI points to one byte for each weight.
func (f *file) groups(codes bool, body func()) { f.groupsOf(15, codes, body) }

// groupsOf is groups for steps of last+1 weights.
func (f *file) groupsOf(last int, codes bool, body func()) {
	f.op("MOVQ %d(AX), SI", groupsW)
	f.op("MOVQ %d(AX), DX", groupsGroups)
	f.op("MOVQ %d(AX), R9", groupsSize)
	f.comment("R9 is the excess of the last step over the end of the group")
	f.op("NEGQ R9")
	f.op("ANDQ $%d, R9", last)
	f.label("group")
	f.op("MOVQ %d(AX), CX", groupsSize)
	f.op("CMPQ DX, $1")
	f.op("CMOVQEQ %d(AX), CX", groupsLast)
	body()
	f.op("MOVQ R9, R15")
	f.op("SHLQ $2, R15")
	f.op("SUBQ R15, SI")
	if codes {
		f.op("SUBQ R9, DI")
	}
	f.op("DECQ DX")
	f.op("JNZ group")
	f.op("VZEROUPPER")
	f.op("RET")
}

// fold reduces vector v to its lowest word with op, by halves. It overwrites vectors a
// and b.
func (f *file) fold(op string, v, a, b int) {
	f.op("VEXTRACTF64X4 $1, %s, %s", z(v), y(a))
	f.op("%s %s, %s, %s", op, y(a), y(v), y(a))
	f.op("VEXTRACTF32X4 $1, %s, %s", y(a), x(b))
	f.op("%s %s, %s, %s", op, x(b), x(a), x(a))
	f.op("VPSHUFD $0x4e, %s, %s", x(a), x(b))
	f.op("%s %s, %s, %s", op, x(b), x(a), x(a))
	f.op("VPSHUFD $0xb1, %s, %s", x(a), x(b))
	f.op("%s %s, %s, %s", op, x(b), x(a), x(v))
}

// A stepsKind is one of the loops that find steps.
type stepsKind int

const (
	anyDelta stepsKind = iota
	powers             // every Δ is a power of two; weights are divided by Δ, and all groups share the thresholds
	clamped            // ratios may be far outside of the cells
	weighted           // errors have importances
)

// steps emits the loop that finds steps and the errors of the given number of codebooks.
func steps(f *file, members int, kind stepsKind) {
	const t, values, acc = 8, 12, 20
	const delta, scale, off, one, wide, lowest, highest = 24, 25, 26, 27, 28, 29, 30
	name := fmt.Sprintf([]string{"steps%dAVX512", "powers%dAVX512", "clamped%dAVX512", "weighted%dAVX512"}[kind], members)
	f.text(name, "StepsArgs")
	f.op("MOVQ %d(AX), DI", stepsSteps)
	f.op("MOVQ %d(AX), BX", stepsClass)
	f.op("MOVQ %d(AX), R10", stepsDeltas)
	if members > 0 {
		f.op("MOVQ %d(AX), R11", stepsErrors)
	}
	if kind == weighted {
		f.op("MOVQ %d(AX), R12", stepsA)
	}
	f.op("MOVL $1, R15")
	f.op("VPBROADCASTD R15, %s", z(one))
	f.op("VBROADCASTSS %d(BX), %s", classOff, z(off))
	if kind == clamped {
		f.op("VPXORD %s, %s, %s", z(lowest), z(lowest), z(lowest))
		f.op("MOVL $0x41f80000, R15") // 31
		f.op("VPBROADCASTD R15, %s", z(highest))
	}
	for i := range 2 {
		for m := range members {
			f.op("VMOVUPS %d(BX), %s", classValues+128*m+64*i, z(values+2*m+i))
		}
	}
	table := func() {
		f.comment("thresholds as weights: the nearest float32 to t·Δ, or the one below it")
		for q := range 4 {
			f.op("VMOVUPD %d(BX), Z0", classThresholds+64*q)
			f.op("VMULPD %s, Z0, Z1", z(wide))
			f.op("VCVTPD2PS Z1, Y2")
			f.op("VCVTPS2PD Y2, Z3")
			f.op("VFNMADD231PD %s, Z0, Z3", z(wide))
			f.op("VMULPD %d(BX), %s, Z4", classSlack+64*q, z(wide))
			f.op("VCMPPD $30, Z4, Z3, K2")
			f.op("VPSRAD $31, Y2, Y3")
			f.op("VPORD %s, Y3, Y3", y(one))
			f.op("VPSUBD Y3, Y2, K2, Y2")
			if q%2 == 0 {
				f.op("VMOVDQA64 Z2, %s", z(t+q/2))
			} else {
				f.op("VINSERTF64X4 $1, Y2, %s, %s", z(t+q/2), z(t+q/2))
			}
		}
	}
	if kind == powers {
		f.op("MOVQ $0x3ff0000000000000, R15") // 1
		f.op("VPBROADCASTQ R15, %s", z(wide))
		f.op("VBROADCASTSS %d(BX), %s", classInv, z(scale))
		table()
	}
	f.groups(true, func() {
		if kind == powers {
			f.op("VDIVSD (R10), %s, X0", x(wide))
			f.op("VCVTSD2SS X0, X0, X0")
			f.op("VBROADCASTSS X0, %s", z(delta))
		} else {
			f.op("VBROADCASTSD (R10), %s", z(wide))
			f.op("VCVTSS2SD %d(BX), X0, X0", classInv)
			f.op("VDIVSD %s, X0, X0", x(wide))
			f.op("VCVTSD2SS X0, X0, X0")
			f.op("VBROADCASTSS X0, %s", z(scale))
			f.op("VCVTSD2SS %s, %s, X0", x(wide), x(wide))
			f.op("VBROADCASTSS X0, %s", z(delta))
			table()
		}
		f.op("ADDQ $8, R10")
		for m := range members {
			f.op("VPXORD %s, %s, %s", z(acc+m), z(acc+m), z(acc+m))
		}
		f.lanes("weights", func() {
			if kind == powers {
				f.op("VMULPS.Z (SI), %s, K1, Z0", z(delta))
			} else {
				f.op("VMOVUPS.Z (SI), K1, Z0")
			}
			f.op("VMOVAPS Z0, Z1")
			f.op("VFMADD213PS %s, %s, Z1", z(off), z(scale))
			if kind == clamped {
				f.op("VMAXPS %s, Z1, Z1", z(lowest))
				f.op("VMINPS %s, Z1, Z1", z(highest))
			}
			f.op("VCVTTPS2DQ Z1, Z1")
			f.op("VMOVDQA64 Z1, Z2")
			f.op("VPERMI2PS %s, %s, Z2", z(t+1), z(t))
			f.op("VCMPPS $30, Z2, Z0, K2")
			f.op("VPADDD %s, Z1, K2, Z1", z(one))
			f.op("VPMOVDB Z1, X2") // stores with masks are slow on Zen 4
			f.op("VMOVDQU X2, (DI)")
			if kind == weighted {
				f.op("VMOVUPS.Z (R12), K1, Z6")
				f.op("ADDQ $64, R12")
			}
			for m := range members {
				v := z(2 + m%2)
				f.op("VMOVDQA64 Z1, %s", v)
				f.op("VPERMI2PS %s, %s, %s", z(values+2*m+1), z(values+2*m), v)
				if kind == powers {
					f.op("VSUBPS.Z %s, Z0, K1, %s", v, v)
				} else {
					f.op("VFNMADD213PS.Z Z0, %s, K1, %s", z(delta), v)
				}
				factor := v
				if kind == weighted {
					factor = z(4 + m%2)
					f.op("VMULPS %s, Z6, %s", v, factor)
				}
				f.op("VFMADD231PS %s, %s, %s", v, factor, z(acc+m))
			}
			f.op("ADDQ $64, SI")
			f.op("ADDQ $16, DI")
		})
		for m := range members {
			f.fold("VADDPS", acc+m, 2*(m%2), 2*(m%2)+1)
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

// lookup emits the loop from steps to codes.
func lookup(f *file) {
	f.text("lookupAVX512", "LookupArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), CX")
	f.op("MOVQ 24(AX), BX")
	f.op("VMOVDQU64 (BX), Z8")
	f.each("bytes", 64, func() {
		f.op("VMOVDQU8.Z (SI), K1, Z0")
		f.op("VPERMB Z8, Z0, Z0")
		f.op("VMOVDQU8 Z0, K1, (DI)")
		f.op("ADDQ $64, SI")
		f.op("ADDQ $64, DI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// anyOf emits the loop that looks for bytes with a nonzero table entry.
func anyOf(f *file) {
	f.text("anyAVX512", "AnyArgs")
	f.op("MOVQ 0(AX), SI")
	f.op("MOVQ 8(AX), CX")
	f.op("MOVQ 16(AX), BX")
	f.op("VMOVDQU64 (BX), Z8")
	f.op("VPXORD Z1, Z1, Z1")
	f.each("bytes", 64, func() {
		f.op("VMOVDQU8.Z (SI), K1, Z0")
		f.op("VPERMB.Z Z8, Z0, K1, Z0")
		f.op("VPORD Z0, Z1, Z1")
		f.op("ADDQ $64, SI")
	})
	f.op("XORL R15, R15")
	f.op("VPTESTMB Z1, Z1, K2")
	f.op("KORTESTQ K2, K2")
	f.op("SETNE 24(AX)")
	f.op("VZEROUPPER")
	f.op("RET")
}

// groupMax emits the loop that finds the largest magnitudes.
func groupMax(f *file) {
	f.text("maxAVX512", "MaxArgs")
	f.op("MOVQ 32(AX), R8")
	f.op("MOVL $0x7fffffff, R15")
	f.op("VPBROADCASTD R15, Z8")
	f.groups(false, func() {
		f.op("VPXORD Z4, Z4, Z4")
		f.lanes("weights", func() {
			f.op("VPANDD.Z (SI), Z8, K1, Z0")
			f.op("VPMAXUD Z0, Z4, Z4")
			f.op("ADDQ $64, SI")
		})
		f.fold("VPMAXUD", 4, 0, 1)
		f.op("VMOVD X4, (R8)")
		f.op("ADDQ $4, R8")
	})
}

// roundIntegers emits the loop for integer codebooks.
func roundIntegers(f *file) {
	f.text("roundAVX512", "RoundArgs")
	f.op("MOVQ 32(AX), DI")
	f.op("MOVQ 40(AX), R10")
	f.op("MOVQ 48(AX), R11")
	f.op("VPBROADCASTD 56(AX), Z10")
	f.op("MOVQ $0x3fe0000000000000, R15")
	f.op("VPBROADCASTQ R15, Z11")
	f.op("MOVQ $0x3ff0000000000000, R15")
	f.op("VPBROADCASTQ R15, Z12")
	f.op("VPXORD Z13, Z13, Z13")
	f.op("MOVL $0x7fffffff, R15")
	f.op("VPBROADCASTD R15, Z14")
	f.op("MOVL $0x3effe000, R15") // 1/2 − 2^−12
	f.op("VPBROADCASTD R15, Z15")
	f.groups(true, func() {
		f.op("VBROADCASTSD (R10), Z8")
		f.op("VPBROADCASTD (R11), Z9")
		f.op("ADDQ $8, R10")
		f.op("ADDQ $4, R11")
		f.op("VDIVSD X8, X12, X0")
		f.op("VCVTSD2SS X0, X0, X0")
		f.op("VBROADCASTSS X0, Z16")
		f.lanes("weights", func() {
			f.op("VMOVUPS.Z (SI), K1, Z0")
			f.op("VMULPS Z16, Z0, Z1")
			f.op("VRNDSCALEPS $8, Z1, Z2")
			f.op("VSUBPS Z2, Z1, Z1")
			f.op("VPANDD Z14, Z1, Z1")
			f.op("VCMPPS $30, Z15, Z1, K2")
			f.op("VCVTPS2DQ Z2, Z2")
			f.op("KORTESTW K2, K2")
			f.op("JNZ divide")
			f.label("rounded")
			f.op("VPADDD Z9, Z2, Z2")
			f.op("VPMAXSD Z13, Z2, Z2")
			f.op("VPMINSD Z10, Z2, Z2")
			f.op("VPMOVDB Z2, X2")
			f.op("VMOVDQU X2, (DI)")
			f.op("ADDQ $64, SI")
			f.op("ADDQ $16, DI")
		})
	})
	f.comment("some weight is near the middle between two integers")
	f.label("divide")
	f.op("VEXTRACTF64X4 $1, Z0, Y1")
	for i := range 2 {
		f.op("VCVTPS2PD %s, %s", y(i), z(i))
		f.op("VDIVPD Z8, %s, %s", z(i), z(i))
		f.op("VRNDSCALEPD $9, %s, %s", z(i), z(2+i))
		f.op("VADDPD Z11, %s, %s", z(2+i), z(4+i))
		f.op("VCMPPD $30, %s, %s, K2", z(4+i), z(i))
		f.op("VADDPD Z12, %s, K2, %s", z(2+i), z(2+i))
		f.op("VCVTTPD2DQ %s, %s", z(2+i), y(i))
	}
	f.op("VINSERTI64X4 $1, Y1, Z0, Z2")
	f.op("JMP rounded")
}

// groupRange emits the loop for the least and the greatest weights.
func groupRange(f *file) {
	f.text("rangeAVX512", "RangeArgs")
	f.op("MOVQ 32(AX), R8")
	f.groups(false, func() {
		f.op("VPXORD Z4, Z4, Z4")
		f.op("VPXORD Z5, Z5, Z5")
		f.lanes("weights", func() {
			f.op("VMOVUPS.Z (SI), K1, Z0")
			f.op("VMINPS Z0, Z4, Z4")
			f.op("VMAXPS Z0, Z5, Z5")
			f.op("ADDQ $64, SI")
		})
		f.fold("VMINPS", 4, 0, 1)
		f.fold("VMAXPS", 5, 2, 3)
		f.op("VMOVSS X4, (R8)")
		f.op("VMOVSS X5, 4(R8)")
		f.op("ADDQ $8, R8")
	})
}

// widen16 emits a loop from 16-bit floats at SI to float32.
func widen16(f *file, name string, load func()) {
	f.text(name, "WidenArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), CX")
	f.lanes("weights", func() {
		load()
		f.op("VMOVUPS Z0, K1, (DI)")
		f.op("ADDQ $32, SI")
		f.op("ADDQ $64, DI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}

// narrow emits the loop from float64 to float32.
func narrow(f *file) {
	f.text("narrowAVX512", "NarrowArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), CX")
	f.op("KXORW K3, K3, K3")
	f.each("weights", 8, func() {
		f.op("VMOVUPD.Z (SI), K1, Z0")
		f.op("VCVTPD2PS Z0, Y1")
		f.op("VCVTPS2PD Y1, Z2")
		f.op("VCMPPD $4, Z2, Z0, K2")
		f.op("KORW K2, K3, K3")
		f.op("VMOVUPS Y1, K1, (DI)")
		f.op("ADDQ $64, SI")
		f.op("ADDQ $32, DI")
	})
	f.op("KTESTB K3, K3")
	f.op("SETEQ 24(AX)")
	f.op("VZEROUPPER")
	f.op("RET")
}

// packCodes emits the loop that packs codes of the given bits.
func packCodes(f *file, bits int) {
	layout := pack.Layout(bits)
	f.text(fmt.Sprintf("pack%dAVX512", bits), "PackArgs")
	f.op("MOVQ 0(AX), DI")
	f.op("MOVQ 8(AX), SI")
	f.op("MOVQ 16(AX), BX")
	f.op("MOVQ 24(AX), DX")
	mask(f, "BX")
	// Registers: Z0… strips, Z8… planes, Z16… masks.
	type from struct {
		strip int
		pack.Field
	}
	planes := make([][]from, pack.StripBytes(bits))
	masks := map[uint64]int{}
	for s, fields := range layout {
		for _, d := range fields {
			planes[d.Index] = append(planes[d.Index], from{s, d})
			if m := d.Mask << d.From; masks[m] == 0 && bits < 8 {
				r := 16 + len(masks)
				masks[m] = r
				f.op("MOVL $0x%08x, R15", uint32(m))
				f.op("VPBROADCASTD R15, %s", z(r))
			}
		}
	}
	f.label("chunk")
	for s := range layout {
		f.op("VMOVDQU8.Z (SI), K1, %s", z(s))
		f.op("ADDQ BX, SI")
	}
	for p, fields := range planes {
		out := z(8 + p)
		for i, d := range fields {
			src := z(d.strip)
			switch shift := int(d.From) - int(d.To); {
			case shift > 0:
				f.op("VPSLLD $%d, %s, Z31", shift, src)
				src = "Z31"
			case shift < 0:
				f.op("VPSRLD $%d, %s, Z31", -shift, src)
				src = "Z31"
			}
			switch {
			case bits == 8:
				out = src
			case i == 0:
				f.op("VPANDD %s, %s, %s", z(masks[d.Mask<<d.From]), src, out)
			default:
				f.op("VPTERNLOGD $0xf8, %s, %s, %s", z(masks[d.Mask<<d.From]), src, out)
			}
		}
		f.op("VMOVDQU8 %s, K1, (DI)", out)
		f.op("ADDQ BX, DI")
	}
	f.op("DECQ DX")
	f.op("JNZ chunk")
	f.op("VZEROUPPER")
	f.op("RET")
}
