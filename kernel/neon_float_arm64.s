//go:build arm64 && !purego

#include "textflag.h"
#include "neon_arm64.h"

// The 32 lanes of a row are V24 … V31, and half of the lanes of a block V20 … V23. The
// half has 64 columns: V0 has the first of four columns of each lane, V1 the second, and
// so on.

#define START(ARG) \
	MOVD acc+0(FP), R0    \
	MOVD ARG+8(FP), R1    \
	MOVD x+16(FP), R2     \
	MOVD k+24(FP), R3     \
	MOVD blocks+32(FP), R5 \
	ADD  $64, R0, R6      \
	VLD1 (R0), [V24.S4, V25.S4, V26.S4, V27.S4] \
	VLD1 (R6), [V28.S4, V29.S4, V30.S4, V31.S4]

#define END \
	SUBS $1, R5, R5 \
	BNE  block      \
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R0) \
	VST1 [V28.S4, V29.S4, V30.S4, V31.S4], (R6) \
	RET

// FIRST multiplies the values in V4 … V7 by the next activations, and NEXT adds
// the products.
#define FIRST \
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4] \
	FMUL(16, 4, 20)  \
	FMUL(17, 5, 21)  \
	FMUL(18, 6, 22)  \
	FMUL(19, 7, 23)

#define NEXT \
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4] \
	FMLA(16, 4, 20)  \
	FMLA(17, 5, 21)  \
	FMLA(18, 6, 22)  \
	FMLA(19, 7, 23)

// SCALE adds the half to the lanes of the row. Every 16 columns, four lanes, have a
// scale.
#define SCALE(A, B, C, D) \
	VLD1.P 16(R3), [V8.S4] \
	FMLA0(8, 20, A)  \
	FMLA1(8, 21, B)  \
	FMLA2(8, 22, C)  \
	FMLA3(8, 23, D)

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

// FLOATS moves bytes to the tops of words and converts these to floats, divided by 2^24.
#define FLOATS(V) \
	VTBL V12.B16, [V.B16], V4.B16 \
	VTBL V13.B16, [V.B16], V5.B16 \
	VTBL V14.B16, [V.B16], V6.B16 \
	VTBL V15.B16, [V.B16], V7.B16 \
	SCVTF24(4, 4) \
	SCVTF24(5, 5) \
	SCVTF24(6, 6) \
	SCVTF24(7, 7)

#define HALF \
	VLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16] \
	FLOATS(V0) \
	FIRST      \
	FLOATS(V1) \
	NEXT       \
	FLOATS(V2) \
	NEXT       \
	FLOATS(V3) \
	NEXT

// func floatBlocksNEON(acc *[32]float32, values *byte, x, k *float32, blocks int)
TEXT ·floatBlocksNEON(SB), NOSPLIT, $0-40
	START(values)
	MOVD $tops<>(SB), R7
	VLD1 (R7), [V12.B16, V13.B16, V14.B16, V15.B16]

block:
	HALF
	SCALE(24, 25, 26, 27)
	HALF
	SCALE(28, 29, 30, 31)
	END

// LOOKUP looks up the four bytes of each value one by one, and puts them together.
#define LOOKUP(V) \
	VTBL  V.B16, [V12.B16], V4.B16 \
	VTBL  V.B16, [V13.B16], V5.B16 \
	VTBL  V.B16, [V14.B16], V6.B16 \
	VTBL  V.B16, [V15.B16], V7.B16 \
	VZIP1 V5.B16, V4.B16, V16.B16  \
	VZIP2 V5.B16, V4.B16, V17.B16  \
	VZIP1 V7.B16, V6.B16, V18.B16  \
	VZIP2 V7.B16, V6.B16, V19.B16  \
	VZIP1 V18.H8, V16.H8, V4.H8    \
	VZIP2 V18.H8, V16.H8, V5.H8    \
	VZIP1 V19.H8, V17.H8, V6.H8    \
	VZIP2 V19.H8, V17.H8, V7.H8

#define TABLEHALF \
	VLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16] \
	LOOKUP(V0) \
	FIRST      \
	LOOKUP(V1) \
	NEXT       \
	LOOKUP(V2) \
	NEXT       \
	LOOKUP(V3) \
	NEXT

// func floatTableNEON(acc *[32]float32, codes *byte, x, k *float32, blocks int, table *float32)
TEXT ·floatTableNEON(SB), NOSPLIT, $0-48
	START(codes)
	MOVD table+40(FP), R7
	VLD4 (R7), [V12.B16, V13.B16, V14.B16, V15.B16] // by byte

block:
	TABLEHALF
	SCALE(24, 25, 26, 27)
	TABLEHALF
	SCALE(28, 29, 30, 31)
	END
