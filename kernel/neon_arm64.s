//go:build arm64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// func dotVector(v *int16, q *int8, n int) int32
TEXT ·dotVector(SB), NOSPLIT, $0-28
	MOVD v+0(FP), R0
	MOVD q+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V24.B16, V24.B16, V24.B16
	VEOR V25.B16, V25.B16, V25.B16

loop:
	VLD1.P 16(R1), [V0.B16]
	VLD1.P 32(R0), [V2.H8, V3.H8]
	SXTL2(0, 1)
	SXTL(0, 0)
	SMLALH(2, 0, 24)
	SMLALH2(2, 0, 25)
	SMLALH(3, 1, 24)
	SMLALH2(3, 1, 25)
	SUBS   $16, R2, R2
	BNE    loop
	VADD   V25.S4, V24.S4, V24.S4
	VADDV  V24.S4, V24
	FMOVS  F24, ret+24(FP)
	RET

// QUAD multiplies the next four sums by their scales.
#define QUAD(OUT) \
	FMOVS.P 4(R2), F16          \
	VUXTL   V16.B8, V16.H8      \
	VUXTL   V16.H4, V16.S4      \
	VLD1.P  16(R1), [V17.S4]    \
	MUL(17, 16, OUT)

// SCALE adds the blocks of all steps to the lanes, in V24. QUADS leaves the sums of
// four blocks in V0.
#define SCALE(QUADS) \
	VLD1 (R0), [V24.S4]         \
step:                           \
	QUADS                       \
	VLD1.P 16(R3), [V18.S4]     \
	SCVTF(0, 0)                 \
	FMUL(18, 0, 0)              \
	FADD(0, 24, 24)             \
	SUBS $1, R4, R4             \
	BNE  step                   \
	VST1 [V24.S4], (R0)         \
	RET

// func scaleBlocksNEON(acc *[4]float32, sums *int32, scales *byte, d *float32, steps int)
TEXT ·scaleBlocksNEON(SB), NOSPLIT, $0-40
	MOVD acc+0(FP), R0
	MOVD sums+8(FP), R1
	MOVD scales+16(FP), R2
	MOVD d+24(FP), R3
	MOVD steps+32(FP), R4
	SCALE(QUAD(0))
