//go:build arm64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"
#include "neon_unpack_arm64.h"

// Values are looked up and multiplied by activations. Integer sums over blocks of 128
// columns are scaled and added to lanes. Registers, throughout:
//
//	R0 lanes             R1 rows left          R2 codes    R3 activations
//	R4 table             R5 selectors          R6 bit of the next step's selectors
//	R7 bits of each      R8 their mask         R9 the arguments
//	R10 selectors left   R11 temporary         R15 steps left
//	R16 scales of rows   R17 those of a row    R20 scales of activations
//	V0 … V7 a block's indices, then values     V16 … V23 its activations
//	V24 … V27 sums of blocks                   V28 sums in 16 bits, or scales
//	V29 lanes
//	V30 mask of an index                       V31 the group's table

// SELECTORS loads the four selectors of a step into R10. They have 0, 1, 2 or 4 bits, and
// are in one byte or, with 4 bits, in two.
#define SELECTORS \
	ADD   R6>>3, R5, R11        \
	MOVBU (R11), R10            \
	MOVBU (R11)(R19), R11       \
	ORR   R11<<8, R10, R10      \
	AND   $7, R6, R11           \
	LSR   R11, R10, R10         \
	ADD   R7<<2, R6, R6

// SELECT loads the table of the next block into V31.
#define SELECT \
	AND  R8, R10, R11           \
	ADD  R11<<4, R4, R11        \
	LSR  R7, R10, R10           \
	VLD1 (R11), [V31.B16]

// MASK sets R8 to the mask of R7 bits, and R19 to 1 for selectors of 4 bits.
#define MASK \
	MOVD $1, R8       \
	LSL  R7, R8, R8   \
	SUB  $1, R8, R8   \
	LSR  $2, R7, R19

#define LOOKUP \
	VTBL V0.B16, [V31.B16], V0.B16 \
	VTBL V1.B16, [V31.B16], V1.B16 \
	VTBL V2.B16, [V31.B16], V2.B16 \
	VTBL V3.B16, [V31.B16], V3.B16 \
	VTBL V4.B16, [V31.B16], V4.B16 \
	VTBL V5.B16, [V31.B16], V5.B16 \
	VTBL V6.B16, [V31.B16], V6.B16 \
	VTBL V7.B16, [V31.B16], V7.B16

// Loads of pairs take fewer cycles than loads of four registers on processors where the
// latter go through one pipe.
#define ACTIVATIONS \
	FLDPQ (R3), (F16, F17)      \
	FLDPQ 32(R3), (F18, F19)    \
	FLDPQ 64(R3), (F20, F21)    \
	FLDPQ 96(R3), (F22, F23)    \
	ADD   $128, R3, R3

// DOT looks up the indices of a block, multiplies the values by its activations, and
// leaves the sum in four parts in V(OUT). Each implementation has its own.
#define DOT_DOT(OUT) \
	ACTIVATIONS       \
	LOOKUP            \
	ZERO(OUT)         \
	SDOT(16, 0, OUT)  \
	SDOT(17, 1, OUT)  \
	SDOT(18, 2, OUT)  \
	SDOT(19, 3, OUT)  \
	SDOT(20, 4, OUT)  \
	SDOT(21, 5, OUT)  \
	SDOT(22, 6, OUT)  \
	SDOT(23, 7, OUT)

// Values are within ±16 and activations within ±127, so the sum of the 16 products in a
// lane is within ±32512 and fits 16 bits.
#define DOT_NEON(OUT) \
	ACTIVATIONS        \
	LOOKUP             \
	SMULL(16, 0, 28)   \
	SMLAL2(16, 0, 28)  \
	SMLAL(17, 1, 28)   \
	SMLAL2(17, 1, 28)  \
	SMLAL(18, 2, 28)   \
	SMLAL2(18, 2, 28)  \
	SMLAL(19, 3, 28)   \
	SMLAL2(19, 3, 28)  \
	SMLAL(20, 4, 28)   \
	SMLAL2(20, 4, 28)  \
	SMLAL(21, 5, 28)   \
	SMLAL2(21, 5, 28)  \
	SMLAL(22, 6, 28)   \
	SMLAL2(22, 6, 28)  \
	SMLAL(23, 7, 28)   \
	SMLAL2(23, 7, 28)  \
	SADDLP(28, OUT)

