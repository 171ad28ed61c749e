//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx512_amd64.h"

// Float mode. Z0 has lanes 0–15 of the row and Z1 lanes 16–31. Z4 … Z7 have the lower
// lanes of the four blocks of a step, and Z8 … Z11 the upper lanes. Blocks take turns, so
// that no sum waits for its last addition. Z20 … Z23 are the tables of the blocks, and
// Z16 … Z19 their codes. Sums start with a product rather than with 0. This differs only
// if all products of a lane are −0, and 0 − 0 is 0.

#define LOAD(C, IN) \
	PREFETCHT1 C+AHEAD(DI) \
	VMOVDQU64  C(DI), IN

#define TABLE(OUT) \
	VMOVUPS (R8)(BX*4), OUT

// FIRST multiplies the codes in the lowest bits of the 16 words of each block.
#define FIRST \
	VPERMPS Z20, Z16, Z4       \
	VPERMPS Z21, Z17, Z5       \
	VPERMPS Z22, Z18, Z6       \
	VPERMPS Z23, Z19, Z7       \
	VMULPS  0(R10), Z4, Z4     \
	VMULPS  512(R10), Z5, Z5   \
	VMULPS  1024(R10), Z6, Z6  \
	VMULPS  1536(R10), Z7, Z7

// UPPER multiplies the first of columns 64–127. Their codes are at bit SHIFT, or at bit
// LAST of CODES for the last block.
#define UPPER(SHIFT, LAST, CODES) \
	VPSRLD  SHIFT, Z16, Z8       \
	VPSRLD  SHIFT, Z17, Z9       \
	VPSRLD  SHIFT, Z18, Z10      \
	VPSRLD  LAST, CODES, Z11     \
	VPERMPS Z20, Z8, Z8          \
	VPERMPS Z21, Z9, Z9          \
	VPERMPS Z22, Z10, Z10        \
	VPERMPS Z23, Z11, Z11        \
	VMULPS  256(R10), Z8, Z8     \
	VMULPS  768(R10), Z9, Z9     \
	VMULPS  1280(R10), Z10, Z10  \
	VMULPS  1792(R10), Z11, Z11

#define TERM(SHIFT, CODES, TABLE, X, SUM) \
	VPSRLD      SHIFT, CODES, Z12 \
	VPERMPS     TABLE, Z12, Z12   \
	VFMADD231PS X(R10), Z12, SUM

// TERMS adds the products of the codes at bit SHIFT, and of the upper ones at bit UP, or
// at bit LAST of CODES for the last block.
#define TERMS(SHIFT, UP, LAST, CODES, X) \
	TERM(SHIFT, Z16, Z20, X+0, Z4)    \
	TERM(SHIFT, Z17, Z21, X+512, Z5)  \
	TERM(SHIFT, Z18, Z22, X+1024, Z6) \
	TERM(SHIFT, Z19, Z23, X+1536, Z7) \
	TERM(UP, Z16, Z20, X+256, Z8)     \
	TERM(UP, Z17, Z21, X+768, Z9)     \
	TERM(UP, Z18, Z22, X+1280, Z10)   \
	TERM(LAST, CODES, Z23, X+1792, Z11)

// SCALES sets Z24 … Z27 to the scales of the blocks of a step. VPERMPS broadcasts any
// element; VBROADCASTSS would need a second instruction to move it to the front.
#define SCALES \
	VPMOVZXBD (R9), X12      \
	VCVTDQ2PS X12, X12       \
	VPERMPS   Z12, Z28, Z24  \
	VPERMPS   Z12, Z29, Z25  \
	VPERMPS   Z12, Z30, Z26  \
	VPERMPS   Z12, Z31, Z27

// SCALE ends a step.
#define SCALE \
	VFMADD231PS Z24, Z4, Z0  \
	VFMADD231PS Z24, Z8, Z1  \
	VFMADD231PS Z25, Z5, Z0  \
	VFMADD231PS Z25, Z9, Z1  \
	VFMADD231PS Z26, Z6, Z0  \
	VFMADD231PS Z26, Z10, Z1 \
	VFMADD231PS Z27, Z7, Z0  \
	VFMADD231PS Z27, Z11, Z1 \
	ADDQ        $4, R9       \
	ADDQ        $2048, R10

