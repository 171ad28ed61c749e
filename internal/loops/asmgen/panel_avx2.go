package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

func panelAVX2() *file {
	f := newFile("amd64 && !purego")
	f.data("bytes16", 0x10101010)
	f.data("spread8", 0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404, 0x08080808, 0x0c0c0c0c)
	f.data("halfOf2p126", 0x00400000) // 2^-127, which is subnormal
	f.data("twoTo120", 0x7b800000)
	for bits := 2; bits <= 8; bits++ {
		for tables := 1; tables <= 4; tables *= 2 {
			if avx2Tables(bits, tables) == tables {
				panelCodesAVX2(f, bits, tables)
			}
		}
		panelCodesAVX2(f, bits, 0)
	}
	for _, m := range metaModes {
		panelMetaAVX2(f, m)
	}
	return f
}

// avx2Tables returns the number of tables of 16 entries that a function has, at least the
// number wanted. A selector has at most 2 bits, and at most 6 together with its code.
func avx2Tables(bits, tables int) int {
	return max(tables, 1<<max(0, bits-4))
}

// words8 emits a loop that stores CX words, at least one, of each of 8 rows at scratch
// memory SI. The rows' offsets are relative to R14. The loop moves SI and R14 on. Where
// rows are read by 16 bytes, the words of rows 0 to 3 are side by side, and so are those
// of rows 4 to 7.
func words8(f *file, name string) {
	f.op("CMPQ CX, $4")
	f.op("JLT %sWord", name)
	f.label(name + "Words")
	for i := range 4 {
		f.op("MOVQ %d(AX), R15", panelRows+8*i)
		f.op("VMOVDQU (R15)(R14*1), %s", x(i))
		f.op("MOVQ %d(AX), R15", panelRows+8*(i+4))
		f.op("VINSERTI128 $1, (R15)(R14*1), %s, %s", y(i), y(i))
	}
	for i := range 2 {
		f.op("VPUNPCKLDQ %s, %s, %s", y(2*i+1), y(2*i), y(4+2*i))
		f.op("VPUNPCKHDQ %s, %s, %s", y(2*i+1), y(2*i), y(5+2*i))
	}
	for c := range 4 {
		lo := []string{"VPUNPCKLQDQ", "VPUNPCKHQDQ"}[c%2]
		f.op("%s %s, %s, %s", lo, y(6+c/2), y(4+c/2), y(c))
		f.op("VMOVDQU %s, %d(SI)", y(c), 32*c)
	}
	f.op("ADDQ $128, SI")
	f.op("ADDQ $16, R14")
	f.op("SUBQ $4, CX")
	f.op("CMPQ CX, $4")
	f.op("JGE %sWords", name)
	f.op("TESTQ CX, CX")
	f.op("JZ %sDone", name)
	f.label(name + "Word")
	for i := range 8 {
		f.op("MOVQ %d(AX), R15", panelRows+8*i)
		if i%4 == 0 {
			f.op("VMOVD (R15)(R14*1), %s", x(i/4))
		} else {
			f.op("VPINSRD $%d, (R15)(R14*1), %s, %s", i%4, x(i/4), x(i/4))
		}
	}
	f.op("VMOVDQU X0, (SI)")
	f.op("VMOVDQU X1, 16(SI)")
	f.op("ADDQ $32, SI")
	f.op("ADDQ $4, R14")
	f.op("DECQ CX")
	f.op("JNZ %sWord", name)
	f.label(name + "Done")
}

