//go:build amd64 && !purego

#include "textflag.h"
#include "avx2_amd64.h"

#define STORE(V) \
	VMOVDQU Y4, V+0(DX)  \
	VMOVDQU Y5, V+32(DX) \
	VMOVDQU Y6, V+64(DX) \
	VMOVDQU Y7, V+96(DX)

#define STEP(U0, U1, U2, U3, BYTES) \
	U0         \
	RUNS(0)    \
	STORE(0)   \
	U1         \
	RUNS(8)    \
	STORE(128) \
	U2         \
	RUNS(16)   \
	STORE(256) \
	U3         \
	RUNS(24)   \
	STORE(384) \
	ADDQ $512, DX \
	ADDQ $32, SI  \
	ADDQ BYTES, DI

#define ROW(MASK, STEP) \
	MOVQ dst+0(FP), DX           \
	MOVQ codes+8(FP), DI         \
	MOVQ runs+16(FP), SI         \
	MOVQ table+24(FP), R8        \
	MOVQ steps+32(FP), CX        \
	VPBROADCASTQ MASK<>(SB), Y15 \
step:                                \
	STEP                         \
	DECQ CX                      \
	JNZ  step                    \
	VZEROUPPER                   \
	RET

// func decode4Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode4Vector(SB), NOSPLIT, $0-40
	ROW(nibbles, STEP(UNPACK4(0), UNPACK4(64), UNPACK4(128), UNPACK4(192), $256))

// func decode3Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode3Vector(SB), NOSPLIT, $0-40
	ROW(sevens, STEP(UNPACK3(0), UNPACK3(64), UNPACK3(128), UNPACK3LAST, $192))

// func decode2Vector(dst, codes, runs, table *byte, steps int)
TEXT ·decode2Vector(SB), NOSPLIT, $0-40
	ROW(threes, STEP(UNPACK2A(0), UNPACK2B(0), UNPACK2A(64), UNPACK2B(64), $128))
