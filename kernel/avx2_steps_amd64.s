//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"

// A step is 512 columns: four blocks of 128, one lane each. Within it:
//
//	DI codes    SI selectors    R9 scales    R8 table
//	R10 q       R11 corr        R12 d        CX steps left
//	X0 the lanes                Y13 the block's table
//	Y14 ones (words)            Y15 mask of a code (bytes)
//	Y8 … Y11 sums of blocks 0 … 3, eight lanes each

DATA nibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $8
DATA sevens<>+0(SB)/8, $0x0707070707070707
GLOBL sevens<>(SB), RODATA|NOPTR, $8
DATA fours<>+0(SB)/8, $0x0404040404040404
GLOBL fours<>(SB), RODATA|NOPTR, $8
DATA threes<>+0(SB)/8, $0x0303030303030303
GLOBL threes<>(SB), RODATA|NOPTR, $8

// Selectors: SELn loads those of a step into AX, and TABLEn_b the table of block
// b into Y13.
#define SEL0
#define TABLE0_0
#define TABLE0_1
#define TABLE0_2
#define TABLE0_3

#define SEL2 MOVBLZX (SI), AX; INCQ SI
#define TABLE2_0 MOVL AX, BX; SHLL $4, BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_1 LEAL (AX*4), BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_2 MOVL AX, BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_3 SHRL $2, AX; ANDL $0x30, AX; VBROADCASTI128 (R8)(AX*1), Y13

#define SEL4 MOVWLZX (SI), AX; ADDQ $2, SI
#define TABLE4_0 MOVL AX, BX; SHLL $4, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_1 MOVL AX, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_2 MOVL AX, BX; SHRL $4, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_3 SHRL $8, AX; ANDL $0xf0, AX; VBROADCASTI128 (R8)(AX*1), Y13

// DOT multiplies the looked up values of a block, of columns 0–31 in Y4, 32–63 in
// Y5, 64–95 in Y6 and 96–127 in Y7, by the activations at Q. Four products of
// pairs are at most 4·2·32·127 = 32512, which fits 16 bits.
#define DOT(Q, OUT) \
	VPMADDUBSW Q+0(R10), Y4, Y4  \
	VPMADDUBSW Q+32(R10), Y5, Y5 \
	VPMADDUBSW Q+64(R10), Y6, Y6 \
	VPMADDUBSW Q+96(R10), Y7, Y7 \
	VPADDW     Y5, Y4, Y4        \
	VPADDW     Y7, Y6, Y6        \
	VPADDW     Y6, Y4, Y4        \
	VPMADDWD   Y14, Y4, OUT

#define LOOKUP \
	VPSHUFB Y4, Y13, Y4 \
	VPSHUFB Y5, Y13, Y5 \
	VPSHUFB Y6, Y13, Y6 \
	VPSHUFB Y7, Y13, Y7

// A block of 4-bit codes is 64 bytes, with columns 0–63 in the low halves.
#define BLOCK4(C, Q, OUT) \
	PREFETCHT0 C+AHEAD(DI)      \
	VMOVDQU    C+0(DI), Y6      \
	VMOVDQU    C+32(DI), Y7     \
	VPAND      Y15, Y6, Y4      \
	VPAND      Y15, Y7, Y5      \
	VPSRLW     $4, Y6, Y6       \
	VPSRLW     $4, Y7, Y7       \
	VPAND      Y15, Y6, Y6      \
	VPAND      Y15, Y7, Y7      \
	LOOKUP                      \
	DOT(Q, OUT)

// Four blocks of 3-bit codes are 192 bytes. Block b below 3 has its columns 0–63
// in bits 0–2 of bytes 64b … 64b+63, and 64–127 in bits 3–5.
#define BLOCK3(C, Q, OUT) \
	PREFETCHT0 C+AHEAD(DI)      \
	VMOVDQU    C+0(DI), Y6      \
	VMOVDQU    C+32(DI), Y7     \
	VPAND      Y15, Y6, Y4      \
	VPAND      Y15, Y7, Y5      \
	VPSRLW     $3, Y6, Y6       \
	VPSRLW     $3, Y7, Y7       \
	VPAND      Y15, Y6, Y6      \
	VPAND      Y15, Y7, Y7      \
	LOOKUP                      \
	DOT(Q, OUT)

