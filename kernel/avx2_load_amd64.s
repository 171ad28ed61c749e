//go:build amd64 && !purego

#include "go_asm.h"
#include "textflag.h"
#include "avx2_amd64.h"

DATA positive<>+0(SB)/4, $0x7fffffff
GLOBL positive<>(SB), RODATA|NOPTR, $4
DATA limit<>+0(SB)/4, $127.0
GLOBL limit<>(SB), RODATA|NOPTR, $4

// Magnitudes of floats order like their bits.
#define MAX(X) \
	VPAND   X+0(SI), Y15, Y4  \
	VPAND   X+32(SI), Y15, Y5 \
	VPAND   X+64(SI), Y15, Y6 \
	VPAND   X+96(SI), Y15, Y7 \
	VPMAXUD Y4, Y0, Y0        \
	VPMAXUD Y5, Y1, Y1        \
	VPMAXUD Y6, Y2, Y2        \
	VPMAXUD Y7, Y3, Y3

// ROUND rounds 32 floats at X to bytes at Q. SUM becomes their sums, four by four, times
// offset.
#define ROUND(X, Q, SUM) \
	VMULPS     X+0(SI), Y2, Y4  \
	VMULPS     X+32(SI), Y2, Y5 \
	VMULPS     X+64(SI), Y2, Y6 \
	VMULPS     X+96(SI), Y2, Y7 \
	VCVTPS2DQ  Y4, Y4           \
	VCVTPS2DQ  Y5, Y5           \
	VCVTPS2DQ  Y6, Y6           \
	VCVTPS2DQ  Y7, Y7           \
	VPACKSSDW  Y5, Y4, Y4       \
	VPACKSSDW  Y7, Y6, Y6       \
	VPACKSSWB  Y6, Y4, Y4       \
	VPERMD     Y4, Y13, Y4      \
	VMOVDQU    Y4, Q(DI)        \
	VPMADDUBSW Y4, Y12, Y4      \
	VPMADDWD   Y14, Y4, SUM

// func loadBlocksVector(a *loadArgs) int
TEXT ·loadBlocksVector(SB), NOSPLIT, $0-16
	MOVQ a+0(FP), R13
	MOVQ loadArgs_x(R13), SI
	MOVQ loadArgs_q(R13), DI
	MOVQ loadArgs_d(R13), R8
	MOVQ loadArgs_corr(R13), R9
	MOVQ loadArgs_corr16(R13), R10
	MOVQ loadArgs_blocks(R13), CX
	VPBROADCASTD positive<>(SB), Y15
	VMOVDQU      natural<>(SB), Y13
	ONES
	VPACKUSWB    Y14, Y14, Y12
	VPSLLW       $4, Y14, Y14

block:
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y3, Y3, Y3
	MAX(0)
	MAX(128)
	MAX(256)
	MAX(384)
	VPMAXUD      Y1, Y0, Y0
	VPMAXUD      Y3, Y2, Y2
	VPMAXUD      Y2, Y0, Y0
	VEXTRACTI128 $1, Y0, X1
	VPMAXUD      X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPMAXUD      X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPMAXUD      X1, X0, X0
	VMOVD        X0, AX
	CMPL         AX, $0x7f800000 // infinity
	JAE          done
	VMOVSS       limit<>(SB), X3
	VDIVSS       X3, X0, X1      // d
	VDIVSS       X0, X3, X2      // 127/amax
	CMPL         AX, $0x03800000 // 2^−120
	JAE          scaled
	VXORPS       X1, X1, X1
	VXORPS       X2, X2, X2

scaled:
	VMOVSS       X1, (R8)
	VBROADCASTSS X1, Y1
	VBROADCASTSS X2, Y2
	ROUND(0, 0, Y10)
	ROUND(128, 32, Y11)
	VPHADDD      Y11, Y10, Y10
	ROUND(256, 64, Y0)
	ROUND(384, 96, Y3)
	VPHADDD      Y3, Y0, Y0
	VPHADDD      Y0, Y10, Y10
	VPERMD       Y10, Y13, Y10   // the sums of 8 runs
	VEXTRACTI128 $1, Y10, X11
	VPACKSSDW    X11, X10, X9
	VMOVDQU      X9, (R10)
	VPADDD       X11, X10, X10
	VPHADDD      X10, X10, X10
	VPHADDD      X10, X10, X10
	VMOVD        X10, (R9)
	ADDQ         $512, SI
	ADDQ         $128, DI
	ADDQ         $4, R8
	ADDQ         $4, R9
	ADDQ         $16, R10
	DECQ         CX
	JNZ          block

