//go:build amd64 && !purego

#include "textflag.h"

// The lanes of a row are Y0 … Y3, and the lanes of a block Y4 … Y7. A block has 128 bytes
// of values or codes; a lane has four of them, a word.

DATA spread<>+0(SB)/8, $0x0000000000000000
DATA spread<>+8(SB)/8, $0x0000000000000000
DATA spread<>+16(SB)/8, $0x0000000100000001
DATA spread<>+24(SB)/8, $0x0000000100000001
GLOBL spread<>(SB), RODATA|NOPTR, $32

#define START(ARG) \
	MOVQ    acc+0(FP), DX     \
	MOVQ    ARG+8(FP), SI     \
	MOVQ    x+16(FP), DI      \
	MOVQ    k+24(FP), R9      \
	MOVQ    blocks+32(FP), CX \
	VMOVDQU spread<>(SB), Y15 \
	VMOVUPS (DX), Y0          \
	VMOVUPS 32(DX), Y1        \
	VMOVUPS 64(DX), Y2        \
	VMOVUPS 96(DX), Y3

#define SCALE(K, SUM, ACC) \
	VBROADCASTSD K(R9), Y8    \
	VPERMPS      Y8, Y15, Y8  \
	VFMADD231PS  Y8, SUM, ACC

#define END \
	SCALE(0, Y4, Y0)   \
	SCALE(8, Y5, Y1)   \
	SCALE(16, Y6, Y2)  \
	SCALE(24, Y7, Y3)  \
	ADDQ    $32, R9    \
	ADDQ    $128, SI   \
	ADDQ    $512, DI   \
	DECQ    CX         \
	JNZ     block      \
	VMOVUPS Y0, (DX)   \
	VMOVUPS Y1, 32(DX) \
	VMOVUPS Y2, 64(DX) \
	VMOVUPS Y3, 96(DX) \
	VZEROUPPER         \
	RET

// VALUES makes floats of the top bytes of words.
#define VALUES \
	VPSRAD    $24, Y8, Y8   \
	VPSRAD    $24, Y9, Y9   \
	VPSRAD    $24, Y10, Y10 \
	VPSRAD    $24, Y11, Y11 \
	VCVTDQ2PS Y8, Y8        \
	VCVTDQ2PS Y9, Y9        \
	VCVTDQ2PS Y10, Y10      \
	VCVTDQ2PS Y11, Y11

#define SHIFTED(LEFT) \
	VMOVDQU (SI), Y8        \
	VMOVDQU 32(SI), Y9      \
	VMOVDQU 64(SI), Y10     \
	VMOVDQU 96(SI), Y11     \
	VPSLLD  LEFT, Y8, Y8    \
	VPSLLD  LEFT, Y9, Y9    \
	VPSLLD  LEFT, Y10, Y10  \
	VPSLLD  LEFT, Y11, Y11  \
	VALUES

#define MULTIPLY(X) \
	VMULPS X+0(DI), Y8, Y4    \
	VMULPS X+32(DI), Y9, Y5   \
	VMULPS X+256(DI), Y10, Y6 \
	VMULPS X+288(DI), Y11, Y7

#define ADD(X) \
	VFMADD231PS X+0(DI), Y8, Y4    \
	VFMADD231PS X+32(DI), Y9, Y5   \
	VFMADD231PS X+256(DI), Y10, Y6 \
	VFMADD231PS X+288(DI), Y11, Y7

// func floatBlocksAVX2(acc *[32]float32, values *byte, x, k *float32, blocks int)
TEXT ·floatBlocksAVX2(SB), NOSPLIT, $0-40
	START(values)

block:
	SHIFTED($24)
	MULTIPLY(0)
	SHIFTED($16)
	ADD(64)
	SHIFTED($8)
	ADD(128)
	VMOVDQU (SI), Y8
	VMOVDQU 32(SI), Y9
	VMOVDQU 64(SI), Y10
	VMOVDQU 96(SI), Y11
	VALUES
	ADD(192)
	END

// LOOKUP looks up the code at bit SHIFT of each word at V. Bit 3 of the code selects a
// half of the table.
#define LOOKUP(V, SHIFT) \
	VMOVDQU   V(SI), Y8        \
	VPSRLD    SHIFT, Y8, Y8    \
	VPERMPS   Y12, Y8, Y9      \
	VPERMPS   Y13, Y8, Y10     \
	VPSLLD    $28, Y8, Y8      \
	VBLENDVPS Y8, Y10, Y9, Y8

#define PRODUCTS(SHIFT, X) \
	LOOKUP(0, SHIFT)               \
	VFMADD231PS X+0(DI), Y8, Y4    \
	LOOKUP(32, SHIFT)              \
	VFMADD231PS X+32(DI), Y8, Y5   \
	LOOKUP(64, SHIFT)              \
	VFMADD231PS X+256(DI), Y8, Y6  \
	LOOKUP(96, SHIFT)              \
	VFMADD231PS X+288(DI), Y8, Y7

// func floatTableAVX2(acc *[32]float32, codes *byte, x, k *float32, blocks int, table *float32)
TEXT ·floatTableAVX2(SB), NOSPLIT, $0-48
	START(codes)
	MOVQ    table+40(FP), AX
	VMOVUPS (AX), Y12         // codes 0–7
	VMOVUPS 32(AX), Y13       // codes 8–15

block:
	VXORPS X4, X4, X4
	VXORPS X5, X5, X5
	VXORPS X6, X6, X6
	VXORPS X7, X7, X7
	PRODUCTS($0, 0)
	PRODUCTS($8, 64)
	PRODUCTS($16, 128)
	PRODUCTS($24, 192)
	END

// func floatSumsAVX2(dst *float32, acc *[32]float32, rows int)
TEXT ·floatSumsAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ acc+8(FP), SI
	MOVQ rows+16(FP), CX

row:
	VMOVUPS      (SI), Y0
	VMOVUPS      32(SI), Y1
	VADDPS       64(SI), Y0, Y0
	VADDPS       96(SI), Y1, Y1
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VADDPS       X1, X0, X0
	VMOVSHDUP    X0, X1
	VADDSS       X1, X0, X0
	VMOVSS       X0, (DI)
	ADDQ         $128, SI
	ADDQ         $4, DI
	DECQ         CX
	JNZ          row
	VZEROUPPER
	RET
