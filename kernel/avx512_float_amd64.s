//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx512_amd64.h"

// Float mode. Z0 has the 16 lanes of the row, Z1 those of a group, Z13 its table.
// Sums start with a product rather than with 0: this differs only if all products
// of a lane are −0, and 0 − 0 is 0.

#define FIRST(CODES, X) \
	VMOVUPS (R8)(BX*4), Z13   \
	VPERMPS Z13, CODES, Z1    \
	VMULPS  X(R10), Z1, Z1

#define TERM(CODES, X) \
	VPERMPS Z13, CODES, Z8   \
	VMULPS  X(R10), Z8, Z8   \
	VADDPS  Z8, Z1, Z1

// SCALES prepares those of a step: k-16(SP) … k-4(SP).
#define SCALES \
	VPMOVZXBD (R9), X8     \
	VCVTDQ2PS X8, X8       \
	VMOVUPS   X8, k-16(SP)

#define SCALE(K) \
	VMULPS.BCST K(SP), Z1, Z1 \
	VADDPS      Z1, Z0, Z0

// BLOCK is a block of 64 bytes at C, with columns 64–127 from bit SHIFT on.
#define BLOCK(SHIFT, C, X, K) \
	PREFETCHT0 C+AHEAD(DI)     \
	VPMOVZXBD  C+0(DI), Z4     \
	VPMOVZXBD  C+16(DI), Z5    \
	VPMOVZXBD  C+32(DI), Z6    \
	VPMOVZXBD  C+48(DI), Z7    \
	FIRST(Z4, X+0)             \
	TERM(Z5, X+64)             \
	TERM(Z6, X+128)            \
	TERM(Z7, X+192)            \
	VPSRLD     SHIFT, Z4, Z4   \
	VPSRLD     SHIFT, Z5, Z5   \
	VPSRLD     SHIFT, Z6, Z6   \
	VPSRLD     SHIFT, Z7, Z7   \
	TERM(Z4, X+256)            \
	TERM(Z5, X+320)            \
	TERM(Z6, X+384)            \
	TERM(Z7, X+448)            \
	SCALE(K)

// BLOCK3LAST is the last of four blocks of 3 bits, which goes through the stack.
#define HALF(C) \
	VPMOVZXBD C+0(SP), Z4    \
	VPMOVZXBD C+16(SP), Z5   \
	VPMOVZXBD C+32(SP), Z6   \
	VPMOVZXBD C+48(SP), Z7

#define BLOCK3LAST(X, K) \
	VMOVDQU64 0(DI), Z1          \
	VMOVDQU64 64(DI), Z2         \
	VMOVDQU64 128(DI), Z3        \
	LAST3                        \
	VMOVDQU64 Z1, codes-144(SP)  \
	VMOVDQU64 Z2, codes-80(SP)   \
	HALF(codes-144)              \
	FIRST(Z4, X+0)               \
	TERM(Z5, X+64)               \
	TERM(Z6, X+128)              \
	TERM(Z7, X+192)              \
	HALF(codes-80)               \
	TERM(Z4, X+256)              \
	TERM(Z5, X+320)              \
	TERM(Z6, X+384)              \
	TERM(Z7, X+448)              \
	SCALE(K)

#define STEP4(SEL, S0, S1, S2, S3) \
	SEL                         \
	SCALES                      \
	S0                          \
	BLOCK($4, 0, 0, k-16)       \
	S1                          \
	BLOCK($4, 64, 512, k-12)    \
	S2                          \
	BLOCK($4, 128, 1024, k-8)   \
	S3                          \
	BLOCK($4, 192, 1536, k-4)   \
	ADDQ $256, DI

#define STEP3(SEL, S0, S1, S2, S3) \
	SEL                         \
	SCALES                      \
	S0                          \
	BLOCK($3, 0, 0, k-16)       \
	S1                          \
	BLOCK($3, 64, 512, k-12)    \
	S2                          \
	BLOCK($3, 128, 1024, k-8)   \
	S3                          \
	BLOCK3LAST(1536, k-4)       \
	ADDQ $192, DI

