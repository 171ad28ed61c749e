//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

// A row with a scale for every 16, 32 or 64 columns.

// DOT multiplies the values of a block by the activations at Q, and the sums by their
// scales. The five shuffles at DX spread the scales over words: four shuffles for 32
// columns each, and one for the corrections of 8 runs of 16.
#define DOT(Q, C16, OUT) \
	VPBROADCASTQ (R9), Y3            \
	VPMADDUBSW   Q+0(R10), Y4, Y4    \
	VPMADDUBSW   Q+32(R10), Y5, Y5   \
	VPMADDUBSW   Q+64(R10), Y6, Y6   \
	VPMADDUBSW   Q+96(R10), Y7, Y7   \
	VPSHUFB      0(DX), Y3, Y1       \
	VPSHUFB      32(DX), Y3, Y2      \
	VPMADDWD     Y1, Y4, Y4          \
	VPMADDWD     Y2, Y5, Y5          \
	VPSHUFB      64(DX), Y3, Y1      \
	VPSHUFB      96(DX), Y3, Y2      \
	VPMADDWD     Y1, Y6, Y6          \
	VPMADDWD     Y2, Y7, Y7          \
	VPSHUFB      128(DX), X3, X3     \
	VPMADDWD     C16(R11), X3, X3    \
	VPADDD       Y5, Y4, Y4          \
	VPADDD       Y7, Y6, Y6          \
	VPSUBD       Y3, Y4, Y4          \
	VPADDD       Y6, Y4, OUT         \
	ADDQ         groupArgs_scaleStep(R13), R9

#define NEXT(SELECTORS) \
	ADD8           \
	LANES          \
	ADDQ $SELECTORS, SI \
	ADDQ $512, R10 \
	ADDQ $64, R11  \
	ADDQ $16, R12

#define STEP4 \
	UNPACK4(0)        \
	RUNS(0)           \
	DOT(0, 0, Y8)     \
	UNPACK4(64)       \
	RUNS(8)           \
	DOT(128, 16, Y9)  \
	UNPACK4(128)      \
	RUNS(16)          \
	DOT(256, 32, Y10) \
	UNPACK4(192)      \
	RUNS(24)          \
	DOT(384, 48, Y11) \
	NEXT(32)          \
	ADDQ $256, DI

#define STEP3 \
	UNPACK3(0)        \
	RUNS(0)           \
	DOT(0, 0, Y8)     \
	UNPACK3(64)       \
	RUNS(8)           \
	DOT(128, 16, Y9)  \
	UNPACK3(128)      \
	RUNS(16)          \
	DOT(256, 32, Y10) \
	UNPACK3LAST       \
	RUNS(24)          \
	DOT(384, 48, Y11) \
	NEXT(32)          \
	ADDQ $192, DI

#define STEP2 \
	UNPACK2A(0)       \
	RUNS(0)           \
	DOT(0, 0, Y8)     \
	UNPACK2B(0)       \
	RUNS(8)           \
	DOT(128, 16, Y9)  \
	UNPACK2A(64)      \
	RUNS(16)          \
	DOT(256, 32, Y10) \
	UNPACK2B(64)      \
	RUNS(24)          \
	DOT(384, 48, Y11) \
	NEXT(32)          \
	ADDQ $128, DI

// FETCH32 and FETCH64 load the 2-bit selectors of a step, for groups of 32 and of 64
// columns. LOOK32 and LOOK64 look up block B with these selectors, LOOK0 without.
#define FETCH32 MOVL (SI), AX; SHLQ $4, AX
#define FETCH64 MOVWLZX (SI), AX; SHLL $4, AX
#define FETCH0

#define TABLE(AT) \
	MOVQ AX, BX    \
	SHRQ $AT, BX   \
	ANDL $0x30, BX \
	VBROADCASTI128 (R8)(BX*1), Y13

#define LOOK32(B) \
	TABLE(8*B)        \
	VPSHUFB Y4, Y13, Y4 \
	TABLE(8*B+2)      \
	VPSHUFB Y5, Y13, Y5 \
	TABLE(8*B+4)      \
	VPSHUFB Y6, Y13, Y6 \
	TABLE(8*B+6)      \
	VPSHUFB Y7, Y13, Y7

#define LOOK64(B) \
	TABLE(4*B)        \
	VPSHUFB Y4, Y13, Y4 \
	VPSHUFB Y5, Y13, Y5 \
	TABLE(4*B+2)      \
	VPSHUFB Y6, Y13, Y6 \
	VPSHUFB Y7, Y13, Y7

#define LOOK0(B) LOOKUP

#define STEP4BY(FETCH, LOOK, SELECTORS) \
	FETCH             \
	UNPACK4(0)        \
	LOOK(0)           \
	DOT(0, 0, Y8)     \
	ONEBLOCK(Y9, Y10, Y11) \
	UNPACK4(64)       \
	LOOK(1)           \
	DOT(128, 16, Y9)  \
	UNPACK4(128)      \
	LOOK(2)           \
	DOT(256, 32, Y10) \
	UNPACK4(192)      \
	LOOK(3)           \
	DOT(384, 48, Y11) \
sums:                     \
	NEXT(SELECTORS)   \
	ADDQ $256, DI

#define STEP3BY(FETCH, LOOK, SELECTORS) \
	FETCH             \
	UNPACK3(0)        \
	LOOK(0)           \
	DOT(0, 0, Y8)     \
	UNPACK3(64)       \
	LOOK(1)           \
	DOT(128, 16, Y9)  \
	UNPACK3(128)      \
	LOOK(2)           \
	DOT(256, 32, Y10) \
	UNPACK3LAST       \
	LOOK(3)           \
	DOT(384, 48, Y11) \
	NEXT(SELECTORS)   \
	ADDQ $192, DI

#define SPREAD MOVQ groupArgs_spread(R13), DX
#define SPREAD0 \
	SPREAD \
	VBROADCASTI128 (R8), Y13

// func groups4AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups4AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, SPREAD, STEP4)

// func groups3AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups3AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(sevens, SPREAD, STEP3)

// func groups2AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups2AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(threes, SPREAD, STEP2)

// func groups4x0AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups4x0AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, SPREAD0, STEP4BY(FETCH0, LOOK0, 0))

// func groups4x2By32AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups4x2By32AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, SPREAD, STEP4BY(FETCH32, LOOK32, 4))

// func groups4x2By64AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups4x2By64AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(nibbles, SPREAD, STEP4BY(FETCH64, LOOK64, 2))

// func groups3x0AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups3x0AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(sevens, SPREAD0, STEP3BY(FETCH0, LOOK0, 0))

// func groups3x2By32AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups3x2By32AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(sevens, SPREAD, STEP3BY(FETCH32, LOOK32, 4))

// func groups3x2By64AVX2(acc *[4]float32, a *groupArgs)
TEXT ·groups3x2By64AVX2(SB), NOSPLIT, $0-16
	GROUPSROW(sevens, SPREAD, STEP3BY(FETCH64, LOOK64, 2))
