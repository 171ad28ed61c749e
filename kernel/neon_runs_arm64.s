//go:build arm64 && !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "neon_unpack_arm64.h"

// LOOKUP looks up the indices of a run of 16 columns in the table of the run, at the next
// offset.
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
