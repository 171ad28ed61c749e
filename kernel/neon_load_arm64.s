//go:build arm64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// MAX4 raises V20 … V23 to the magnitudes of 16 activations.
#define MAX4 \
	VLD1.P 64(R9), [V0.S4, V1.S4, V2.S4, V3.S4] \
	FABS(0, 0)       \
	FABS(1, 1)       \
	FABS(2, 2)       \
	FABS(3, 3)       \
	FMAX(0, 20, 20)  \
	FMAX(1, 21, 21)  \
	FMAX(2, 22, 22)  \
	FMAX(3, 23, 23)

// func loadBlocksVector(a *loadArgs) int
TEXT ·loadBlocksVector(SB), NOSPLIT, $0-16
	MOVD  a+0(FP), R8
	MOVD  loadArgs_x(R8), R0
	MOVD  loadArgs_q(R8), R2
	MOVD  loadArgs_d(R8), R3
	MOVD  loadArgs_corr(R8), R4
	MOVD  loadArgs_corr16(R8), R5
	MOVD  loadArgs_blocks(R8), R6
	MOVD  $0x7f800000, R10       // infinity
	MOVD  $0x03800000, R11       // minAmax, 2^−120
	MOVD  $0x42fe0000, R12       // 127
	FMOVS R12, F12

block:
	MOVD R0, R9
	MOVD $8, R7
	ZERO(20)
	ZERO(21)
	ZERO(22)
	ZERO(23)

max:
	MAX4
	SUBS $1, R7, R7
	BNE  max
	FMAX(20, 21, 21)
	FMAX(22, 23, 23)
	FMAX(21, 23, 23)
	FMAXV(23, 23)                // amax; the bits of a NaN are not below infinity's
	FMOVS F23, R12
	CMPW  R10, R12
	BHS   done

	// F10 is d and V11 the factor, both 0 for a block that counts as zero.
	ZERO(10)
	ZERO(11)
	CMPW  R11, R12
	BLO   scaled
	FDIVS F12, F23, F10
	FDIVS F23, F12, F11

scaled:
	FMOVS.P F10, 4(R3)
	MOVD    $8, R7
	MOVD    ZR, R13              // Σ q

run:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMUL0(11, 0, 0)
	FMUL0(11, 1, 1)
	FMUL0(11, 2, 2)
	FMUL0(11, 3, 3)
	FRINTN(0, 0)
	FRINTN(1, 1)
	FRINTN(2, 2)
	FRINTN(3, 3)
	FCVTZS(0, 0)
	FCVTZS(1, 1)
	FCVTZS(2, 2)
	FCVTZS(3, 3)
	XTN(0, 4)
	XTN2(1, 4)
	XTN(2, 5)
	XTN2(3, 5)
	XTNB(4, 6)
	XTNB2(5, 6)
	VST1.P [V6.B16], 16(R2)
	SADDLV(6, 7)
	VMOV   V7.H[0], R12
	SXTH   R12, R12
	ADD    R12, R13, R13
	LSL    $4, R12, R12          // · offset
	MOVH.P R12, 2(R5)
	SUBS   $1, R7, R7
	BNE    run
	LSL    $4, R13, R13
	MOVW.P R13, 4(R4)
	SUBS   $1, R6, R6
	BNE    block

done:
	MOVD loadArgs_blocks(R8), R0
	SUB  R6, R0, R0
	MOVD R0, ret+8(FP)
	RET

// func setRunsVector(dst, x *float32, n int) uint32
TEXT ·setRunsVector(SB), NOSPLIT, $0-28
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R9
	MOVD n+16(FP), R6
	ZERO(20)
	ZERO(21)
	ZERO(22)
	ZERO(23)

	// QUARTER transposes four lanes: four rows of four floats.
#define QUARTER \
	VLD4.P 64(R9), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VST1.P [V0.S4], 16(R0) \
	VST1.P [V1.S4], 16(R1) \
	VST1.P [V2.S4], 16(R2) \
	VST1.P [V3.S4], 16(R3) \
	FABS(0, 0)       \
	FABS(1, 1)       \
	FABS(2, 2)       \
	FABS(3, 3)       \
	FMAX(0, 20, 20)  \
	FMAX(1, 21, 21)  \
	FMAX(2, 22, 22)  \
	FMAX(3, 23, 23)

run:
	ADD  $64, R0, R1
	ADD  $128, R0, R2
	ADD  $192, R0, R3
	QUARTER
	QUARTER
	QUARTER
	QUARTER
	MOVD R3, R0
	SUBS $1, R6, R6
	BNE  run
	FMAX(20, 21, 21)
	FMAX(22, 23, 23)
	FMAX(21, 23, 23)
	FMAXV(23, 23)                // the bits of a NaN are not below infinity's
	FMOVS F23, R0
	MOVW  R0, ret+24(FP)
	RET

// func remaindersVector(r, x *float32, q *int8, d *float32, blocks int)
TEXT ·remaindersVector(SB), NOSPLIT, $0-40
	MOVD r+0(FP), R0
	MOVD x+8(FP), R1
	MOVD q+16(FP), R2
	MOVD d+24(FP), R3
	MOVD blocks+32(FP), R4

block:
	FMOVS.P 4(R3), F15
	MOVD    $8, R5

run:
	VLD1.P 16(R2), [V4.B16]
	VLD1.P 64(R1), [V16.S4, V17.S4, V18.S4, V19.S4]
	SXTL(4, 5)
	SXTL2(4, 6)
	SXTLH(5, 0)
	SXTLH2(5, 1)
	SXTLH(6, 2)
	SXTLH2(6, 3)
	SCVTF(0, 0)
	SCVTF(1, 1)
	SCVTF(2, 2)
	SCVTF(3, 3)
	FMLS0(15, 0, 16)             // x − d·q
	FMLS0(15, 1, 17)
	FMLS0(15, 2, 18)
	FMLS0(15, 3, 19)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R0)
	SUBS   $1, R5, R5
	BNE    run
	SUBS   $1, R4, R4
	BNE    block
	RET
