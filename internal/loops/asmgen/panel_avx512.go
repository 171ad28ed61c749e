package main

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/pack"
)

// Offsets of PanelArgs.
const (
	panelRows    = 0
	panelDst     = 128
	panelHeight  = 136
	panelChunks  = 144
	panelTable   = 152
	panelSel     = 160
	panelSelAt   = 168
	panelScratch = 176
	panelStride  = 184
)

// Offsets of MetaArgs.
const (
	metaRows    = 0
	metaBytes   = 128
	metaBit     = 136
	metaBits    = 144
	metaGroups  = 152
	metaDst     = 160
	metaStride  = 168
	metaShift   = 176
	metaAdd     = 184
	metaScratch = 192
)

func panelAVX512() *file {
	f := newFile("amd64 && !purego")
	spread := make([]uint32, 16)
	for i := range spread {
		b := uint32(i % 4 * 4)
		spread[i] = b * 0x01010101
	}
	f.data("spread", spread...)
	for bits := 2; bits <= 8; bits++ {
		if bits <= 6 {
			panelCodes(f, bits, true)
		}
		panelCodes(f, bits, false)
	}
	for _, m := range []string{"Table", "Sum", "Int", "Float", "E8M0", "E4M3"} {
		panelMeta(f, m)
	}
	return f
}

// transpose loads a vector of every row, masked by K1, and stores word j of all rows
// to scratch+64·j. It takes all vector registers; row sets R15 to a row.
func transpose(f *file, row func(i int), scratch string) {
	for i := range 16 {
		row(i)
		f.op("VMOVDQU8.Z (R15), K1, %s", z(i))
	}
	f.comment("words of neighbouring rows side by side, then of four rows")
	for i := range 8 {
		f.op("VPUNPCKLDQ %s, %s, %s", z(2*i+1), z(2*i), z(16+2*i))
		f.op("VPUNPCKHDQ %s, %s, %s", z(2*i+1), z(2*i), z(17+2*i))
	}
	for i := range 4 {
		for c := range 4 {
			lo := []string{"VPUNPCKLQDQ", "VPUNPCKHQDQ"}[c%2]
			f.op("%s %s, %s, %s", lo, z(16+4*i+2+c/2), z(16+4*i+c/2), z(4*i+c))
		}
	}
	f.comment("quarters of four rows side by side, then of all")
	for c := range 4 {
		f.op("VSHUFI32X4 $0x88, %s, %s, %s", z(4+c), z(c), z(16+4*c))
		f.op("VSHUFI32X4 $0x88, %s, %s, %s", z(12+c), z(8+c), z(17+4*c))
		f.op("VSHUFI32X4 $0xdd, %s, %s, %s", z(4+c), z(c), z(18+4*c))
		f.op("VSHUFI32X4 $0xdd, %s, %s, %s", z(12+c), z(8+c), z(19+4*c))
	}
	for c := range 4 {
		for l := range 4 {
			imm := []string{"$0x88", "$0xdd"}[l/2]
			f.op("VSHUFI32X4 %s, %s, %s, %s", imm, z(17+4*c+l%2*2), z(16+4*c+l%2*2), z(4*l+c))
		}
	}
	for j := range 16 {
		f.op("VMOVDQU64 %s, %d(%s)", z(j), 64*j, scratch)
	}
}

// mask sets K1 to the lowest n bits, where n is a register with 1 to 64.
func mask(f *file, n string) {
	f.op("MOVQ $-1, R15")
	f.op("MOVQ %s, CX", n)
	f.op("NEGQ CX")
	f.op("SHRQ CX, R15")
	f.op("KMOVQ R15, K1")
}