// panelCodesAVX2 emits the loop that converts codes to a panel: by look-ups in tables of
// 16 entries or, with tables 0, by a sum.
func panelCodesAVX2(f *file, bits, tables int) {
	layout := pack.Layout(bits)
	planes := pack.StripBytes(bits)
	name := fmt.Sprintf("panelSum%dAVX2", bits)
	if tables > 0 {
		name = fmt.Sprintf("panelTable%dx%dAVX2", bits, tables)
	}
	f.text(name, "PanelArgs")
	f.op("MOVQ %d(AX), DI", panelDst)
	f.op("MOVQ %d(AX), R8", panelSelAt)
	f.op("MOVQ %d(AX), DX", panelSel)
	f.op("MOVQ %d(AX), R13", panelChunks)
	f.op("MOVQ %d(AX), R14", panelFrom)

	f.label("chunk")
	f.op("MOVQ %d(AX), SI", panelScratch)
	f.op("MOVQ $%d, BX", planes)
	f.label("plane")
	f.op("MOVQ %d(AX), CX", panelHeight)
	f.op("SHRQ $2, CX")
	words8(f, "plane")
	f.op("DECQ BX")
	f.op("JNZ plane")

	f.comment("planes and strips are Height/4 words of 8 rows apart")
	f.op("MOVQ %d(AX), CX", panelHeight)
	f.op("SHRQ $2, CX")
	f.op("MOVQ %d(AX), BX", panelStride)
	f.op("MOVQ CX, R9")
	f.op("IMULQ BX, R9")
	f.op("LEAQ (R9)(R9*2), R10")
	f.op("LEAQ (R9)(R9*4), R11")
	f.op("LEAQ (R10)(R9*4), R12")
	at := func(s int) string {
		return []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R10*1)", "(DI)(R9*4)", "(DI)(R11*1)", "(DI)(R10*2)", "(DI)(R12*1)"}[s]
	}
	// Registers: planes from Y0 on, then constants; Y13 … Y15 are temporaries.
	next := planes
	take := func() string { next++; return y(next - 1) }
	const code, temp, out = "Y15", "Y14", "Y13"
	masks := map[uint64]string{}
	for _, fields := range layout {
		for _, d := range fields {
			m := d.Mask << d.To
			if _, ok := masks[m]; !ok && bits < 8 {
				r := take()
				masks[m] = r
				f.op("MOVL $0x%08x, R15", uint32(m))
				f.op("VMOVD R15, X%s", r[1:])
				f.op("VPBROADCASTD X%s, %s", r[1:], r)
			}
		}
	}
	var tabs []string
	var sixteens string
	if tables > 0 {
		f.comment("replace tables by differences of tables: see below")
		f.op("MOVQ %d(AX), R15", panelTable)
		for i := range tables {
			r := take()
			tabs = append(tabs, r)
			f.op("VBROADCASTI128 %d(R15), %s", 16*i, r)
			if i > 0 {
				f.op("VBROADCASTI128 %d(R15), %s", 16*(i-1), temp)
				f.op("VPXOR %s, %s, %s", temp, r, r)
			}
		}
		if tables > 1 {
			sixteens = take()
			f.op("VPBROADCASTD bytes16<>(SB), %s", sixteens)
		}
	}
	if next > 13 {
		panic("no register is left")
	}
	f.comment("R15 is the size of a plane in bytes")
	f.op("MOVQ %d(AX), SI", panelScratch)
	f.label("quad")
	f.op("MOVQ %d(AX), R15", panelHeight)
	f.op("SHLQ $3, R15")
	f.op("VMOVDQU (SI), Y0")
	if planes > 1 {
		f.op("VMOVDQU (SI)(R15*1), Y1")
	}
	if planes > 2 {
		f.op("VMOVDQU (SI)(R15*2), Y2")
	}
	if planes > 4 {
		f.op("VMOVDQU (SI)(R15*4), Y4")
	}
	if planes > 3 {
		f.op("LEAQ (R15)(R15*2), R15")
		f.op("VMOVDQU (SI)(R15*1), Y3")
	}
	if planes > 6 {
		f.op("VMOVDQU (SI)(R15*2), Y6")
	}
	if planes > 5 {
		f.op("MOVQ %d(AX), R15", panelHeight)
		f.op("SHLQ $3, R15")
		f.op("LEAQ (R15)(R15*4), R15")
		f.op("VMOVDQU (SI)(R15*1), Y5")
	}
	for s, fields := range layout {
		f.op("MOVWLZX %d(R8), R15", 2*s)
		v := code
		for i, d := range fields {
			src := y(d.Index)
			switch shift := int(d.From) - int(d.To); {
			case shift > 0:
				f.op("VPSRLD $%d, %s, %s", shift, src, temp)
				src = temp
			case shift < 0:
				f.op("VPSLLD $%d, %s, %s", -shift, src, temp)
				src = temp
			}
			switch {
			case bits == 8:
				v = src
			case i == 0:
				f.op("VPAND %s, %s, %s", masks[d.Mask<<d.To], src, v)
			default:
				f.op("VPAND %s, %s, %s", masks[d.Mask<<d.To], src, temp)
				f.op("VPOR %s, %s, %s", temp, v, v)
			}
		}
		if tables == 0 {
			f.op("VPADDB (DX)(R15*1), %s, %s", v, out)
		} else {
			f.op("VPOR (DX)(R15*1), %s, %s", v, code)
			f.op("VPSHUFB %s, %s, %s", code, tabs[0], out)
			// A code below 16·i is negative after i subtractions of 16, and its look-up
			// gives 0. Other codes look up, modulo 16, the XOR of table i and the one
			// before.
			for i := 1; i < tables; i++ {
				f.op("VPSUBB %s, %s, %s", sixteens, code, code)
				f.op("VPSHUFB %s, %s, %s", code, tabs[i], temp)
				f.op("VPXOR %s, %s, %s", temp, out, out)
			}
		}
		f.op("VMOVDQU %s, %s", out, at(s))
	}
	f.op("ADDQ $%d, R8", 2*len(layout))
	f.op("ADDQ $32, SI")
	f.op("ADDQ BX, DI")
	f.op("DECQ CX")
	f.op("JNZ quad")
	// The pointer has passed the first strip. Skip the others.
	if n := len(layout); n > 1 {
		f.op("IMUL3Q $%d, R9, R9", n-1)
		f.op("ADDQ R9, DI")
	}
	f.op("DECQ R13")
	f.op("JNZ chunk")
	f.op("VZEROUPPER")
	f.op("RET")
}

