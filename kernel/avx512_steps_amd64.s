//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx512_amd64.h"

// A step is 512 columns: four blocks of 128, whose sums are Z8 … Z11, 16 lanes
// each. X0 has the lanes of the row, Z13 the table of a block four times over.

// DOT looks up the codes of a block, columns 0–63 in LO and 64–127 in HI, and
// multiplies by the activations at Q. BX is the offset of its table.
#define DOT(LO, HI, Q, OUT) \
	VBROADCASTI32X4 (R8)(BX*1), Z13 \
	VPERMB   Z13, LO, Z5         \
	VPERMB   Z13, HI, Z6         \
	VPXORD   OUT, OUT, OUT       \
	VPDPBUSD Q+0(R10), Z5, OUT   \
	VPDPBUSD Q+64(R10), Z6, OUT

// BLOCK is the block in the low bits of the 64 bytes at C, with columns 64–127 from
// bit SHIFT on. The bytes stay in IN.
#define BLOCK(SHIFT, C, Q, IN, OUT) \
	PREFETCHT0 C+AHEAD(DI)    \
	VMOVDQU64  C+0(DI), IN    \
	VPSRLW     SHIFT, IN, Z4  \
	DOT(IN, Z4, Q, OUT)

// SCALE ends a step: (Σ value·q − correction) · scale, times d, added.
#define SCALE \
	ADD4(Z8)                     \
	VEXTRACTI64X4 $1, Z8, Y9     \
	VPADDD        Y9, Y8, Y8     \
	VEXTRACTI128  $1, Y8, X9     \
	VPMOVZXBD     (R9), X10      \
	VPADDD        X9, X8, X8     \
	VPSUBD        (R11), X8, X8  \
	VPMULLD       X10, X8, X8    \
	VCVTDQ2PS     X8, X8         \
	VMULPS        (R12), X8, X8  \
	VADDPS        X8, X0, X0     \
	ADDQ          $4, R9         \
	ADDQ          $512, R10      \
	ADDQ          $16, R11       \
	ADDQ          $16, R12

// Two blocks of 2-bit codes share 64 bytes.
#define STEP2(SEL, S0, S1, S2, S3) \
	SEL                          \
	S0                           \
	BLOCK($2, 0, 0, Z1, Z8)      \
	S1                           \
	VPSRLW $4, Z1, Z1            \
	VPSRLW $2, Z1, Z4            \
	DOT(Z1, Z4, 128, Z9)         \
	S2                           \
	BLOCK($2, 64, 256, Z2, Z10)  \
	S3                           \
	VPSRLW $4, Z2, Z2            \
	VPSRLW $2, Z2, Z4            \
	DOT(Z2, Z4, 384, Z11)        \
	ADDQ $128, DI                \
	SCALE

// BYTES is a block of 8-bit codes, which need no table.
#define BYTES(C, OUT) \
	PREFETCHT0 C+AHEAD(DI)        \
	PREFETCHT0 C+64+AHEAD(DI)     \
	VMOVDQU64  C+0(DI), Z5        \
	VMOVDQU64  C+64(DI), Z6       \
	VPXORD     OUT, OUT, OUT      \
	VPDPBUSD   C+0(R10), Z5, OUT  \
	VPDPBUSD   C+64(R10), Z6, OUT

#define STEP8 \
	BYTES(0, Z8)    \
	BYTES(128, Z9)  \
	BYTES(256, Z10) \
	BYTES(384, Z11) \
	SCALE           \
	ADDQ $512, DI

// ROWS is the body of a function that takes STEP for all steps of all rows.
#define ROWS(STEP) \
	MOVQ acc+0(FP), DX               \
	MOVQ a+8(FP), R13                \
	MOVQ rowArgs_table(R13), R8      \
	THREES                           \
	MOVQ rowArgs_codes(R13), R14     \
	MOVQ rowArgs_scales(R13), AX     \
	MOVQ rowArgs_selectors(R13), BX  \
	MOVQ AX, scales-8(SP)            \
	MOVQ BX, selectors-16(SP)        \
row:                                 \
	MOVQ R14, DI                     \
	MOVQ scales-8(SP), R9            \
	MOVQ selectors-16(SP), SI        \
	MOVQ stepArgs_q(R13), R10        \
	MOVQ stepArgs_corr(R13), R11     \
	MOVQ stepArgs_d(R13), R12        \
	MOVQ stepArgs_steps(R13), CX     \
	VMOVUPS (DX), X0                 \
	PCALIGN $64 \
step:                                \
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

// func steps2x4AVX512(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps2x4AVX512(SB), NOSPLIT, $16-24
	ROWS(STEP2(SEL4, SEL4_0, SEL4_1, SEL4_2, SEL4_3))

// func steps8AVX512(acc *[4]float32, a *stepArgs, rows int)
TEXT ·steps8AVX512(SB), NOSPLIT, $16-24
	ROWS(STEP8)