// panelCodes emits the loop that takes codes of so many bits to a panel.
func panelCodes(f *file, bits int, table bool) {
	layout := pack.Layout(bits)
	planes := pack.StripBytes(bits)
	name := fmt.Sprintf("panelSum%d", bits)
	if table {
		name = fmt.Sprintf("panelTable%d", bits)
	}
	f.text(name+"AVX512", "PanelArgs")
	f.op("MOVQ %d(AX), DI", panelDst)
	f.op("MOVQ %d(AX), R8", panelSelAt)
	f.op("MOVQ %d(AX), DX", panelSel)
	f.op("MOVQ %d(AX), R13", panelChunks)
	f.op("XORQ R14, R14") // bytes of a row that are done

	f.label("chunk")
	f.op("MOVQ %d(AX), SI", panelScratch)
	mask(f, fmt.Sprintf("%d(AX)", panelHeight))
	f.op("MOVQ $%d, BX", planes)
	f.label("plane")
	transpose(f, func(i int) {
		f.op("MOVQ %d(AX), R15", panelRows+8*i)
		f.op("ADDQ R14, R15")
	}, "SI")
	f.op("ADDQ $1024, SI")
	f.op("ADDQ %d(AX), R14", panelHeight)
	f.op("DECQ BX")
	f.op("JNZ plane")

	f.comment("strips are Height/4 words of 16 rows apart, each of them in 256 bytes")
	f.op("MOVQ %d(AX), SI", panelScratch)
	f.op("MOVQ %d(AX), CX", panelHeight)
	f.op("MOVQ CX, R9")
	f.op("SHLQ $6, R9")
	f.op("SHRQ $2, CX")
	f.op("LEAQ (R9)(R9*2), R10")
	f.op("LEAQ (R9)(R9*4), R11")
	f.op("LEAQ (R10)(R9*4), R12")
	at := func(s int) string {
		return []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R10*1)", "(DI)(R9*4)", "(DI)(R11*1)", "(DI)(R10*2)", "(DI)(R12*1)"}[s]
	}
	// Registers: Z0… planes, Z8… results, Z16… masks, Z30 the table.
	masks := map[uint64]int{}
	for _, fields := range layout {
		for _, d := range fields {
			m := d.Mask << d.To
			if _, ok := masks[m]; !ok && bits < 8 {
				r := 16 + len(masks)
				masks[m] = r
				f.op("MOVL $0x%08x, R15", uint32(m))
				f.op("VPBROADCASTD R15, %s", z(r))
			}
		}
	}
	if table {
		f.op("MOVQ %d(AX), R15", panelTable)
		f.op("VMOVDQU64 (R15), Z30")
	}
	f.label("quad")
	for i := range planes {
		f.op("VMOVDQU64 %d(SI), %s", 1024*i, z(i))
	}
	for s, fields := range layout {
		f.op("MOVWLZX %d(R8), R15", 2*s)
		v := z(8 + s)
		for i, d := range fields {
			src := z(d.Index)
			switch shift := int(d.From) - int(d.To); {
			case shift > 0:
				f.op("VPSRLD $%d, %s, Z24", shift, src)
				src = "Z24"
			case shift < 0:
				f.op("VPSLLD $%d, %s, Z24", -shift, src)
				src = "Z24"
			}
			switch {
			case bits == 8:
				v = src
			case i == 0:
				f.op("VPANDD %s, %s, %s", z(masks[d.Mask<<d.To]), src, v)
			default:
				f.op("VPTERNLOGD $0xf8, %s, %s, %s", z(masks[d.Mask<<d.To]), src, v)
			}
		}
		out := z(8 + s)
		if table {
			f.op("VPORD (DX)(R15*1), %s, %s", v, out)
			f.op("VPERMB Z30, %s, %s", out, out)
		} else {
			f.op("VPADDB (DX)(R15*1), %s, %s", v, out)
		}
		f.op("VMOVDQU64 %s, %s", out, at(s))
	}
	f.op("ADDQ $%d, R8", 2*len(layout))
	f.op("ADDQ $64, SI")
	f.op("ADDQ $256, DI")
	f.op("DECQ CX")
	f.op("JNZ quad")
	// The first strip is done; the others follow it.
	if n := len(layout); n > 1 {
		f.op("IMUL3Q $%d, R9, R9", n-1)
		f.op("ADDQ R9, DI")
	}
	f.op("DECQ R13")
	f.op("JNZ chunk")
	f.op("VZEROUPPER")
	f.op("RET")
}

// panelMeta emits the loop that takes selectors or scales to words of 16 rows.
func panelMeta(f *file, mode string) {
	f.text("meta"+mode+"AVX512", "MetaArgs")
	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), BX", metaBytes)
	f.op("XORQ R14, R14")
	f.label("part")
	f.op("MOVQ $64, R9")
	f.op("CMPQ BX, R9")
	f.op("CMOVQLT BX, R9")
	mask(f, "R9")
	transpose(f, func(i int) {
		f.op("MOVQ %d(AX), R15", metaRows+8*i)
		f.op("ADDQ R14, R15")
	}, "SI")
	f.op("ADDQ $1024, SI")
	f.op("ADDQ $64, R14")
	f.op("SUBQ $64, BX")
	f.op("JGT part")

	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), R8", metaBit)
	f.op("MOVQ %d(AX), R9", metaBits)
	f.op("MOVQ %d(AX), R10", metaGroups)
	f.op("MOVQ %d(AX), DI", metaDst)
	f.op("MOVQ %d(AX), R11", metaStride)
	f.comment("Z1 has ones where a number is, Z2 spreads it to the bytes of its word")
	f.op("MOVQ R9, CX")
	f.op("MOVL $1, R15")
	f.op("SHLL CX, R15")
	f.op("DECL R15")
	f.op("VPBROADCASTD R15, Z1")
	f.op("VMOVDQU64 spread<>(SB), Z2")
	switch mode {
	case "Table":
		f.op("VMOVQ %d(AX), X3", metaShift)
	case "Sum":
		f.op("MOVQ %d(AX), R15", metaAdd)
		f.op("VPBROADCASTB R15, Z3")
	case "E8M0":
		f.op("MOVL $0x00400000, R15") // 2^-127, which is subnormal
		f.op("VPBROADCASTD R15, Z3")
	case "E4M3":
		f.op("MOVL $0x7b800000, R15") // 2^120
		f.op("VPBROADCASTD R15, Z3")
	}
	f.label("group")
	f.op("MOVQ R8, R12")
	f.op("SHRQ $5, R12")
	f.op("SHLQ $6, R12")
	f.op("MOVQ R8, R13")
	f.op("ANDQ $31, R13")
	f.op("VMOVQ R13, X4")
	f.op("VMOVDQU64 (SI)(R12*1), Z0")
	f.op("VPSRLD X4, Z0, Z0")
	f.op("VPANDD Z1, Z0, Z0")
	switch mode {
	case "Table":
		f.op("VPSLLD X3, Z0, Z0")
		f.op("VPSHUFB Z2, Z0, Z0")
	case "Sum":
		f.op("VPSHUFB Z2, Z0, Z0")
		f.op("VPSUBB Z0, Z3, Z0")
	case "Float":
		f.op("VCVTDQ2PS Z0, Z0")
	case "E8M0":
		f.op("VPSLLD $23, Z0, Z0")
		f.op("VPMAXUD Z3, Z0, Z0")
	case "E4M3":
		f.op("VPSLLD $20, Z0, Z0")
		f.op("VMULPS Z3, Z0, Z0")
	}
	f.op("VMOVDQU64 Z0, (DI)")
	f.op("ADDQ R11, DI")
	f.op("ADDQ R9, R8")
	f.op("DECQ R10")
	f.op("JNZ group")
	f.op("VZEROUPPER")
	f.op("RET")
}