done:
	MOVQ loadArgs_blocks(R13), AX
	SUBQ CX, AX
	MOVQ AX, ret+8(FP)
	VZEROUPPER
	RET

// func setRunsVector(dst, x *float32, n int) uint32
TEXT ·setRunsVector(SB), NOSPLIT, $0-28
	MOVQ         dst+0(FP), DI
	MOVQ         x+8(FP), SI
	MOVQ         n+16(FP), CX
	VPBROADCASTD positive<>(SB), Y15
	VPXOR        Y14, Y14, Y14

	// QUARTERS transposes half of the lanes: eight rows of four floats become four rows
	// of eight.
#define QUARTERS(X, TO) \
	VMOVUPS     X+0(SI), X0          \
	VMOVUPS     X+16(SI), X1         \
	VMOVUPS     X+32(SI), X2         \
	VMOVUPS     X+48(SI), X3         \
	VINSERTF128 $1, X+64(SI), Y0, Y0 \
	VINSERTF128 $1, X+80(SI), Y1, Y1 \
	VINSERTF128 $1, X+96(SI), Y2, Y2 \
	VINSERTF128 $1, X+112(SI), Y3, Y3 \
	VUNPCKLPS   Y1, Y0, Y4           \
	VUNPCKHPS   Y1, Y0, Y5           \
	VUNPCKLPS   Y3, Y2, Y6           \
	VUNPCKHPS   Y3, Y2, Y7           \
	VUNPCKLPD   Y6, Y4, Y0           \
	VUNPCKHPD   Y6, Y4, Y1           \
	VUNPCKLPD   Y7, Y5, Y2           \
	VUNPCKHPD   Y7, Y5, Y3           \
	VMOVUPS     Y0, TO+0(DI)         \
	VMOVUPS     Y1, TO+64(DI)        \
	VMOVUPS     Y2, TO+128(DI)       \
	VMOVUPS     Y3, TO+192(DI)       \
	VPAND       Y15, Y0, Y0          \
	VPAND       Y15, Y1, Y1          \
	VPAND       Y15, Y2, Y2          \
	VPAND       Y15, Y3, Y3          \
	VPMAXUD     Y1, Y0, Y0           \
	VPMAXUD     Y3, Y2, Y2           \
	VPMAXUD     Y0, Y14, Y14         \
	VPMAXUD     Y2, Y14, Y14

run:
	QUARTERS(0, 0)
	QUARTERS(128, 32)
	ADDQ         $256, SI
	ADDQ         $256, DI
	DECQ         CX
	JNZ          run
	VEXTRACTI128 $1, Y14, X0
	VPMAXUD      X14, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPMAXUD      X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPMAXUD      X1, X0, X0
	VMOVD        X0, AX
	MOVL         AX, ret+24(FP)
	VZEROUPPER
	RET

// func remaindersVector(r, x *float32, q *int8, d *float32, blocks int)
TEXT ·remaindersVector(SB), NOSPLIT, $0-40
	MOVQ r+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ q+16(FP), R10
	MOVQ d+24(FP), R8
	MOVQ blocks+32(FP), CX

block:
	VBROADCASTSS (R8), Y15
	MOVQ         $4, AX

run:
	VPMOVSXBD    0(R10), Y0
	VPMOVSXBD    8(R10), Y1
	VPMOVSXBD    16(R10), Y2
	VPMOVSXBD    24(R10), Y3
	VCVTDQ2PS    Y0, Y0
	VCVTDQ2PS    Y1, Y1
	VCVTDQ2PS    Y2, Y2
	VCVTDQ2PS    Y3, Y3
	VFNMADD213PS 0(SI), Y15, Y0  // x − d·q
	VFNMADD213PS 32(SI), Y15, Y1
	VFNMADD213PS 64(SI), Y15, Y2
	VFNMADD213PS 96(SI), Y15, Y3
	VMOVUPS      Y0, 0(DI)
	VMOVUPS      Y1, 32(DI)
	VMOVUPS      Y2, 64(DI)
	VMOVUPS      Y3, 96(DI)
	ADDQ         $32, R10
	ADDQ         $128, SI
	ADDQ         $128, DI
	DECQ         AX
	JNZ          run
	ADDQ         $4, R8
	DECQ         CX
	JNZ          block
	VZEROUPPER
	RET
