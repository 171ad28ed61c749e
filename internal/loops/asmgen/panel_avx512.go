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
	panelAhead   = 192
	panelFrom    = 200
	panelEven    = 208
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
	metaFrom    = 200
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

// gather loads 16 bytes of each of 16 rows, or 64 if wide is set; with masked set, only
// those in K1. Rows begin at the address at plus their offset in args. gather transposes
// the bytes to vectors with one word of every row, and passes the registers of words i …
// i+3 to do. It overwrites Z0 … Z15, Z20 … Z25 and R15; do may overwrite Z24 and Z25.
//
// Quarter l of vector i has row 4l+i at first, so that words move only within quarters. A
// row is loaded all at once because rows are often a power of two apart, and then they
// compete for the same cache lines.
func gather(f *file, at string, masked, wide bool, ahead int, do func(i int, words [4]int)) {
	parts := 1
	if wide {
		parts = 4
	}
	v := func(part, i int) int { return 4*part + i }
	place := func(row int) {
		f.op("MOVQ %d(AX), R15", panelRows+8*row)
		if ahead > 0 {
			f.op("PREFETCHT0 %d(R15)(%s*1)", ahead, at)
		}
	}
	load := func(row int, to func(part int) int) {
		place(row)
		for part := range parts {
			if masked {
				f.op("VMOVDQU8.Z (R15)(%s*1), K1, %s", at, x(to(part)))
			} else {
				f.op("VMOVDQU32 %d(R15)(%s*1), %s", 16*part, at, x(to(part)))
			}
		}
	}
	insert := func(row int, to func(part int) int) {
		if masked {
			load(row, func(int) int { return 25 })
			f.op("VINSERTI32X4 $1, X25, %[1]s, %[1]s", y(to(0)))
			return
		}
		place(row)
		for part := range parts {
			f.op("VINSERTI32X4 $1, %d(R15)(%s*1), %[3]s, %[3]s", 16*part, at, y(to(part)))
		}
	}
	for i := range 4 {
		low := func(part int) int { return v(part, i) }
		high := func(part int) int { return 20 + part }
		load(i, low)
		insert(4+i, low)
		load(8+i, high)
		insert(12+i, high)
		for part := range parts {
			f.op("VINSERTI64X4 $1, %s, %[2]s, %[2]s", y(high(part)), z(low(part)))
		}
	}
	for part := range parts {
		at := func(i int) string { return z(v(part, i)) }
		f.op("VPUNPCKLDQ %s, %s, Z24", at(1), at(0))
		f.op("VPUNPCKHDQ %s, %s, Z25", at(1), at(0))
		f.op("VPUNPCKLDQ %s, %s, %s", at(3), at(2), at(0))
		f.op("VPUNPCKHDQ %s, %s, %s", at(3), at(2), at(1))
		for i, op := range []string{"VPUNPCKLQDQ %s, Z24, Z20", "VPUNPCKHQDQ %s, Z24, Z21", "VPUNPCKLQDQ %s, Z25, Z22", "VPUNPCKHQDQ %s, Z25, Z23"} {
			f.op(op, at(i/2))
		}
		do(4*part, [4]int{20, 21, 22, 23})
	}
}

// store returns a function for gather that stores words one after the other.
func store(f *file, scratch string) func(int, [4]int) {
	return func(i int, words [4]int) {
		for j, w := range words {
			f.op("VMOVDQU64 %s, %d(%s)", z(w), 64*(i+j), scratch)
		}
	}
}

// mask sets the lowest bits of K1. Their number, 1 to 64, is in register n.
func mask(f *file, n string) {
	f.op("MOVQ $-1, R15")
	f.op("MOVQ %s, CX", n)
	f.op("NEGQ CX")
	f.op("SHRQ CX, R15")
	f.op("KMOVQ R15, K1")
}

