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