// INDICES sets Z28 … Z31 to zeros, ones, twos and threes.
#define INDICES \
	VPXORD     Z28, Z28, Z28 \
	VPTERNLOGD $0xff, Z29, Z29, Z29 \
	VPSRLD     $31, Z29, Z29 \
	VPADDD     Z29, Z29, Z30 \
	VPADDD     Z29, Z30, Z31

#define STEP4(SEL, S0, S1, S2, S3) \
	SEL                \
	SCALES             \
	S0                 \
	TABLE(Z20)         \
	S1                 \
	TABLE(Z21)         \
	S2                 \
	TABLE(Z22)         \
	S3                 \
	TABLE(Z23)         \
	LOAD(0, Z16)       \
	LOAD(64, Z17)      \
	LOAD(128, Z18)     \
	LOAD(192, Z19)     \
	FIRST              \
	UPPER($4, $4, Z19) \
	TERMS($8, $12, $12, Z19, 64)   \
	TERMS($16, $20, $20, Z19, 128) \
	TERMS($24, $28, $28, Z19, 192) \
	SCALE              \
	ADDQ $256, DI

#define STEP3(SEL, S0, S1, S2, S3) \
	SEL                   \
	SCALES                \
	S0                    \
	TABLE(Z20)            \
	S1                    \
	TABLE(Z21)            \
	S2                    \
	TABLE(Z22)            \
	S3                    \
	TABLE(Z23)            \
	LOAD(0, Z16)          \
	LOAD(64, Z17)         \
	LOAD(128, Z18)        \
	LAST3(Z16, Z17, Z18, Z19, Z2) \
	FIRST                 \
	UPPER($3, $0, Z2)     \
	TERMS($8, $11, $8, Z2, 64)   \
	TERMS($16, $19, $16, Z2, 128) \
	TERMS($24, $27, $24, Z2, 192) \
	SCALE                 \
	ADDQ $192, DI

// ROWS is a function that runs STEP for all steps of all rows.
#define ROWS(STEP) \
	MOVQ acc+0(FP), DX               \
	MOVQ a+8(FP), R13                \
	MOVQ floatArgs_wide(R13), R8    \
	THREES                           \
	INDICES                          \
	MOVQ rowArgs_codes(R13), R14     \
	MOVQ rowArgs_scales(R13), R11    \
	MOVQ rowArgs_selectors(R13), R12   \
row:                                 \
	MOVQ    R14, DI                  \
	MOVQ    R11, R9                  \
	MOVQ    R12, SI                  \
	MOVQ    floatArgs_x(R13), R10    \
	MOVQ    floatArgs_steps(R13), CX \
	VPXORD  Z0, Z0, Z0               \
	VPXORD  Z1, Z1, Z1               \
	CMPQ    floatArgs_more(R13), $0  \
	JEQ     zero                     \
	VMOVUPS (DX), Z0                 \
	VMOVUPS 64(DX), Z1               \
zero:                                \
	PCALIGN $64 \
step:                                \
	STEP                             \
	DECQ    CX                       \
	JNZ     step                     \
	VMOVUPS Z0, (DX)                 \
	VMOVUPS Z1, 64(DX)               \
	ADDQ    $128, DX                 \
	ADDQ    rowArgs_codeStride(R13), R14   \
	ADDQ    rowArgs_scaleStride(R13), R11   \
	ADDQ    rowArgs_selectorStride(R13), R12   \
	DECQ    rows+16(FP)              \
	JNZ     row                      \
	VZEROUPPER                       \
	RET

// func floatSteps4x0AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x0AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP4(SEL0, SEL0_0, SEL0_1, SEL0_2, SEL0_3))

// func floatSteps4x2AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x2AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP4(SEL2, SEL2_0, SEL2_1, SEL2_2, SEL2_3))

// func floatSteps4x4AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x4AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP4(SEL4, SEL4_0, SEL4_1, SEL4_2, SEL4_3))

// func floatSteps3x0AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x0AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP3(SEL0, SEL0_0, SEL0_1, SEL0_2, SEL0_3))

// func floatSteps3x2AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x2AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP3(SEL2, SEL2_0, SEL2_1, SEL2_2, SEL2_3))

// func floatSteps3x4AVX512(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x4AVX512(SB), NOSPLIT, $0-24
	ROWS(STEP3(SEL4, SEL4_0, SEL4_1, SEL4_2, SEL4_3))