// panelCodes emits the loop that converts codes of the given bits to a panel.
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
	f.op("MOVQ %d(AX), R14", panelFrom)
	// Registers: words of planes Z0 …, masks Z16 …, Z30 the table.
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

	f.label("chunk")
	f.comment("the hardware does not prefetch rows, which are far apart")
	f.op("MOVQ %d(AX), BX", panelAhead)
	f.op("ADDQ R14, BX")
	for i := range planes {
		for row := range 16 {
			f.op("MOVQ %d(AX), R15", panelRows+8*row)
			f.op("PREFETCHT1 (R15)(BX*1)")
		}
		if i < planes-1 {
			f.op("ADDQ %d(AX), BX", panelHeight)
		}
	}
	f.comment("strips are Height/4 words of 16 rows apart")
	band := 4 * avx512Set().band
	f.op("MOVQ %d(AX), CX", panelHeight)
	f.op("SHRQ $2, CX")
	f.op("IMUL3Q $%d, CX, R9", band)
	f.op("LEAQ (R9)(R9*2), R10")
	f.op("LEAQ (R9)(R9*4), R11")
	f.op("LEAQ (R10)(R9*4), R12")
	strips := []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R10*1)", "(DI)(R9*4)", "(DI)(R11*1)", "(DI)(R10*2)", "(DI)(R12*1)"}
	// quad extracts four columns of every strip from the words of planes, and stores them
	// i quads after DI.
	quad := func(word func(plane int) int, i, v, shifted int) {
		for s, fields := range layout {
			f.op("MOVWLZX %d(R8), R15", 2*(i*len(layout)+s))
			to, from := z(v), z(v)
			for i, d := range fields {
				src := z(word(d.Index))
				switch shift := int(d.From) - int(d.To); {
				case shift > 0:
					f.op("VPSRLD $%d, %s, %s", shift, src, z(shifted))
					src = z(shifted)
				case shift < 0:
					f.op("VPSLLD $%d, %s, %s", -shift, src, z(shifted))
					src = z(shifted)
				}
				switch {
				case bits == 8:
					from = src
				case i == 0:
					f.op("VPANDD %s, %s, %s", z(masks[d.Mask<<d.To]), src, to)
				default:
					f.op("VPTERNLOGD $0xf8, %s, %s, %s", z(masks[d.Mask<<d.To]), src, to)
				}
			}
			if table {
				f.op("VPORD (DX)(R15*1), %s, %s", from, to)
				f.op("VPERMB Z30, %[1]s, %[1]s", to)
			} else {
				f.op("VPADDB (DX)(R15*1), %s, %s", from, to)
			}
			f.op("VMOVDQU64 %s, %d%s", to, band*i, strips[s])
		}
	}
	if planes == 1 {
		f.op("CMPQ CX, $16")
		f.op("JEQ straight")
	}

	f.op("MOVQ %d(AX), SI", panelScratch)
	f.op("MOVQ $%d, BX", planes)
	f.label("plane")
	f.op("MOVQ %d(AX), CX", panelHeight)
	if planes > 1 {
		f.op("CMPQ CX, $64")
		f.op("JEQ whole")
	}
	f.op("MOVQ SI, DX")
	f.label("part")
	f.op("CMPQ CX, $16")
	f.op("JLT few")
	gather(f, "R14", false, false, 0, store(f, "DX"))
	f.op("ADDQ $256, DX")
	f.op("ADDQ $16, R14")
	f.op("SUBQ $16, CX")
	f.op("JNZ part")
	f.op("JMP planed")
	f.label("few")
	f.op("MOVQ $-1, R15")
	f.op("BZHIQ CX, R15, R15")
	f.op("KMOVQ R15, K1")
	gather(f, "R14", true, false, 0, store(f, "DX"))
	f.op("ADDQ CX, R14")
	if planes > 1 {
		f.op("JMP planed")
		f.label("whole")
		gather(f, "R14", false, true, 0, store(f, "SI"))
		f.op("ADDQ $64, R14")
	}
	f.label("planed")
	f.op("ADDQ $1024, SI")
	f.op("DECQ BX")
	f.op("JNZ plane")

	f.op("MOVQ %d(AX), DX", panelSel)
	f.op("MOVQ %d(AX), SI", panelScratch)
	f.op("MOVQ %d(AX), CX", panelHeight)
	f.label("quad")
	for i := range planes {
		f.op("VMOVDQU64 %d(SI), %s", 1024*i, z(i))
	}
	quad(func(plane int) int { return plane }, 0, 20, 21)
	f.op("ADDQ $%d, R8", 2*len(layout))
	f.op("ADDQ $64, SI")
	f.op("ADDQ $%d, DI", band)
	f.op("SUBQ $4, CX")
	f.op("JNZ quad")
	f.label("done")
	// The pointer has passed the first strip. Skip the others.
	if n := len(layout); n > 1 {
		f.op("IMUL3Q $%d, R9, R15", n-1)
		f.op("ADDQ R15, DI")
	}
	f.op("DECQ R13")
	f.op("JNZ chunk")
	f.op("VZEROUPPER")
	f.op("RET")
	if planes > 1 {
		return
	}

	f.label("straight")
	gather(f, "R14", false, true, 0, func(i int, words [4]int) {
		for j, w := range words {
			quad(func(int) int { return w }, i+j, 24, 25)
		}
	})
	f.op("ADDQ $64, R14")
	f.op("ADDQ $%d, R8", 2*16*len(layout))
	f.op("ADDQ $%d, DI", 16*band)
	f.op("JMP done")
}

// panelMeta emits the loop that converts selectors or scales to words of 16 rows.
func panelMeta(f *file, mode string) {
	f.text("meta"+mode+"AVX512", "MetaArgs")
	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), BX", metaBytes)
	f.op("MOVQ %d(AX), R14", metaFrom)
	f.label("part")
	f.op("CMPQ BX, $16")
	f.op("JLT few")
	gather(f, "R14", false, false, 0, store(f, "SI"))
	f.label("stored")
	f.op("ADDQ $256, SI")
	f.op("ADDQ $16, R14")
	f.op("SUBQ $16, BX")
	f.op("JGT part")

	f.op("MOVQ %d(AX), SI", metaScratch)
	f.op("MOVQ %d(AX), R8", metaBit)
	f.op("MOVQ %d(AX), R9", metaBits)
	f.op("MOVQ %d(AX), R10", metaGroups)
	f.op("MOVQ %d(AX), DI", metaDst)
	f.op("MOVQ %d(AX), R11", metaStride)
	f.comment("Z1 is the mask of a number, Z2 spreads it to the bytes of its word")
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

	f.label("few")
	mask(f, "BX")
	gather(f, "R14", true, false, 0, store(f, "SI"))
	f.op("JMP stored")
}
