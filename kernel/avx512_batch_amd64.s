//go:build amd64 && !purego

#include "textflag.h"
#include "avx512_amd64.h"

// Z0 has the lanes of four rows, Z16 … Z23 the activations of a step.

#define DOT(V, Q0, Q1, OUT) \
	VMOVDQU64 V+0(DI), Z5    \
	VMOVDQU64 V+64(DI), Z6   \
	VPXORD    OUT, OUT, OUT  \
	VPDPBUSD  Q0, Z5, OUT    \
	VPDPBUSD  Q1, Z6, OUT

// ROWSTEP multiplies a step of row V/4096.
#define ROWSTEP(V, OUT) \
	DOT(V+0, Z16, Z17, Z8)    \
	DOT(V+128, Z18, Z19, Z9)  \
	DOT(V+256, Z20, Z21, Z10) \
	DOT(V+384, Z22, Z23, Z11) \
	ADD4(OUT)

// func batchAVX512(acc *[4][4]float32, values *byte, scales *[4][32]byte, q *int8, corr *int32, d *float32, steps int)
TEXT ·batchAVX512(SB), NOSPLIT, $0-56
	MOVQ    acc+0(FP), DX
	MOVQ    values+8(FP), DI
	MOVQ    scales+16(FP), R9
	MOVQ    q+24(FP), R10
	MOVQ    corr+32(FP), R11
	MOVQ    d+40(FP), R12
	MOVQ    steps+48(FP), CX
	VMOVUPS (DX), Z0

step:
	VMOVDQU64 0(R10), Z16
	VMOVDQU64 64(R10), Z17
	VMOVDQU64 128(R10), Z18
	VMOVDQU64 192(R10), Z19
	VMOVDQU64 256(R10), Z20
	VMOVDQU64 320(R10), Z21
	VMOVDQU64 384(R10), Z22
	VMOVDQU64 448(R10), Z23
	ROWSTEP(0, Z24)
	ROWSTEP(4096, Z25)
	ROWSTEP(8192, Z26)
	ROWSTEP(12288, Z27)

	// Quarter i of Z4 becomes the sum of those of row i.
	VSHUFI32X4 $0x88, Z25, Z24, Z4
	VSHUFI32X4 $0xdd, Z25, Z24, Z5
	VSHUFI32X4 $0x88, Z27, Z26, Z6
	VSHUFI32X4 $0xdd, Z27, Z26, Z7
	VPADDD     Z5, Z4, Z4
	VPADDD     Z7, Z6, Z6
	VSHUFI32X4 $0x88, Z6, Z4, Z5
	VSHUFI32X4 $0xdd, Z6, Z4, Z7
	VPADDD     Z7, Z5, Z4

	VMOVD           (R9), X5
	VPINSRD         $1, 32(R9), X5, X5
	VPINSRD         $2, 64(R9), X5, X5
	VPINSRD         $3, 96(R9), X5, X5
	VPMOVZXBD       X5, Z5
	VBROADCASTI32X4 (R11), Z6
	VBROADCASTF32X4 (R12), Z7
	VPSUBD          Z6, Z4, Z4
	VPMULLD         Z5, Z4, Z4
	VCVTDQ2PS       Z4, Z4
	VMULPS          Z7, Z4, Z4
	VADDPS          Z4, Z0, Z0
	ADDQ            $512, DI
	ADDQ            $4, R9
	ADDQ            $512, R10
	ADDQ            $16, R11
	ADDQ            $16, R12
	DECQ            CX
	JNZ             step
	VMOVUPS         Z0, (DX)
	VZEROUPPER
	RET
