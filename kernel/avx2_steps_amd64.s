//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

DATA largest<>+0(SB)/8, $0x7f7f7f7f7f7f7f7f
GLOBL largest<>(SB), RODATA|NOPTR, $8

// A step is 512 columns: four blocks of 128. Y8 … Y11 are the sums of the blocks, eight
// lanes each. X0 has the lanes of the row.

// DOT multiplies the values of a block by the activations at Q. Four products of
// pairs are at most 4·2·32·127 = 32512, which fits 16 bits.
#define DOT(Q, OUT) \
	LOOKUP                       \
	VPMADDUBSW Q+0(R10), Y4, Y4  \
	VPMADDUBSW Q+32(R10), Y5, Y5 \
	VPMADDUBSW Q+64(R10), Y6, Y6 \
	VPMADDUBSW Q+96(R10), Y7, Y7 \
	VPADDW     Y5, Y4, Y4        \
	VPADDW     Y7, Y6, Y6        \
	VPADDW     Y6, Y4, Y4        \
	VPMADDWD   Y14, Y4, OUT

// SCALE ends a step: (Σ value·q − correction) · scale, times d, added.
#define SCALE \
	ADD8                       \
	VPMOVZXBD (R9), X10        \
	VPSUBD    (R11), X8, X8    \
	VPMULLD   X10, X8, X8      \
	LANES                      \
	ADDQ      $4, R9           \
	ADDQ      $512, R10        \
	ADDQ      $16, R11         \
	ADDQ      $16, R12

#define STEP4(SEL, T0, T1, T2, T3) \
	SEL          \
	T0           \
	UNPACK4(0)   \
	DOT(0, Y8)   \
	T1           \
	UNPACK4(64)  \
	DOT(128, Y9) \
	T2           \
	UNPACK4(128) \
	DOT(256, Y10) \
	T3           \
	UNPACK4(192) \
	DOT(384, Y11) \
	SCALE        \
	ADDQ $256, DI

#define STEP3(SEL, T0, T1, T2, T3) \
	SEL           \
	T0            \
	UNPACK3(0)    \
	DOT(0, Y8)    \
	T1            \
	UNPACK3(64)   \
	DOT(128, Y9)  \
	T2            \
	UNPACK3(128)  \
	DOT(256, Y10) \
	T3            \
	UNPACK3LAST   \
	DOT(384, Y11) \
	SCALE         \
	ADDQ $192, DI

#define STEP2(SEL, T0, T1, T2, T3) \
	SEL           \
	T0            \
	UNPACK2A(0)   \
	DOT(0, Y8)    \
	T1            \
	UNPACK2B(0)   \
	DOT(128, Y9)  \
	T2            \
	UNPACK2A(64)  \
	DOT(256, Y10) \
	T3            \
	UNPACK2B(64)  \
	DOT(384, Y11) \
	SCALE         \
	ADDQ $128, DI

// SCALE8 is SCALE without a correction.
#define SCALE8 \
	ADD8                     \
	VPMOVZXBD (R9), X10      \
	VPMULLD   X10, X8, X8    \
	LANES                    \
	ADDQ      $4, R9         \
	ADDQ      $512, R10      \
	ADDQ      $16, R12

// BYTES multiplies 32 columns of 8-bit codes, less the offsets in Y15. VPSIGNB moves the
// signs of the weights to the activations, and VPMADDUBSW multiplies these by the
// magnitudes of the weights. Two products fit 16 bits.
#define BYTES(C, OUT) \
	VMOVDQU    C(DI), Y4    \
	VPSUBB     Y15, Y4, Y4  \
	VMOVDQU    C(R10), Y5   \
	VPSIGNB    Y4, Y5, Y5   \
	VPABSB     Y4, Y4       \
	VPMADDUBSW Y5, Y4, Y4   \
	VPMADDWD   Y14, Y4, OUT

#define BLOCK8(C, OUT) \
	PREFETCHT1 C+AHEAD(DI)    \
	PREFETCHT1 C+AHEAD+64(DI) \
	BYTES(C, OUT)             \
	BYTES(C+32, Y6)           \
	VPADDD Y6, OUT, OUT       \
	BYTES(C+64, Y6)           \
	VPADDD Y6, OUT, OUT       \
	BYTES(C+96, Y6)           \
	VPADDD Y6, OUT, OUT

#define STEP8 \
	BLOCK8(0, Y8)            \
	BLOCK8(128, Y9)          \
	BLOCK8(256, Y10)         \
	BLOCK8(384, Y11)         \
	SCALE8                   \
	ADDQ      $512, DI

