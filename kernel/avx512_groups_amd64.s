//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx512_amd64.h"

// Groups of 16, 32 and 64 columns, whose tables and scales differ within a vector.
// A step is eight halves of blocks, 64 columns each:
//
//	Z31 the values of all codebooks, by selector and code
//	Z30 the mask of a code (bytes)
//	Z29 the selectors of the step, as a word of 64 bits, eight times
//	Z28 the scales of the step (bytes)
//	Z26 the shift in Z29 for each column, and Z24 the increase to the next half
//	Z27 the index in Z28 for each lane, and Z25 the increase to the next half
//	Z16, Z17 Z26 and Z27 for the first half
//	K1  bytes of scales    K2 bytes of selectors    K3 the lowest byte of words

// VALUES looks up the codes in the lowest bits of the bytes of IN. VPMULTISHIFTQB puts
// the selector of each code above it. The table is repeated, so that it ignores the bits
// above.
#define VALUES(IN, OUT) \
	VPMULTISHIFTQB Z29, Z26, OUT      \
	VPADDB         Z24, Z26, Z26      \
	VPTERNLOGD     $0xd8, Z30, IN, OUT \
	VPERMB         Z31, OUT, OUT

// SCALES widens the scales of the lanes of a half.
#define SCALES(OUT) \
	VPERMB.Z Z28, Z27, K3, OUT \
	VPADDB   Z25, Z27, Z27

// META loads the selectors and scales of a step.
#define META \
	VMOVDQU8.Z   (SI), K2, X29 \
	VPBROADCASTQ X29, Z29      \
	VMOVDQU8.Z   (R9), K1, Y28 \
	VMOVDQA64    Z16, Z26      \
	VMOVDQA64    Z17, Z27      \
	ADDQ         groupStepArgs_selectorBytes(R13), SI \
	ADDQ         groupStepArgs_scaleBytes(R13), R9

// MX types have groups of 32 with powers of two as scales, datatype.E8M0. NV types have
// groups of 16 with small floats, datatype.E4M3.
//
//	Z19 a constant
//	Z17 the indices that transpose scales from [block][group] to [group][block]

// INTEGER, E8M0 and E4M3 convert scales to floats. The START macros set the constants for
// them.
#define INTEGER(V) VCVTDQ2PS V, V
#define STARTINTEGER

// E8M0 makes b the exponent of 2^(b−127), which is subnormal for 0.
#define E8M0(V) \
	VPSLLD  $23, V, V \
	VPMAXSD Z19, V, V
#define STARTE8M0 \
	MOVL         $0x00400000, AX \
	VPBROADCASTD AX, Z19

// E4M3 shifts exponent and fraction to their places in a float32, and multiplies by 2^120
// for the difference of the biases, which is exact for subnormal numbers, too.
#define E4M3(V) \
	VPSLLD $20, V, V \
	VMULPS Z19, V, V
#define STARTE4M3 \
	MOVL         $0x7b800000, AX \
	VPBROADCASTD AX, Z19

// START sets the registers that all functions share, for a row. The argument is the mask
// of a code.
#define START(MASK) \
	MOVQ acc+0(FP), DX                   \
	MOVQ a+8(FP), R13                    \
	THREES                               \
	MOVL $MASK, AX                       \
	VPBROADCASTD AX, Z30                 \
	MOVQ groupStepArgs_table(R13), AX    \
	VMOVDQU64 (AX), Z31                  \
	MOVQ $-1, AX                         \
	MOVQ groupStepArgs_scaleBytes(R13), CX \
	BZHIQ CX, AX, BX                     \
	KMOVQ BX, K1                         \
	MOVQ groupStepArgs_selectorBytes(R13), CX \
	BZHIQ CX, AX, BX                     \
	KMOVQ BX, K2                         \
	MOVQ $0x1111111111111111, AX         \
	KMOVQ AX, K3                         \
	MOVQ groupStepArgs_spread(R13), AX   \
	VMOVDQU64 spread_selectors(AX), Z16  \
	VMOVDQU64 spread_scales(AX), Z17     \
	VPBROADCASTB spread_nextSelectors(AX), Z24 \
	VPBROADCASTB spread_nextScales(AX), Z25 \
	MOVQ groupStepArgs_codes(R13), DI    \
	MOVQ groupStepArgs_scales(R13), R9   \
	MOVQ groupStepArgs_selectors(R13), SI \
	MOVQ groupStepArgs_steps(R13), CX