// ROW is a function that takes STEP for all steps of a row.
#define ROW(STEP) \
	MOVQ    a+8(FP), R13                \
	MOVQ    floatArgs_codes(R13), DI     \
	MOVQ    floatArgs_scales(R13), R9    \
	MOVQ    floatArgs_selectors(R13), SI \
	MOVQ    floatArgs_table(R13), R8     \
	MOVQ    floatArgs_x(R13), R10        \
	MOVQ    floatArgs_steps(R13), CX     \
	MOVQ    acc+0(FP), DX                \
	VMOVUPS (DX), Z0                     \
	THREES                               \
step:                                        \
	STEP                                 \
	ADDQ    $4, R9                       \
	ADDQ    $2048, R10                   \
	DECQ    CX                           \
	JNZ     step                         \
	VMOVUPS Z0, (DX)                     \
	VZEROUPPER                           \
	RET

// func floatSteps4x0AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps4x0AVX512(SB), NOSPLIT, $16-16
	ROW(STEP4(SEL0, SEL0_0, SEL0_1, SEL0_2, SEL0_3))

// func floatSteps4x2AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps4x2AVX512(SB), NOSPLIT, $16-16
	ROW(STEP4(SEL2, SEL2_0, SEL2_1, SEL2_2, SEL2_3))

// func floatSteps4x4AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps4x4AVX512(SB), NOSPLIT, $16-16
	ROW(STEP4(SEL4, SEL4_0, SEL4_1, SEL4_2, SEL4_3))

// func floatSteps3x0AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps3x0AVX512(SB), NOSPLIT, $144-16
	ROW(STEP3(SEL0, SEL0_0, SEL0_1, SEL0_2, SEL0_3))

// func floatSteps3x2AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps3x2AVX512(SB), NOSPLIT, $144-16
	ROW(STEP3(SEL2, SEL2_0, SEL2_1, SEL2_2, SEL2_3))

// func floatSteps3x4AVX512(acc *[16]float32, a *floatArgs)
TEXT ·floatSteps3x4AVX512(SB), NOSPLIT, $144-16
	ROW(STEP3(SEL4, SEL4_0, SEL4_1, SEL4_2, SEL4_3))

// Groups that have been decoded to bytes.

#define GROUP \
	VXORPS X1, X1, X1 \
	MOVQ   R8, BX

#define END \
	VMULPS.BCST (R9), Z1, Z1 \
	VADDPS      Z1, Z0, Z0   \
	ADDQ        $4, R9       \
	DECQ        CX           \
	JNZ         group        \
	VMOVUPS     Z0, (DX)     \
	VZEROUPPER               \
	RET

// func floatGroupsAVX512(acc *[16]float32, values *byte, x, k *float32, runs, groups int)
TEXT ·floatGroupsAVX512(SB), NOSPLIT, $0-48
	MOVQ    acc+0(FP), DX
	MOVQ    values+8(FP), SI
	MOVQ    x+16(FP), DI
	MOVQ    k+24(FP), R9
	MOVQ    runs+32(FP), R8
	MOVQ    groups+40(FP), CX
	VMOVUPS (DX), Z0

group:
	GROUP

run:
	VPMOVSXBD (SI), Z4
	VCVTDQ2PS Z4, Z4
	VMULPS    (DI), Z4, Z4
	VADDPS    Z4, Z1, Z1
	ADDQ      $16, SI
	ADDQ      $64, DI
	DECQ      BX
	JNZ       run
	END

// func floatTableAVX512(acc *[16]float32, codes *byte, x, k *float32, runs, groups int, table *float32)
TEXT ·floatTableAVX512(SB), NOSPLIT, $0-56
	MOVQ    acc+0(FP), DX
	MOVQ    codes+8(FP), SI
	MOVQ    x+16(FP), DI
	MOVQ    k+24(FP), R9
	MOVQ    runs+32(FP), R8
	MOVQ    groups+40(FP), CX
	MOVQ    table+48(FP), AX
	VMOVUPS (DX), Z0
	VMOVUPS (AX), Z13

group:
	GROUP

run:
	VPMOVZXBD (SI), Z4
	VPERMPS   Z13, Z4, Z4
	VMULPS    (DI), Z4, Z4
	VADDPS    Z4, Z1, Z1
	ADDQ      $16, SI
	ADDQ      $64, DI
	DECQ      BX
	JNZ       run
	END
