//go:build amd64 && !purego

#include "textflag.h"
#include "avx2_amd64.h"

// Codes of 5, 6 and 7 bits to bytes, in chunks as package pack has them, 64 columns a
// strip. The low four bits of two strips share a byte; the others follow.
//
//	DI bytes    SI codes    CX chunks left
//	Y15 four bits    Y14 where the next two go, or one    Y13 where the highest goes

// LOW and HIGH begin a strip with its low bits, in Y4. LEFT and RIGHT add those of V
// that a shift brings to MASK.
#define LOW(B) VPAND Y15, B, Y4

#define HIGH(B) \
	VPSRLW $4, B, Y4 \
	VPAND  Y15, Y4, Y4

#define LEFT(N, V, MASK) \
	VPSLLW N, V, Y5     \
	VPAND  MASK, Y5, Y5 \
	VPOR   Y5, Y4, Y4

#define RIGHT(N, V, MASK) \
	VPSRLW N, V, Y5     \
	VPAND  MASK, Y5, Y5 \
	VPOR   Y5, Y4, Y4

// STRIP writes strip S, its columns from O on.
#define STRIP(S, O) VMOVDQU Y4, (64*S+O)(DI)

// LOAD loads byte I of the codes of columns from O on.
#define LOAD(I, O, OUT) VMOVDQU (64*I+O)(SI), OUT

#define UNPACK5(O) \
	LOAD(4, O, Y1)                                \
	LOAD(0, O, Y0)                                \
	LOW(Y0); LEFT($4, Y1, Y14); STRIP(0, O)       \
	HIGH(Y0); LEFT($3, Y1, Y14); STRIP(1, O)      \
	LOAD(1, O, Y0)                                \
	LOW(Y0); LEFT($2, Y1, Y14); STRIP(2, O)       \
	HIGH(Y0); LEFT($1, Y1, Y14); STRIP(3, O)      \
	LOAD(2, O, Y0)                                \
	LOW(Y0); LEFT($0, Y1, Y14); STRIP(4, O)       \
	HIGH(Y0); RIGHT($1, Y1, Y14); STRIP(5, O)     \
	LOAD(3, O, Y0)                                \
	LOW(Y0); RIGHT($2, Y1, Y14); STRIP(6, O)      \
	HIGH(Y0); RIGHT($3, Y1, Y14); STRIP(7, O)

#define UNPACK6(O) \
	LOAD(2, O, Y1)                                \
	LOAD(0, O, Y0)                                \
	LOW(Y0); LEFT($4, Y1, Y14); STRIP(0, O)       \
	HIGH(Y0); LEFT($2, Y1, Y14); STRIP(1, O)      \
	LOAD(1, O, Y0)                                \
	LOW(Y0); LEFT($0, Y1, Y14); STRIP(2, O)       \
	HIGH(Y0); RIGHT($2, Y1, Y14); STRIP(3, O)

#define UNPACK7(O) \
	LOAD(6, O, Y1)                                \
	LOAD(4, O, Y2)                                \
	LOAD(0, O, Y0)                                \
	LOW(Y0); LEFT($4, Y2, Y14); LEFT($6, Y1, Y13); STRIP(0, O)   \
	HIGH(Y0); LEFT($2, Y2, Y14); LEFT($5, Y1, Y13); STRIP(1, O)  \
	LOAD(1, O, Y0)                                \
	LOW(Y0); LEFT($0, Y2, Y14); LEFT($4, Y1, Y13); STRIP(2, O)   \
	HIGH(Y0); RIGHT($2, Y2, Y14); LEFT($3, Y1, Y13); STRIP(3, O) \
	LOAD(5, O, Y2)                                \
	LOAD(2, O, Y0)                                \
	LOW(Y0); LEFT($4, Y2, Y14); LEFT($2, Y1, Y13); STRIP(4, O)   \
	HIGH(Y0); LEFT($2, Y2, Y14); LEFT($1, Y1, Y13); STRIP(5, O)  \
	LOAD(3, O, Y0)                                \
	LOW(Y0); LEFT($0, Y2, Y14); LEFT($0, Y1, Y13); STRIP(6, O)   \
	HIGH(Y0); RIGHT($2, Y2, Y14); RIGHT($1, Y1, Y13); STRIP(7, O)

// CHUNKS is a function: a chunk is CODES bytes, and becomes BYTES.
#define CHUNKS(NEXT, UNPACK, CODES, BYTES) \
	MOVQ dst+0(FP), DI              \
	MOVQ src+8(FP), SI              \
	MOVQ chunks+16(FP), CX          \
	VPBROADCASTQ nibbles<>(SB), Y15 \
	MOVL $NEXT, AX                  \
	VMOVD AX, X14                   \
	VPBROADCASTD X14, Y14           \
	MOVL $0x40404040, AX            \
	VMOVD AX, X13                   \
	VPBROADCASTD X13, Y13           \
chunk:                              \
	PREFETCHT0 AHEAD(SI)            \
	UNPACK(0)                       \
	UNPACK(32)                      \
	ADDQ $CODES, SI                 \
	ADDQ $BYTES, DI                 \
	DECQ CX                         \
	JNZ  chunk                      \
	VZEROUPPER                      \
	RET

// func unpack5AVX2(dst, src *byte, chunks int)
TEXT ·unpack5AVX2(SB), NOSPLIT, $0-24
	CHUNKS(0x10101010, UNPACK5, 320, 512)

// func unpack6AVX2(dst, src *byte, chunks int)
TEXT ·unpack6AVX2(SB), NOSPLIT, $0-24
	CHUNKS(0x30303030, UNPACK6, 192, 256)

// func unpack7AVX2(dst, src *byte, chunks int)
TEXT ·unpack7AVX2(SB), NOSPLIT, $0-24
	CHUNKS(0x30303030, UNPACK7, 448, 512)
