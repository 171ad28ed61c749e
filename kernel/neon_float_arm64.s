//go:build arm64 && !purego

#include "textflag.h"
#include "neon_arm64.h"

// The sixteen lanes of a row are V24 … V27, those of a group V20 … V23.

#define GROUP \
	ZERO(20)     \
	ZERO(21)     \
	ZERO(22)     \
	ZERO(23)     \
	MOVD R4, R6

// PRODUCTS adds the values in V0 … V3 times the next activations to the lanes of
// the group. A fused instruction would round once where the definition rounds
// twice.
#define PRODUCTS \
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4] \
	FMUL(16, 0, 0)   \
	FMUL(17, 1, 1)   \
	FMUL(18, 2, 2)   \
	FMUL(19, 3, 3)   \
	FADD(0, 20, 20)  \
	FADD(1, 21, 21)  \
	FADD(2, 22, 22)  \
	FADD(3, 23, 23)

#define SCALE \
	FMOVS.P 4(R3), F16  \
	FMUL0(16, 20, 20)   \
	FMUL0(16, 21, 21)   \
	FMUL0(16, 22, 22)   \
	FMUL0(16, 23, 23)   \
	FADD(20, 24, 24)    \
	FADD(21, 25, 25)    \
	FADD(22, 26, 26)    \
	FADD(23, 27, 27)

// Indices that move bytes 0–3, 4–7, 8–11 and 12–15 to the tops of words, above
// zeros.
DATA tops<>+0(SB)/8, $0x01ffffff00ffffff
DATA tops<>+8(SB)/8, $0x03ffffff02ffffff
DATA tops<>+16(SB)/8, $0x05ffffff04ffffff
DATA tops<>+24(SB)/8, $0x07ffffff06ffffff
DATA tops<>+32(SB)/8, $0x09ffffff08ffffff
DATA tops<>+40(SB)/8, $0x0bffffff0affffff
DATA tops<>+48(SB)/8, $0x0dffffff0cffffff
DATA tops<>+56(SB)/8, $0x0fffffff0effffff
GLOBL tops<>(SB), RODATA|NOPTR, $64

// func floatGroupsNEON(acc *[16]float32, values *byte, x, k *float32, runs, groups int)
TEXT ·floatGroupsNEON(SB), NOSPLIT, $0-48
	MOVD acc+0(FP), R0
	MOVD values+8(FP), R1
	MOVD x+16(FP), R2
	MOVD k+24(FP), R3
	MOVD runs+32(FP), R4
	MOVD groups+40(FP), R5
	MOVD $tops<>(SB), R7
	VLD1 (R7), [V28.B16, V29.B16, V30.B16, V31.B16]
	VLD1 (R0), [V24.S4, V25.S4, V26.S4, V27.S4]

group:
	GROUP

run:
	// Values of 8 bits in the top of a word, divided by 2^24.
	VLD1.P 16(R1), [V4.B16]
	VTBL   V28.B16, [V4.B16], V0.B16
	VTBL   V29.B16, [V4.B16], V1.B16
	VTBL   V30.B16, [V4.B16], V2.B16
	VTBL   V31.B16, [V4.B16], V3.B16
	SCVTF24(0, 0)
	SCVTF24(1, 1)
	SCVTF24(2, 2)
	SCVTF24(3, 3)
	PRODUCTS
	SUBS   $1, R6, R6
	BNE    run
	SCALE
	SUBS   $1, R5, R5
	BNE    group
	VST1   [V24.S4, V25.S4, V26.S4, V27.S4], (R0)
	RET

// func floatTableNEON(acc *[16]float32, codes *byte, x, k *float32, runs, groups int, table *float32)
TEXT ·floatTableNEON(SB), NOSPLIT, $0-56
	MOVD acc+0(FP), R0
	MOVD codes+8(FP), R1
	MOVD x+16(FP), R2
	MOVD k+24(FP), R3
	MOVD runs+32(FP), R4
	MOVD groups+40(FP), R5
	MOVD table+48(FP), R7
	VLD4 (R7), [V28.B16, V29.B16, V30.B16, V31.B16] // by byte
	VLD1 (R0), [V24.S4, V25.S4, V26.S4, V27.S4]

group:
	GROUP

run:
	// The four bytes of each value are looked up apart, and put together.
	VLD1.P 16(R1), [V4.B16]
	VTBL   V4.B16, [V28.B16], V5.B16
	VTBL   V4.B16, [V29.B16], V6.B16
	VTBL   V4.B16, [V30.B16], V7.B16
	VTBL   V4.B16, [V31.B16], V4.B16
	VZIP1  V6.B16, V5.B16, V16.B16
	VZIP2  V6.B16, V5.B16, V17.B16
	VZIP1  V4.B16, V7.B16, V18.B16
	VZIP2  V4.B16, V7.B16, V19.B16
	VZIP1  V18.H8, V16.H8, V0.H8
	VZIP2  V18.H8, V16.H8, V1.H8
	VZIP1  V19.H8, V17.H8, V2.H8
	VZIP2  V19.H8, V17.H8, V3.H8
	PRODUCTS
	SUBS   $1, R6, R6
	BNE    run
	SCALE
	SUBS   $1, R5, R5
	BNE    group
	VST1   [V24.S4, V25.S4, V26.S4, V27.S4], (R0)
	RET