// panelMetaAVX2 emits the loop that converts selectors or scales to words of 8 rows.
func panelMetaAVX2(f *file, mode string) {
	f.text("meta"+mode+"AVX2", "MetaArgs")
	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), CX", metaBytes)
	f.op("SHRQ $2, CX")
	f.op("MOVQ %d(AX), R14", metaFrom)
	words8(f, "row")

	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), R8", metaBit)
	f.op("MOVQ %d(AX), R9", metaBits)
	f.op("MOVQ %d(AX), R10", metaGroups)
	f.op("MOVQ %d(AX), DI", metaDst)
	f.op("MOVQ %d(AX), R11", metaStride)
	f.comment("Y1 is the mask of a number, Y2 spreads it to the bytes of its word")
	f.op("MOVQ R9, CX")
	f.op("MOVL $1, R15")
	f.op("SHLL CX, R15")
	f.op("DECL R15")
	f.op("VMOVD R15, X1")
	f.op("VPBROADCASTD X1, Y1")
	f.op("VMOVDQU spread8<>(SB), Y2")
	switch mode {
	case "Table":
		f.op("VMOVQ %d(AX), X3", metaShift)
	case "Sum":
		f.op("VPBROADCASTB %d(AX), Y3", metaAdd)
	case "E8M0":
		f.op("VPBROADCASTD halfOf2p126<>(SB), Y3")
	case "E4M3":
		f.op("VPBROADCASTD twoTo120<>(SB), Y3")
	}
	f.label("group")
	f.op("MOVQ R8, R12")
	f.op("SHRQ $5, R12")
	f.op("SHLQ $5, R12")
	f.op("MOVQ R8, R13")
	f.op("ANDQ $31, R13")
	f.op("VMOVQ R13, X4")
	f.op("VMOVDQU (SI)(R12*1), Y0")
	f.op("VPSRLD X4, Y0, Y0")
	f.op("VPAND Y1, Y0, Y0")
	switch mode {
	case "Table":
		f.op("VPSLLD X3, Y0, Y0")
		f.op("VPSHUFB Y2, Y0, Y0")
	case "Sum":
		f.op("VPSHUFB Y2, Y0, Y0")
		f.op("VPSUBB Y0, Y3, Y0")
	case "Float":
		f.op("VCVTDQ2PS Y0, Y0")
	case "E8M0":
		f.op("VPSLLD $23, Y0, Y0")
		f.op("VPMAXUD Y3, Y0, Y0")
	case "E4M3":
		f.op("VPSLLD $20, Y0, Y0")
		f.op("VMULPS Y3, Y0, Y0")
	}
	f.op("VMOVDQU Y0, (DI)")
	f.op("ADDQ R11, DI")
	f.op("ADDQ R9, R8")
	f.op("DECQ R10")
	f.op("JNZ group")
	f.op("VZEROUPPER")
	f.op("RET")
}