// Float mode. Z0 has lanes 0–15 of the row, Z1 lanes 16–31.

#define FLOAT(LEFT, V) \
	VPSLLD    LEFT, V, Z21   \
	VPSRAD    $24, Z21, Z21  \
	VCVTDQ2PS Z21, Z21

// FLOATS adds half H to the lanes in ACC, through SUM.
#define FLOATS(H, IN, V, SUM, ACC, K) \
	VALUES(IN, V)                     \
	FLOAT($24, V)                        \
	VMULPS      256*H(R10), Z21, SUM     \
	FLOAT($16, V)                        \
	VFMADD231PS 256*H+64(R10), Z21, SUM  \
	FLOAT($8, V)                         \
	VFMADD231PS 256*H+128(R10), Z21, SUM \
	VPSRAD      $24, V, V                \
	VCVTDQ2PS   V, V                     \
	VFMADD231PS 256*H+192(R10), V, SUM   \
	SCALES(Z22)                       \
	K(Z22)                               \
	VFMADD231PS Z22, SUM, ACC

#define FLOATBLOCK(C, SHIFT, H0, H1, IN, K) \
	PREFETCHT1 C+AHEAD(DI)         \
	VMOVDQU64  C(DI), IN           \
	FLOATS(H0, IN, Z20, Z6, Z0, K)    \
	VPSRLW     SHIFT, IN, Z5       \
	FLOATS(H1, Z5, Z23, Z7, Z1, K)

#define FLOATSTEP4(K) \
	META                           \
	FLOATBLOCK(0, $4, 0, 1, Z2, K)    \
	FLOATBLOCK(64, $4, 2, 3, Z2, K)   \
	FLOATBLOCK(128, $4, 4, 5, Z2, K)  \
	FLOATBLOCK(192, $4, 6, 7, Z2, K)  \
	ADDQ $2048, R10                \
	ADDQ $256, DI

#define FLOATSTEP3(K) \
	META                           \
	FLOATBLOCK(0, $3, 0, 1, Z2, K)    \
	FLOATBLOCK(64, $3, 2, 3, Z3, K)   \
	FLOATBLOCK(128, $3, 4, 5, Z4, K)  \
	LAST3(Z2, Z3, Z4, Z2, Z3)      \
	FLOATS(6, Z2, Z20, Z6, Z0, K)     \
	FLOATS(7, Z3, Z23, Z7, Z1, K)     \
	ADDQ $2048, R10                \
	ADDQ $192, DI

#define FLOATROW(MASK, SET, STEP) \
	START(MASK)                     \
	SET                             \
	MOVQ groupStepArgs_x(R13), R10  \
	VMOVUPS (DX), Z0                \
	VMOVUPS 64(DX), Z1              \
	PCALIGN $64 \
step:                               \
	STEP                            \
	DECQ CX                         \
	JNZ  step                       \
	VMOVUPS Z0, (DX)                \
	VMOVUPS Z1, 64(DX)              \
	VZEROUPPER                      \
	RET

// func floatGroupSteps4AVX512(acc *[32]float32, a *groupStepArgs)
TEXT ·floatGroupSteps4AVX512(SB), NOSPLIT, $0-16
	FLOATROW(0x0f0f0f0f, STARTINTEGER, FLOATSTEP4(INTEGER))

// func floatGroupSteps3AVX512(acc *[32]float32, a *groupStepArgs)
TEXT ·floatGroupSteps3AVX512(SB), NOSPLIT, $0-16
	FLOATROW(0x07070707, STARTINTEGER, FLOATSTEP3(INTEGER))

// func floatGroupStepsE8M0AVX512(acc *[32]float32, a *groupStepArgs)
TEXT ·floatGroupStepsE8M0AVX512(SB), NOSPLIT, $0-16
	FLOATROW(0x0f0f0f0f, STARTE8M0, FLOATSTEP4(E8M0))

// func floatGroupStepsE4M3AVX512(acc *[32]float32, a *groupStepArgs)
TEXT ·floatGroupStepsE4M3AVX512(SB), NOSPLIT, $0-16
	FLOATROW(0x0f0f0f0f, STARTE4M3, FLOATSTEP4(E4M3))
