package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

func panelNEON() *file {
	f := newFile("arm64 && !purego")
	for bits := 2; bits <= 8; bits++ {
		for tables := 1; tables <= 4; tables *= 2 {
			if avx2Tables(bits, tables) == tables {
				panelCodesNEON(f, bits, tables)
			}
		}
		panelCodesNEON(f, bits, 0)
	}
	for _, m := range metaModes {
		panelMetaNEON(f, m)
	}
	return f
}

// word4 emits a loop that stores R11 words, at least one, of each of the rows at R4 … R7
// at R10, and moves these pointers on.
func word4(f *file, label string) {
	f.label(label)
	for i := range 4 {
		f.op("VLD1.P 4(R%d), V0.S[%d]", 4+i, i)
	}
	f.op("VST1.P [V0.B16], 16(R10)")
	f.op("SUBS $1, R11, R11")
	f.op("BNE %s", label)
}

// panelCodesNEON emits the loop that converts codes to a panel: by look-ups in tables of
// 16 entries or, with tables 0, by a sum.
func panelCodesNEON(f *file, bits, tables int) {
	layout := pack.Layout(bits)
	planes := pack.StripBytes(bits)
	name := fmt.Sprintf("panelSum%dNEON", bits)
	if tables > 0 {
		name = fmt.Sprintf("panelTable%dx%dNEON", bits, tables)
	}
	f.textARM64(name, "PanelArgs")
	f.op("MOVD %d(R0), R1", panelDst)
	f.op("MOVD %d(R0), R2", panelSelAt)
	f.op("MOVD %d(R0), R3", panelSel)
	f.op("MOVD %d(R0), R8", panelFrom)
	for i := range 4 {
		f.op("MOVD %d(R0), R%d", panelRows+8*i, 4+i)
		f.op("ADD R8, R%[1]d, R%[1]d", 4+i)
	}
	f.op("MOVD %d(R0), R8", panelChunks)
	f.op("MOVD %d(R0), R9", panelStride)
	// Registers: V0 … planes, V16 … masks, V20 … the table, V24 … V30 temporaries.
	masks := map[uint64]string{}
	possible := func(d pack.Field) uint64 { // bits that may be set after the shift
		if d.From > d.To {
			return 0xff >> (d.From - d.To)
		}
		return 0xff << (d.To - d.From) & 0xff
	}
	for _, fields := range layout {
		for _, d := range fields {
			m := d.Mask & 0xff << d.To
			if _, ok := masks[m]; !ok && possible(d) != m {
				masks[m] = fmt.Sprintf("V%d", 16+len(masks))
				f.op("VMOVI $%d, %s.B16", m, masks[m])
			}
		}
	}
	if tables > 0 {
		f.op("MOVD %d(R0), R24", panelTable)
		f.op("VLD1 (R24), %s", list(20, tables, "B16"))
	}

	// extract puts the codes of strip s, from the planes in V(plane(0)) …, into a
	// register.
	extract := func(fields []pack.Field, plane func(i int) int, code, temp string) {
		for i, d := range fields {
			to := temp
			if i == 0 {
				to = code
			}
			src := fmt.Sprintf("V%d", plane(d.Index))
			switch shift := int(d.From) - int(d.To); {
			case shift > 0:
				f.op("VUSHR $%d, %s.B16, %s.B16", shift, src, to)
				src = to
			case shift < 0:
				f.op("VSHL $%d, %s.B16, %s.B16", -shift, src, to)
				src = to
			}
			if m := d.Mask & 0xff << d.To; possible(d) != m {
				f.op("VAND %s.B16, %s.B16, %s.B16", masks[m], src, to)
				src = to
			}
			switch {
			case i > 0:
				f.op("VORR %s.B16, %s.B16, %s.B16", src, code, code)
			case src != code:
				f.op("VORR %s.B16, %s.B16, %s.B16", src, src, code)
			}
		}
		if tables > 0 {
			f.op("VORR V30.B16, %s.B16, %s.B16", code, code)
			f.op("VTBL %s.B16, %s, %s.B16", code, list(20, tables, "B16"), code)
		} else {
			f.op("VADD V30.B16, %s.B16, %s.B16", code, code)
		}
	}

	f.comment("R13 is the distance between strips")
	f.op("MOVD %d(R0), R11", panelHeight)
	f.op("LSR $2, R11, R13")
	f.op("MUL R9, R13, R13")
	// Quads with the same selectors are taken several at a time.
	quads := 4
	if planes > 4 {
		quads = 2
	}
	f.op("MOVBU %d(R0), R26", panelEven)
	f.op("LSL $%d, R9, R14", quads/2)
	f.op("SUB R14, R13, R14")
	f.label("chunk")
	f.op("MOVD %d(R0), R11", panelHeight)
	if planes == 1 {
		f.op("CBNZ R26, sixteen")
	}
	f.op("MOVD %d(R0), R25", panelScratch)
	f.op("MOVD $%d, R12", planes)
	f.label("plane")
	f.op("MOVD R25, R10")
	f.op("ADD $256, R25, R25")
	f.op("MOVD %d(R0), R11", panelHeight)
	f.op("LSR $2, R11, R11")
	f.op("CMP $4, R11")
	f.op("BLT word")
	f.label("words")
	for i := range 4 {
		f.op("VLD1.P 16(R%d), [V%d.B16]", 4+i, i)
	}
	f.op("VST4.P %s, 64(R10)", list(0, 4, "S4"))
	f.op("SUB $4, R11, R11")
	f.op("CMP $4, R11")
	f.op("BGE words")
	f.op("CBZ R11, next")
	word4(f, "word")
	f.label("next")
	f.op("SUBS $1, R12, R12")
	f.op("BNE plane")

	f.comment("planes are 256 bytes apart, strips Height/4 words of 4 rows")
	f.op("MOVD %d(R0), R11", panelHeight)
	f.op("MOVD %d(R0), R10", panelScratch)
	if planes > 1 {
		f.op("CBNZ R26, sixteen")
	}
	f.label("quad")
	for i := range planes {
		f.op("FMOVQ %d(R10), F%d", 256*i, i)
	}
	f.op("ADD $16, R10, R10")
	f.op("MOVD R1, R22")
	for s, fields := range layout {
		f.op("MOVHU %d(R2), R23", 2*s)
		f.op("ADD R23, R3, R24")
		f.op("VLD1 (R24), [V30.B16]")
		extract(fields, func(i int) int { return i }, "V28", "V29")
		f.op("VST1 [V28.B16], (R22)")
		if s+1 < len(layout) {
			f.op("ADD R13, R22, R22")
		}
	}
	f.op("ADD $%d, R2, R2", 2*len(layout))
	f.op("ADD R9, R1, R1")
	f.op("SUBS $4, R11, R11")
	f.op("BNE quad")
	f.op("B done")

	f.label("sixteen")
	// Plane i of quad q is in V(i·quads+q).
	if planes == 1 {
		for i := range 4 {
			f.op("VLD1.P 16(R%d), [V%d.B16]", 4+i, 4+i)
		}
		f.zip(1, 8, 4, 5, "S4")
		f.zip(2, 9, 4, 5, "S4")
		f.zip(1, 10, 6, 7, "S4")
		f.zip(2, 11, 6, 7, "S4")
		for q := range 4 {
			f.zip(1+q%2, q, 8+q/2, 10+q/2, "D2")
		}
	} else {
		for i := range planes {
			for q := 0; q < quads; q += 2 {
				f.op("FLDPQ %d(R10), (F%d, F%d)", 256*i+16*q, i*quads+q, i*quads+q+1)
			}
		}
		f.op("ADD $%d, R10, R10", 16*quads)
	}
	f.op("MOVD R1, R22")
	for s, fields := range layout {
		f.op("MOVHU %d(R2), R23", 2*s)
		f.op("ADD R23, R3, R24")
		f.op("VLD1 (R24), [V30.B16]")
		for q := range quads {
			code := fmt.Sprintf("V%d", 24+q)
			extract(fields, func(i int) int { return i*quads + q }, code, fmt.Sprintf("V%d", 28+q%2))
			f.op("VST1.P [%s.B16], (R22)(R9)", code)
		}
		if s+1 < len(layout) {
			f.op("ADD R14, R22, R22")
		}
	}
	f.op("ADD $%d, R2, R2", 2*len(layout)*quads)
	f.op("ADD R9<<%d, R1, R1", quads/2)
	f.op("SUBS $%d, R11, R11", 4*quads)
	f.op("BNE sixteen")

	f.label("done")
	// The pointer has passed the first strip. Skip the others.
	if n := len(layout); n > 1 {
		f.op("MOVD $%d, R10", n-1)
		f.op("MADD R10, R1, R13, R1")
	}
	f.op("SUBS $1, R8, R8")
	f.op("BNE chunk")
	f.op("RET")
}

