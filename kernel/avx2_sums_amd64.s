//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

#define VALUES(V) \
	VMOVDQU V+0(DI), Y4  \
	VMOVDQU V+32(DI), Y5 \
	VMOVDQU V+64(DI), Y6 \
	VMOVDQU V+96(DI), Y7

// func runSumsAVX2(sums *int32, values *byte, q *int8, corr16 *int16, blocks int)
TEXT ·runSumsAVX2(SB), NOSPLIT, $0-40
	MOVQ    sums+0(FP), DX
	MOVQ    values+8(FP), DI
	MOVQ    q+16(FP), R10
	MOVQ    corr16+24(FP), R11
	MOVQ    blocks+32(FP), CX
	VMOVDQU natural<>(SB), Y15
	ONES

block:
	VALUES(0)
	VPMADDUBSW 0(R10), Y4, Y4
	VPMADDUBSW 32(R10), Y5, Y5
	VPMADDUBSW 64(R10), Y6, Y6
	VPMADDUBSW 96(R10), Y7, Y7
	VPMADDWD   Y14, Y4, Y4
	VPMADDWD   Y14, Y5, Y5
	VPMADDWD   Y14, Y6, Y6
	VPMADDWD   Y14, Y7, Y7

	// The sums of runs 0, 2, 4, 6 and 1, 3, 5, 7.
	VPHADDD   Y5, Y4, Y4
	VPHADDD   Y7, Y6, Y6
	VPHADDD   Y6, Y4, Y4
	VPERMD    Y4, Y15, Y4
	VPMOVSXWD (R11), Y5
	VPSUBD    Y5, Y4, Y4
	VMOVDQU   Y4, (DX)
	ADDQ      $32, DX
	ADDQ      $128, DI
	ADDQ      $128, R10
	ADDQ      $16, R11
	DECQ      CX
	JNZ       block
	VZEROUPPER
	RET

// DOT multiplies the values of a block of row V/4096 by the activations at Q.
#define DOT(V, Q, OUT) \
	VALUES(V+Q)                  \
	VPMADDUBSW Q+0(R10), Y4, Y4  \
	VPMADDUBSW Q+32(R10), Y5, Y5 \
	VPMADDUBSW Q+64(R10), Y6, Y6 \
	VPMADDUBSW Q+96(R10), Y7, Y7 \
	VPADDW     Y5, Y4, Y4        \
	VPADDW     Y7, Y6, Y6        \
	VPADDW     Y6, Y4, Y4        \
	VPMADDWD   Y14, Y4, OUT

// ROWSTEP adds a step to the lanes ACC of a row, with scales at K.
#define ROWSTEP(V, K, ACC) \
	DOT(V, 0, Y8)           \
	DOT(V, 128, Y9)         \
	DOT(V, 256, Y10)        \
	DOT(V, 384, Y11)        \
	ADD8                    \
	VPMOVZXBD K(R9), X10    \
	VPSUBD    (R11), X8, X8 \
	VPMULLD   X10, X8, X8   \
	VCVTDQ2PS X8, X8        \
	VMULPS    (R12), X8, X8 \
	VADDPS    X8, ACC, ACC

// func batchAVX2(acc *[4][4]float32, values *byte, scales *[4][32]byte, q *int8, corr *int32, d *float32, steps int)
TEXT ·batchAVX2(SB), NOSPLIT, $0-56
	MOVQ    acc+0(FP), DX
	MOVQ    values+8(FP), DI
	MOVQ    scales+16(FP), R9
	MOVQ    q+24(FP), R10
	MOVQ    corr+32(FP), R11
	MOVQ    d+40(FP), R12
	MOVQ    steps+48(FP), CX
	VMOVUPS (DX), X0
	VMOVUPS 16(DX), X1
	VMOVUPS 32(DX), X2
	VMOVUPS 48(DX), X3
	ONES

step:
	ROWSTEP(0, 0, X0)
	ROWSTEP(4096, 32, X1)
	ROWSTEP(8192, 64, X2)
	ROWSTEP(12288, 96, X3)
	ADDQ    $512, DI
	ADDQ    $4, R9
	ADDQ    $512, R10
	ADDQ    $16, R11
	ADDQ    $16, R12
	DECQ    CX
	JNZ     step
	VMOVUPS X0, (DX)
	VMOVUPS X1, 16(DX)
	VMOVUPS X2, 32(DX)
	VMOVUPS X3, 48(DX)
	VZEROUPPER
	RET
