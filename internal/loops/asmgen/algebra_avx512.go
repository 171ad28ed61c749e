package main

import "fmt"

// Offsets of algebra.GramArgs and algebra.TakeArgs.
const (
	gramSums    = 0
	gramX       = 32
	gramY       = 40
	gramStride  = 48
	gramVectors = 56
	gramCols    = 64

	takeT = 0
	takeN = 8
	takeM = 16
	takeR = 48
)

func algebraAVX512() *file {
	f := newFile("amd64 && !purego")
	gram(f)
	take(f, 1)
	take(f, 4)
	return f
}

// gram emits the loop that adds products of vectors to a tile of 4 × 24.
func gram(f *file) {
	const rows, parts = 4, 3
	sum := func(r, p int) string { return z(parts*r + p) }
	at := []string{"R8", "R9", "R10", "R11"}
	f.text("gramAVX512", "GramArgs")
	f.op("MOVQ %d(AX), CX", gramCols)
	f.op("MOVL $1, R15")
	f.op("SHLL CX, R15")
	f.op("DECL R15")
	for p := range parts {
		f.op("KMOVW R15, K%d", 1+p)
		f.op("SHRL $8, R15")
	}
	for r := range rows {
		f.op("MOVQ %d(AX), %s", gramSums+8*r, at[r])
		for p := range parts {
			f.op("VMOVUPD.Z %d(%s), K%d, %s", 64*p, at[r], 1+p, sum(r, p))
		}
	}
	f.op("MOVQ %d(AX), SI", gramX)
	f.op("MOVQ %d(AX), DI", gramY)
	f.op("MOVQ %d(AX), BX", gramStride)
	f.op("SHLQ $3, BX")
	f.op("MOVQ %d(AX), CX", gramVectors)
	f.label("vector")
	for p := range parts {
		f.op("VMOVUPD %d(DI), %s", 64*p, z(12+p))
	}
	for r := range rows {
		f.op("VBROADCASTSD %d(SI), %s", 8*r, z(16+r))
		for p := range parts {
			f.op("VFMADD231PD %s, %s, %s", z(12+p), z(16+r), sum(r, p))
		}
	}
	f.op("ADDQ BX, SI")
	f.op("ADDQ BX, DI")
	f.op("DECQ CX")
	f.op("JNZ vector")
	for r := range rows {
		for p := range parts {
			f.op("VMOVUPD %s, K%d, %d(%s)", sum(r, p), 1+p, 64*p, at[r])
		}
	}
	f.op("VZEROUPPER")
	f.op("RET")
}

// take emits the loop that takes multiples of n vectors from one.
func take(f *file, n int) {
	at := []string{"R8", "R9", "R10", "R11"}
	f.text(fmt.Sprintf("take%dAVX512", n), "TakeArgs")
	f.op("MOVQ %d(AX), DI", takeT)
	f.op("MOVQ %d(AX), CX", takeN)
	for k := range n {
		f.op("MOVQ %d(AX), %s", takeM+8*k, at[k])
		f.op("VBROADCASTSD %d(AX), %s", takeR+8*k, z(8+k))
	}
	f.op("XORQ SI, SI")
	f.each("numbers", 8, func() {
		f.op("VMOVUPD.Z (DI)(SI*1), K1, Z0")
		for k := range n {
			f.op("VMULPD.Z (%s)(SI*1), %s, K1, %s", at[k], z(8+k), z(1+k))
		}
		for k := range n {
			f.op("VSUBPD %s, Z0, Z0", z(1+k))
		}
		f.op("VMOVUPD Z0, K1, (DI)(SI*1)")
		f.op("ADDQ $64, SI")
	})
	f.op("VZEROUPPER")
	f.op("RET")
}