// panelMetaNEON emits the loop that converts selectors or scales to words of 4 rows.
func panelMetaNEON(f *file, mode string) {
	f.textARM64("meta"+mode+"NEON", "MetaArgs")
	f.op("MOVD %d(R0), R10", metaFrom)
	for i := range 4 {
		f.op("MOVD %d(R0), R%d", metaRows+8*i, 4+i)
		f.op("ADD R10, R%[1]d, R%[1]d", 4+i)
	}
	f.op("MOVD %d(R0), R10", metaScratch)
	f.op("MOVD %d(R0), R11", metaBytes)
	f.op("LSR $2, R11, R11")
	word4(f, "word")

	f.op("MOVD %d(R0), R3", metaScratch)
	f.op("MOVD %d(R0), R8", metaBit)
	f.op("MOVD %d(R0), R9", metaBits)
	f.op("MOVD %d(R0), R10", metaGroups)
	f.op("MOVD %d(R0), R1", metaDst)
	f.op("MOVD %d(R0), R2", metaStride)
	f.comment("V1 is the mask of a number, V2 spreads it to the bytes of its word")
	f.op("MOVD $1, R11")
	f.op("LSL R9, R11, R11")
	f.op("SUB $1, R11, R11")
	f.op("VDUP R11, V1.S4")
	f.op("MOVD $0x01010101, R11")
	f.op("VDUP R11, V2.S4")
	switch mode {
	case "Table":
		f.op("MOVD %d(R0), R11", metaShift)
		f.op("VDUP R11, V3.S4")
	case "Sum":
		f.op("MOVD %d(R0), R11", metaAdd)
		f.op("VDUP R11, V3.B16")
	case "E8M0":
		f.op("MOVD $0x00400000, R11") // 2^-127, which is subnormal
		f.op("VDUP R11, V3.S4")
	case "E4M3":
		f.op("MOVD $0x7b800000, R11") // 2^120
		f.op("VDUP R11, V3.S4")
	}
	f.label("group")
	f.op("LSR $5, R8, R12")
	f.op("ADD R12<<4, R3, R12")
	f.op("AND $31, R8, R13")
	f.op("NEG R13, R13")
	f.op("VDUP R13, V4.S4")
	f.op("VLD1 (R12), [V0.B16]")
	f.word("ushl", 0, 0, 4)
	f.op("VAND V1.B16, V0.B16, V0.B16")
	switch mode {
	case "Table":
		f.word("ushl", 0, 0, 3)
		f.word("mul", 0, 0, 2)
	case "Sum":
		f.word("mul", 0, 0, 2)
		f.op("VSUB V0.B16, V3.B16, V0.B16")
	case "Float":
		f.word("scvtf", 0, 0)
	case "E8M0":
		f.op("VSHL $23, V0.S4, V0.S4")
		f.word("umax", 0, 0, 3)
	case "E4M3":
		f.op("VSHL $20, V0.S4, V0.S4")
		f.word("fmul", 0, 0, 3)
	}
	f.op("VST1 [V0.B16], (R1)")
	f.op("ADD R2, R1, R1")
	f.op("ADD R9, R8, R8")
	f.op("SUBS $1, R10, R10")
	f.op("BNE group")
	f.op("RET")
}