// WIDE is BYTES for values of 8 bits in Y.
#define WIDE(Q, Y) \
	VMOVDQU    Q(R10), Y1  \
	VPSIGNB    Y, Y1, Y1   \
	VPABSB     Y, Y        \
	VPMADDUBSW Y1, Y, Y    \
	VPMADDWD   Y14, Y, Y

#define DOTWIDE(Q, OUT) \
	LOOKUP            \
	WIDE(Q+0, Y4)     \
	WIDE(Q+32, Y5)    \
	WIDE(Q+64, Y6)    \
	WIDE(Q+96, Y7)    \
	VPADDD Y5, Y4, Y4 \
	VPADDD Y7, Y6, Y6 \
	VPADDD Y6, Y4, OUT

#define STEP4WIDE \
	UNPACK4(0)               \
	DOTWIDE(0, Y8)           \
	UNPACK4(64)              \
	DOTWIDE(128, Y9)         \
	UNPACK4(128)             \
	DOTWIDE(256, Y10)        \
	UNPACK4(192)             \
	DOTWIDE(384, Y11)        \
	SCALE8                   \
	ADDQ      $256, DI

// ROWS is a function that runs STEP for all steps of all rows.
#define ROWS(MASK, STEP) \
	MOVQ acc+0(FP), DX               \
	MOVQ a+8(FP), R13                \
	MOVQ rowArgs_table(R13), R8      \
	VPBROADCASTQ MASK<>(SB), Y15     \
	ONES                             \
	VBROADCASTI128 (R8), Y13         \
	MOVQ rowArgs_codes(R13), R14     \
	MOVQ rowArgs_scales(R13), AX     \
	MOVQ rowArgs_selectors(R13), BX  \
	MOVQ AX, scales-8(SP)            \
	MOVQ BX, selectors-16(SP)        \
row:                                     \
	MOVQ R14, DI                     \
	MOVQ scales-8(SP), R9            \
	MOVQ selectors-16(SP), SI        \
	MOVQ stepArgs_q(R13), R10        \
	MOVQ stepArgs_corr(R13), R11     \
	MOVQ stepArgs_d(R13), R12        \
	MOVQ stepArgs_steps(R13), CX     \
	VMOVUPS (DX), X0                 \
	PCALIGN $64 \
step:                                    \
	STEP                             \
	DECQ CX                          \
	JNZ  step                        \
	VMOVUPS X0, (DX)                 \
	ADDQ $16, DX                     \
	ADDQ rowArgs_codeStride(R13), R14  \
	MOVQ rowArgs_scaleStride(R13), AX  \
	ADDQ AX, scales-8(SP)            \
	MOVQ rowArgs_selectorStride(R13), AX  \
	ADDQ AX, selectors-16(SP)        \
	DECQ rows+16(FP)                 \
	JNZ  row                         \
	VZEROUPPER                       \
	RET

// func steps4x0AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps4x0AVX2(SB), NOSPLIT, $16-24
	ROWS(nibbles, STEP4(SEL0, TABLE0_0, TABLE0_1, TABLE0_2, TABLE0_3))

// func steps4x2AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps4x2AVX2(SB), NOSPLIT, $16-24
	ROWS(nibbles, STEP4(SEL2, TABLE2_0, TABLE2_1, TABLE2_2, TABLE2_3))

// func steps4x4AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps4x4AVX2(SB), NOSPLIT, $16-24
	ROWS(nibbles, STEP4(SEL4, TABLE4_0, TABLE4_1, TABLE4_2, TABLE4_3))

// func steps3x0AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps3x0AVX2(SB), NOSPLIT, $16-24
	ROWS(sevens, STEP3(SEL0, TABLE0_0, TABLE0_1, TABLE0_2, TABLE0_3))

// func steps3x2AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps3x2AVX2(SB), NOSPLIT, $16-24
	ROWS(sevens, STEP3(SEL2, TABLE2_0, TABLE2_1, TABLE2_2, TABLE2_3))

// func steps3x4AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps3x4AVX2(SB), NOSPLIT, $16-24
	ROWS(sevens, STEP3(SEL4, TABLE4_0, TABLE4_1, TABLE4_2, TABLE4_3))

// func steps8x0AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps8x0AVX2(SB), NOSPLIT, $16-24
	ROWS(largest, STEP8)

// func steps2x4AVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps2x4AVX2(SB), NOSPLIT, $16-24
	ROWS(threes, STEP2(SEL4, TABLE4_0, TABLE4_1, TABLE4_2, TABLE4_3))

// func steps4WideAVX2(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps4WideAVX2(SB), NOSPLIT, $16-24
	ROWS(nibbles, STEP4WIDE)