#define BLOCK4(DOT, OUT) \
	SELECT                      \
	PRFM AHEAD(R2), PLDL1STRM   \
	UNPACK4                     \
	DOT(OUT)

#define BLOCK3(DOT, OUT) \
	SELECT                      \
	PRFM AHEAD(R2), PLDL1STRM   \
	UNPACK3                     \
	DOT(OUT)

#define LAST3(DOT, OUT) \
	SELECT        \
	UNPACK_LAST3  \
	DOT(OUT)

#define STEP4(DOT) \
	SELECTORS       \
	BLOCK4(DOT, 24) \
	BLOCK4(DOT, 25) \
	BLOCK4(DOT, 26) \
	BLOCK4(DOT, 27)

#define STEP3(DOT) \
	SELECTORS       \
	BLOCK3(DOT, 24) \
	BLOCK3(DOT, 25) \
	BLOCK3(DOT, 26) \
	LAST3(DOT, 27)

// ROWS runs STEP for all steps of all rows. STEP leaves the sums of its blocks in V24 …
// V27. R9 points to the arguments.
#define ROWS(INDEX, STEP) \
	MOVD blockArgs_table(R9), R4            \
	MOVD blockArgs_selectorBits(R9), R7     \
	MOVD blockArgs_codes(R9), R12           \
	MOVD blockArgs_scales(R9), R16          \
	MOVD blockArgs_selectors(R9), R5        \
	MOVD blockArgs_codeStride(R9), R13      \
	MOVD blockArgs_scaleStride(R9), R21     \
	MOVD blockArgs_selectorStride(R9), R14  \
	MASK                                    \
	VMOVI $INDEX, V30.B16                   \
row:                                        \
	MOVD R12, R2                            \
	MOVD R16, R17                           \
	MOVD ZR, R6                             \
	MOVD blockArgs_q(R9), R3                \
	MOVD blockArgs_d(R9), R20               \
	MOVD blockArgs_steps(R9), R15           \
	VLD1 (R0), [V29.S4]                     \
step:                                       \
	STEP                                    \
	VADDP   V25.S4, V24.S4, V24.S4          \
	VADDP   V27.S4, V26.S4, V26.S4          \
	FMOVS.P 4(R17), F28                     \
	VLD1.P  16(R20), [V25.S4]               \
	VUXTL   V28.B8, V28.H8                  \
	VUXTL   V28.H4, V28.S4                  \
	VADDP   V26.S4, V24.S4, V24.S4          \
	MUL(28, 24, 24)                         \
	SCVTF(24, 24)                           \
	FMUL(25, 24, 24)                        \
	FADD(24, 29, 29)                        \
	SUBS $1, R15, R15                       \
	BNE  step                               \
	VST1.P [V29.S4], 16(R0)                 \
	ADD  R13, R12, R12                      \
	ADD  R21, R16, R16                      \
	ADD  R14, R5, R5                        \
	SUBS $1, R1, R1                         \
	BNE  row                                \
	RET

// AHEAD is the distance in bytes at which codes are prefetched.
#define AHEAD 4096

// func addBlocks4NEON(acc *[4]float32, a *blockArgs, rows int)
TEXT ·addBlocks4NEON(SB), NOSPLIT, $0-24
	MOVD acc+0(FP), R0
	MOVD a+8(FP), R9
	MOVD rows+16(FP), R1
	ROWS(15, STEP4(DOT_NEON))

// func addBlocks4Dot(acc *[4]float32, a *blockArgs, rows int)
TEXT ·addBlocks4Dot(SB), NOSPLIT, $0-24
	MOVD acc+0(FP), R0
	MOVD a+8(FP), R9
	MOVD rows+16(FP), R1
	ROWS(15, STEP4(DOT_DOT))

// func addBlocks3NEON(acc *[4]float32, a *blockArgs, rows int)
TEXT ·addBlocks3NEON(SB), NOSPLIT, $0-24
	MOVD acc+0(FP), R0
	MOVD a+8(FP), R9
	MOVD rows+16(FP), R1
	ROWS(7, STEP3(DOT_NEON))

// func addBlocks3Dot(acc *[4]float32, a *blockArgs, rows int)
TEXT ·addBlocks3Dot(SB), NOSPLIT, $0-24
	MOVD acc+0(FP), R0
	MOVD a+8(FP), R9
	MOVD rows+16(FP), R1
	ROWS(7, STEP3(DOT_DOT))