// Block 3 is in what is left: bits 6–7 of bytes 0–63 and 64–127 are the low bits
// of columns 0–63 and 64–127, and bits 6 and 7 of bytes 128–191 the high ones.
#define LAST3(Q, OUT) \
	VMOVDQU 0(DI), Y4       \
	VMOVDQU 32(DI), Y5      \
	VMOVDQU 64(DI), Y6      \
	VMOVDQU 96(DI), Y7      \
	VMOVDQU 128(DI), Y1     \
	VMOVDQU 160(DI), Y2     \
	VPSRLW  $6, Y4, Y4      \
	VPSRLW  $6, Y5, Y5      \
	VPSRLW  $6, Y6, Y6      \
	VPSRLW  $6, Y7, Y7      \
	VPAND   Y12, Y4, Y4     \
	VPAND   Y12, Y5, Y5     \
	VPAND   Y12, Y6, Y6     \
	VPAND   Y12, Y7, Y7     \
	VPSRLW  $4, Y1, Y3      \
	VPAND   Y11, Y3, Y3     \
	VPOR    Y3, Y4, Y4      \
	VPSRLW  $4, Y2, Y3      \
	VPAND   Y11, Y3, Y3     \
	VPOR    Y3, Y5, Y5      \
	VPSRLW  $5, Y1, Y1      \
	VPAND   Y11, Y1, Y1     \
	VPOR    Y1, Y6, Y6      \
	VPSRLW  $5, Y2, Y2      \
	VPAND   Y11, Y2, Y2     \
	VPOR    Y2, Y7, Y7      \
	LOOKUP                  \
	DOT(Q, OUT)

// LANES adds the eight lanes of Y8 … Y11 into the four of X8, multiplies by
// scales and adds to the lanes.
#define LANES \
	VPHADDD      Y9, Y8, Y8   \
	VPHADDD      Y11, Y10, Y10 \
	VPHADDD      Y10, Y8, Y8  \
	VEXTRACTI128 $1, Y8, X9   \
	VPMOVZXBD    (R9), X10    \
	VPADDD       X9, X8, X8   \
	VPSUBD       (R11), X8, X8 \
	VPMULLD      X10, X8, X8  \
	VCVTDQ2PS    X8, X8       \
	VMULPS       (R12), X8, X8 \
	VADDPS       X8, X0, X0

#define NEXT \
	ADDQ $4, R9    \
	ADDQ $512, R10 \
	ADDQ $16, R11  \
	ADDQ $16, R12

#define STEP4(SEL, T0, T1, T2, T3) \
	SEL                  \
	T0                   \
	BLOCK4(0, 0, Y8)     \
	T1                   \
	BLOCK4(64, 128, Y9)  \
	T2                   \
	BLOCK4(128, 256, Y10) \
	T3                   \
	BLOCK4(192, 384, Y11) \
	LANES                \
	ADDQ $256, DI        \
	NEXT

#define STEP3(SEL, T0, T1, T2, T3) \
	SEL                   \
	T0                    \
	BLOCK3(0, 0, Y8)      \
	T1                    \
	BLOCK3(64, 128, Y9)   \
	T2                    \
	BLOCK3(128, 256, Y10) \
	VPBROADCASTQ threes<>(SB), Y12 \
	VPBROADCASTQ fours<>(SB), Y11 \
	T3                    \
	LAST3(384, Y11)       \
	LANES                 \
	ADDQ $192, DI         \
	NEXT

// ROWS is the body of a function that takes STEP for all steps of all rows.
#define ROWS(MASK, STEP) \
	MOVQ acc+0(FP), DX              \
	MOVQ a+8(FP), R13               \
	MOVQ stepArgs_table(R13), R8    \
	VPBROADCASTQ MASK<>(SB), Y15    \
	VPCMPEQW Y14, Y14, Y14          \
	VPSRLW $15, Y14, Y14            \
	VBROADCASTI128 (R8), Y13        \
	MOVQ stepArgs_codes(R13), R14   \
	MOVQ stepArgs_scales(R13), AX   \
	MOVQ stepArgs_selectors(R13), BX \
	MOVQ AX, scales-8(SP)           \
	MOVQ BX, selectors-16(SP)       \
row:                                \
	MOVQ R14, DI                    \
	MOVQ scales-8(SP), R9           \
	MOVQ selectors-16(SP), SI       \
	MOVQ stepArgs_q(R13), R10       \
	MOVQ stepArgs_corr(R13), R11    \
	MOVQ stepArgs_d(R13), R12       \
	MOVQ stepArgs_steps(R13), CX    \
	VMOVUPS (DX), X0                \
step:                               \
	STEP                            \
	DECQ CX                         \
	JNZ  step                       \
	VMOVUPS X0, (DX)                \
	ADDQ $16, DX                    \
	ADDQ stepArgs_codeStride(R13), R14 \
	MOVQ stepArgs_scaleStride(R13), AX \
	ADDQ AX, scales-8(SP)           \
	MOVQ stepArgs_selectorStride(R13), AX \
	ADDQ AX, selectors-16(SP)       \
	DECQ rows+16(FP)                \
	JNZ  row                        \
	VZEROUPPER                      \
	RET

#define AHEAD 4096

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