// Blocks that have been decoded to bytes. The words of Z4 have lanes 0–15, with
// four columns in each, and the words of Z5 have lanes 16–31.

DATA spread<>+0(SB)/4, $0
DATA spread<>+4(SB)/4, $0
DATA spread<>+8(SB)/4, $0
DATA spread<>+12(SB)/4, $0
DATA spread<>+16(SB)/4, $1
DATA spread<>+20(SB)/4, $1
DATA spread<>+24(SB)/4, $1
DATA spread<>+28(SB)/4, $1
DATA spread<>+32(SB)/4, $2
DATA spread<>+36(SB)/4, $2
DATA spread<>+40(SB)/4, $2
DATA spread<>+44(SB)/4, $2
DATA spread<>+48(SB)/4, $3
DATA spread<>+52(SB)/4, $3
DATA spread<>+56(SB)/4, $3
DATA spread<>+60(SB)/4, $3
GLOBL spread<>(SB), RODATA|NOPTR, $64

#define START(ARG) \
	MOVQ      acc+0(FP), DX      \
	MOVQ      ARG+8(FP), SI      \
	MOVQ      x+16(FP), DI       \
	MOVQ      k+24(FP), R9       \
	MOVQ      blocks+32(FP), CX  \
	VMOVDQU64 spread<>(SB), Z15  \
	VMOVUPS   (DX), Z0           \
	VMOVUPS   64(DX), Z1

#define END \
	VBROADCASTF32X4 (R9), Z6    \
	VBROADCASTF32X4 16(R9), Z7  \
	VPERMPS     Z6, Z15, Z6     \
	VPERMPS     Z7, Z15, Z7     \
	VFMADD231PS Z6, Z2, Z0      \
	VFMADD231PS Z7, Z3, Z1      \
	ADDQ        $32, R9         \
	ADDQ        $128, SI        \
	ADDQ        $512, DI        \
	DECQ        CX              \
	JNZ         block           \
	VMOVUPS     Z0, (DX)        \
	VMOVUPS     Z1, 64(DX)      \
	VZEROUPPER                  \
	RET

#define INTEGERS(LEFT, X) \
	VPSLLD      LEFT, Z4, Z6       \
	VPSLLD      LEFT, Z5, Z7       \
	VPSRAD      $24, Z6, Z6        \
	VPSRAD      $24, Z7, Z7        \
	VCVTDQ2PS   Z6, Z6             \
	VCVTDQ2PS   Z7, Z7             \
	VFMADD231PS X(DI), Z6, Z2      \
	VFMADD231PS X+256(DI), Z7, Z3

// func floatBlocksAVX512(acc *[32]float32, values *byte, x, k *float32, blocks int)
TEXT ·floatBlocksAVX512(SB), NOSPLIT, $0-40
	START(values)

block:
	VMOVDQU64   (SI), Z4
	VMOVDQU64   64(SI), Z5
	VXORPS      X2, X2, X2
	VXORPS      X3, X3, X3
	INTEGERS($24, 0)
	INTEGERS($16, 64)
	INTEGERS($8, 128)
	INTEGERS($0, 192)
	END

#define CODES(SHIFT, X) \
	VPSRLD      SHIFT, Z4, Z6     \
	VPSRLD      SHIFT, Z5, Z7     \
	VPERMPS     Z13, Z6, Z6       \
	VPERMPS     Z13, Z7, Z7       \
	VFMADD231PS X(DI), Z6, Z2     \
	VFMADD231PS X+256(DI), Z7, Z3

// func floatTableAVX512(acc *[32]float32, codes *byte, x, k *float32, blocks int, table *float32)
TEXT ·floatTableAVX512(SB), NOSPLIT, $0-48
	START(codes)
	MOVQ    table+40(FP), AX
	VMOVUPS (AX), Z13

block:
	VMOVDQU64   (SI), Z4
	VMOVDQU64   64(SI), Z5
	VPERMPS     Z13, Z4, Z2
	VPERMPS     Z13, Z5, Z3
	VMULPS      (DI), Z2, Z2
	VMULPS      256(DI), Z3, Z3
	CODES($8, 64)
	CODES($16, 128)
	CODES($24, 192)
	END
