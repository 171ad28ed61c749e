//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

// Rows of 4-bit codes with the scales of MX and NV types: datatype.E8M0 for every 32
// columns, datatype.E4M3 for every 16. Sums of groups are scaled as floats, and then
// added from left to right.

// PRODUCTS multiplies the values of a block by the activations at Q, and leaves sums of
// four columns in Y8 … Y11.
#define PRODUCTS(Q) \
	VPMADDUBSW Q+0(R10), Y4, Y8   \
	VPMADDUBSW Q+32(R10), Y5, Y9  \
	VPMADDUBSW Q+64(R10), Y6, Y10 \
	VPMADDUBSW Q+96(R10), Y7, Y11 \
	VPMADDWD   Y14, Y8, Y8        \
	VPMADDWD   Y14, Y9, Y9        \
	VPMADDWD   Y14, Y10, Y10      \
	VPMADDWD   Y14, Y11, Y11

// BLOCK32 leaves the scaled sums of the four groups of a block in OUT. LOOK is RUNS, or
// ALIKE if all columns use the table in Y13.
#define BLOCK32(C, T, Q, C16, K, LOOK, OUT) \
	UNPACK4(C)                     \
	LOOK(T)                        \
	PRODUCTS(Q)                    \
	ADD8                           \
	VPMADDWD  C16(R11), X14, X9    \
	VPSUBD    X9, X8, X8           \
	VCVTDQ2PS X8, X8               \
	VPMOVZXBD K(R9), X9            \
	VPSLLD    $23, X9, X9          \
	VPMAXSD   least<>(SB), X9, X9  \
	VMULPS    X9, X8, OUT

// BLOCK16 leaves the scaled sums of the eight groups of a block in OUT, a YMM register.
#define BLOCK16(C, T, Q, C16, K, LOOK, OUT) \
	UNPACK4(C)                        \
	LOOK(T)                           \
	PRODUCTS(Q)                       \
	VPHADDD   Y9, Y8, Y8              \
	VPHADDD   Y11, Y10, Y10           \
	VPHADDD   Y10, Y8, Y8             \
	VMOVDQU   natural<>(SB), Y9       \
	VPERMD    Y8, Y9, Y8              \
	VPMOVSXWD C16(R11), Y9            \
	VPSUBD    Y9, Y8, Y8              \
	VCVTDQ2PS Y8, Y8                  \
	VPMOVZXBD K(R9), Y9               \
	VPSLLD    $20, Y9, Y9             \
	VMULPS    bias<>(SB), Y9, Y9      \
	VMULPS    Y9, Y8, OUT

#define ALIKE(T) LOOKUP

// least is 2^−127, the subnormal value of E8M0 scale 0.
DATA least<>+0(SB)/8, $0x0040000000400000
DATA least<>+8(SB)/8, $0x0040000000400000
GLOBL least<>(SB), RODATA|NOPTR, $16

// bias is 2^120, for the difference between the exponent biases of float32 and E4M3.
DATA bias<>+0(SB)/8, $0x7b8000007b800000
DATA bias<>+8(SB)/8, $0x7b8000007b800000
DATA bias<>+16(SB)/8, $0x7b8000007b800000
DATA bias<>+24(SB)/8, $0x7b8000007b800000
GLOBL bias<>(SB), RODATA|NOPTR, $32

// TRANSPOSE transposes both halves: from four groups each of blocks Y1, Y2, Y3 and Y12 to
// four blocks each of groups Y4 … Y7.
#define TRANSPOSE \
	VUNPCKLPS Y2, Y1, Y8    \
	VUNPCKHPS Y2, Y1, Y9    \
	VUNPCKLPS Y12, Y3, Y10  \
	VUNPCKHPS Y12, Y3, Y11  \
	VUNPCKLPD Y10, Y8, Y4   \
	VUNPCKHPD Y10, Y8, Y5   \
	VUNPCKLPD Y11, Y9, Y6   \
	VUNPCKHPD Y11, Y9, Y7   \
	VADDPS    X5, X4, X8    \
	VADDPS    X6, X8, X8    \
	VADDPS    X7, X8, X8

#define UPPER(Y) \
	VEXTRACTF128 $1, Y, X9 \
	VADDPS       X9, X8, X8

#define NEXT(SCALES) \
	VMULPS (R12), X8, X8 \
	VADDPS X8, X0, X0    \
	ADDQ $32, SI         \
	ADDQ $SCALES, R9     \
	ADDQ $512, R10       \
	ADDQ $64, R11        \
	ADDQ $16, R12        \
	ADDQ $256, DI

#define STEP32(LOOK) \
	BLOCK32(0, 0, 0, 0, 0, LOOK, X1)       \
	ONEBLOCK(X2, X3, X12)                  \
	BLOCK32(64, 8, 128, 16, 4, LOOK, X2)   \
	BLOCK32(128, 16, 256, 32, 8, LOOK, X3) \
	BLOCK32(192, 24, 384, 48, 12, LOOK, X12) \
sums:                                          \
	TRANSPOSE                              \
	NEXT(16)

#define STEP16(LOOK) \
	BLOCK16(0, 0, 0, 0, 0, LOOK, Y1)        \
	ONEBLOCK(Y2, Y3, Y12)                   \
	BLOCK16(64, 8, 128, 16, 8, LOOK, Y2)    \
	BLOCK16(128, 16, 256, 32, 16, LOOK, Y3) \
	BLOCK16(192, 24, 384, 48, 24, LOOK, Y12) \
sums:                                           \
	TRANSPOSE                               \
	UPPER(Y4)                               \
	UPPER(Y5)                               \
	UPPER(Y6)                               \
	UPPER(Y7)                               \
	NEXT(32)

#define TABLE \
	ONES \
	VBROADCASTI128 (R8), Y13

// func groupsE8M0AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groupsE8M0AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, TABLE, STEP32(RUNS))

// func groupsE8M0x0AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groupsE8M0x0AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, TABLE, STEP32(ALIKE))

// func groupsE4M3AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groupsE4M3AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, TABLE, STEP16(RUNS))

// func groupsE4M3x0AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groupsE4M3x0AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, TABLE, STEP16(ALIKE))
