//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

// Float mode from the packed codes. The values of a block are in Y4 … Y7, a word of four
// columns for each lane. The lanes of the block are in Y0 … Y3, and the lanes of the row
// in memory.

// FLOAT converts the byte LEFT bits below the top of each word of V to a float.
#define FLOAT(LEFT, V, OUT) \
	VPSLLD    LEFT, V, OUT  \
	VPSRAD    $24, OUT, OUT \
	VCVTDQ2PS OUT, OUT

#define FLOAT0(V, OUT) \
	VPSRAD    $24, V, OUT   \
	VCVTDQ2PS OUT, OUT

#define ADD(X) \
	VFMADD231PS X+0(R10), Y8, Y0    \
	VFMADD231PS X+32(R10), Y9, Y1   \
	VFMADD231PS X+256(R10), Y10, Y2 \
	VFMADD231PS X+288(R10), Y11, Y3

#define FLOATS(LEFT) \
	FLOAT(LEFT, Y4, Y8)  \
	FLOAT(LEFT, Y5, Y9)  \
	FLOAT(LEFT, Y6, Y10) \
	FLOAT(LEFT, Y7, Y11)

#define SCALE(LANE, SUM) \
	VMOVUPS     LANE(DX), Y8   \
	VFMADD231PS Y12, SUM, Y8   \
	VMOVUPS     Y8, LANE(DX)

// PRODUCTS multiplies a block; its scale is at K.
#define PRODUCTS(K) \
	LOOKUP                         \
	FLOATS($24)                    \
	VMULPS  0(R10), Y8, Y0         \
	VMULPS  32(R10), Y9, Y1        \
	VMULPS  256(R10), Y10, Y2      \
	VMULPS  288(R10), Y11, Y3      \
	FLOATS($16)                    \
	ADD(64)                        \
	FLOATS($8)                     \
	ADD(128)                       \
	FLOAT0(Y4, Y8)                 \
	FLOAT0(Y5, Y9)                 \
	FLOAT0(Y6, Y10)                \
	FLOAT0(Y7, Y11)                \
	ADD(192)                       \
	VBROADCASTSS K(R11), Y12        \
	SCALE(0, Y0)                   \
	SCALE(32, Y1)                  \
	SCALE(64, Y2)                  \
	SCALE(96, Y3)                  \
	ADDQ $512, R10

// SCALES puts the scales of a step at R11, on the stack. R11 is aligned, because loads
// across cache lines slow every step down.
#define SCALES \
	VPMOVZXBD (R9), X8      \
	VCVTDQ2PS X8, X8        \
	VMOVUPS   X8, 0(R11)  \
	ADDQ      $4, R9

#define STEP4(SEL, T0, T1, T2, T3) \
	SEL             \
	SCALES          \
	T0              \
	UNPACK4(0)      \
	PRODUCTS(0)  \
	T1              \
	UNPACK4(64)     \
	PRODUCTS(4)  \
	T2              \
	UNPACK4(128)    \
	PRODUCTS(8)   \
	T3              \
	UNPACK4(192)    \
	PRODUCTS(12)   \
	ADDQ $256, DI

#define STEP3(SEL, T0, T1, T2, T3) \
	SEL             \
	SCALES          \
	T0              \
	UNPACK3(0)      \
	PRODUCTS(0)  \
	T1              \
	UNPACK3(64)     \
	PRODUCTS(4)  \
	T2              \
	UNPACK3(128)    \
	PRODUCTS(8)   \
	T3              \
	UNPACK3LAST     \
	PRODUCTS(12)   \
	ADDQ $192, DI

// ROWS is a function that runs STEP for all steps of all rows.
#define ROWS(MASK, STEP) \
	MOVQ acc+0(FP), DX                   \
	MOVQ a+8(FP), R13                    \
	MOVQ rowArgs_table(R13), R8          \
	VPBROADCASTQ MASK<>(SB), Y15         \
	VBROADCASTI128 (R8), Y13             \
	MOVQ rowArgs_codes(R13), R14         \
	LEAQ space-128(SP), R11           \
	ADDQ $63, R11                     \
	ANDQ $~63, R11                    \
row:                                         \
	MOVQ    R14, DI                      \
	MOVQ    rowArgs_scales(R13), R9      \
	MOVQ    rowArgs_selectors(R13), SI   \
	MOVQ    floatArgs_x(R13), R10        \
	MOVQ    floatArgs_steps(R13), CX     \
	CMPQ    floatArgs_more(R13), $0      \
	JNE     more                         \
	VXORPS  X0, X0, X0                   \
	VMOVUPS Y0, (DX)                     \
	VMOVUPS Y0, 32(DX)                   \
	VMOVUPS Y0, 64(DX)                   \
	VMOVUPS Y0, 96(DX)                   \
more:                                        \
	PCALIGN $64 \
step:                                        \
	STEP                                 \
	DECQ    CX                           \
	JNZ     step                         \
	ADDQ    $128, DX                     \
	ADDQ    rowArgs_codeStride(R13), R14       \
	MOVQ    rowArgs_scaleStride(R13), AX   \
	ADDQ    AX, rowArgs_scales(R13)    \
	MOVQ    rowArgs_selectorStride(R13), AX   \
	ADDQ    AX, rowArgs_selectors(R13)   \
	DECQ    rows+16(FP)                  \
	JNZ     row                          \
	VZEROUPPER                           \
	RET

// func floatSteps4x0AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x0AVX2(SB), NOSPLIT, $128-24
	ROWS(nibbles, STEP4(SEL0, TABLE0_0, TABLE0_1, TABLE0_2, TABLE0_3))

// func floatSteps4x2AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x2AVX2(SB), NOSPLIT, $128-24
	ROWS(nibbles, STEP4(SEL2, TABLE2_0, TABLE2_1, TABLE2_2, TABLE2_3))

// func floatSteps4x4AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps4x4AVX2(SB), NOSPLIT, $128-24
	ROWS(nibbles, STEP4(SEL4, TABLE4_0, TABLE4_1, TABLE4_2, TABLE4_3))

// func floatSteps3x0AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x0AVX2(SB), NOSPLIT, $128-24
	ROWS(sevens, STEP3(SEL0, TABLE0_0, TABLE0_1, TABLE0_2, TABLE0_3))

// func floatSteps3x2AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x2AVX2(SB), NOSPLIT, $128-24
	ROWS(sevens, STEP3(SEL2, TABLE2_0, TABLE2_1, TABLE2_2, TABLE2_3))

// func floatSteps3x4AVX2(acc *[32]float32, a *floatArgs, rows int)
TEXT ·floatSteps3x4AVX2(SB), NOSPLIT, $128-24
	ROWS(sevens, STEP3(SEL4, TABLE4_0, TABLE4_1, TABLE4_2, TABLE4_3))
