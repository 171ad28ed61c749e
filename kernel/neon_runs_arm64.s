//go:build arm64 && !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "neon_unpack_arm64.h"

// LOOKUP replaces the indices of a run of 16 columns by what the table of the
// run, at the next offset, has for them.
#define LOOKUP(V) \
	MOVBU.P 1(R3), R10           \
	ADD  R4, R10, R10            \
	VLD1 (R10), [V31.B16]        \
	VTBL V.B16, [V31.B16], V.B16

#define BLOCK \
	LOOKUP(V0) \
	LOOKUP(V1) \
	LOOKUP(V2) \
	LOOKUP(V3) \
	LOOKUP(V4) \
	LOOKUP(V5) \
	LOOKUP(V6) \
	LOOKUP(V7) \
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R0) \
	VST1.P [V4.B16, V5.B16, V6.B16, V7.B16], 64(R0)

// func decode4Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode4Vector(SB), NOSPLIT, $0-40
	MOVD  dst+0(FP), R0
	MOVD  codes+8(FP), R2
	MOVD  runs+16(FP), R3
	MOVD  table+24(FP), R4
	MOVD  steps+32(FP), R1
	LSL   $2, R1, R1
	VMOVI $15, V30.B16

block:
	UNPACK4
	BLOCK
	SUBS $1, R1, R1
	BNE  block
	RET

// func decode3Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode3Vector(SB), NOSPLIT, $0-40
	MOVD  dst+0(FP), R0
	MOVD  codes+8(FP), R2
	MOVD  runs+16(FP), R3
	MOVD  table+24(FP), R4
	MOVD  steps+32(FP), R1
	VMOVI $7, V30.B16

step:
	MOVD $3, R9

block:
	UNPACK3
	BLOCK
	SUBS $1, R9, R9
	BNE  block
	UNPACK_LAST3
	BLOCK
	SUBS $1, R1, R1
	BNE  step
	RET

// func decode2Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode2Vector(SB), NOSPLIT, $0-40
	MOVD  dst+0(FP), R0
	MOVD  codes+8(FP), R2
	MOVD  runs+16(FP), R3
	MOVD  table+24(FP), R4
	MOVD  steps+32(FP), R1
	LSL   $1, R1, R1
	VMOVI $3, V30.B16

blocks:
	UNPACK2_LOW
	BLOCK
	UNPACK2_HIGH
	BLOCK
	SUBS $1, R1, R1
	BNE  blocks
	RET

// SUM leaves the sum of the products of V(V) and the activations V(Q), a run, in
// four parts in V(OUT).
#define SUM_DOT(V, Q, OUT) \
	ZERO(OUT)          \
	SDOT(Q, V, OUT)
#define SUM_NEON(V, Q, OUT) \
	SMULL(Q, V, OUT)   \
	SMLAL2(Q, V, OUT)  \
	SADDLP(OUT, OUT)

#define SUMS(SUM) \
	VLD1.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]     \
	VLD1.P 64(R1), [V4.B16, V5.B16, V6.B16, V7.B16]     \
	VLD1.P 64(R2), [V16.B16, V17.B16, V18.B16, V19.B16] \
	VLD1.P 64(R2), [V20.B16, V21.B16, V22.B16, V23.B16] \
	SUM(0, 16, 24)                \
	SUM(1, 17, 25)                \
	SUM(2, 18, 26)                \
	SUM(3, 19, 27)                \
	SUM(4, 20, 28)                \
	SUM(5, 21, 29)                \
	SUM(6, 22, 30)                \
	SUM(7, 23, 31)                \
	VADDP V25.S4, V24.S4, V24.S4  \
	VADDP V27.S4, V26.S4, V25.S4  \
	VADDP V29.S4, V28.S4, V28.S4  \
	VADDP V31.S4, V30.S4, V29.S4  \
	VADDP V25.S4, V24.S4, V24.S4  \
	VADDP V29.S4, V28.S4, V25.S4  \
	VST1.P [V24.S4, V25.S4], 32(R0)

// func runSumsNEON(sums *int32, values *byte, q *int8, blocks int)
TEXT ·runSumsNEON(SB), NOSPLIT, $0-32
	MOVD sums+0(FP), R0
	MOVD values+8(FP), R1
	MOVD q+16(FP), R2
	MOVD blocks+24(FP), R3

block:
	SUMS(SUM_NEON)
	SUBS $1, R3, R3
	BNE  block
	RET

// func runSumsDot(sums *int32, values *byte, q *int8, blocks int)
TEXT ·runSumsDot(SB), NOSPLIT, $0-32
	MOVD sums+0(FP), R0
	MOVD values+8(FP), R1
	MOVD q+16(FP), R2
	MOVD blocks+24(FP), R3

block:
	SUMS(SUM_DOT)
	SUBS $1, R3, R3
	BNE  block
	RET
