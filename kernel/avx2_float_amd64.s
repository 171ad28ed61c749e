//go:build amd64 && !purego

#include "textflag.h"

// The sixteen lanes of a row are Y0 and Y1, those of a group Y2 and Y3.

#define GROUP \
	VXORPS Y2, Y2, Y2 \
	VXORPS Y3, Y3, Y3 \
	MOVQ   R8, BX

#define SCALE \
	VBROADCASTSS (R9), Y4 \
	VMULPS       Y4, Y2, Y2 \
	VMULPS       Y4, Y3, Y3 \
	VADDPS       Y2, Y0, Y0 \
	VADDPS       Y3, Y1, Y1 \
	ADDQ         $4, R9

// RUN adds the products of run I of 16 columns.
#define RUN(I) \
	VPMOVSXBD 16*I+0(SI), Y4      \
	VPMOVSXBD 16*I+8(SI), Y5      \
	VCVTDQ2PS Y4, Y4              \
	VCVTDQ2PS Y5, Y5              \
	VMULPS    64*I+0(DI), Y4, Y4  \
	VMULPS    64*I+32(DI), Y5, Y5 \
	VADDPS    Y4, Y2, Y2          \
	VADDPS    Y5, Y3, Y3

#define END \
	VMOVUPS Y0, (DX)   \
	VMOVUPS Y1, 32(DX) \
	VZEROUPPER         \
	RET

// func floatGroupsAVX2(acc *[16]float32, values *byte, x, k *float32, runs, groups int)
TEXT ·floatGroupsAVX2(SB), NOSPLIT, $0-48
	MOVQ    acc+0(FP), DX
	MOVQ    values+8(FP), SI
	MOVQ    x+16(FP), DI
	MOVQ    k+24(FP), R9
	MOVQ    runs+32(FP), R8
	MOVQ    groups+40(FP), CX
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1

group:
	GROUP
	CMPQ BX, $4
	JB   run

runs:
	RUN(0)
	RUN(1)
	RUN(2)
	RUN(3)
	ADDQ $64, SI
	ADDQ $256, DI
	SUBQ $4, BX
	CMPQ BX, $4
	JAE  runs
	TESTQ BX, BX
	JZ   scale

run:
	RUN(0)
	ADDQ $16, SI
	ADDQ $64, DI
	DECQ BX
	JNZ  run

scale:
	SCALE
	DECQ      CX
	JNZ       group
	END

// func floatTableAVX2(acc *[16]float32, codes *byte, x, k *float32, runs, groups int, table *float32)
TEXT ·floatTableAVX2(SB), NOSPLIT, $0-56
	MOVQ    acc+0(FP), DX
	MOVQ    codes+8(FP), SI
	MOVQ    x+16(FP), DI
	MOVQ    k+24(FP), R9
	MOVQ    runs+32(FP), R8
	MOVQ    groups+40(FP), CX
	MOVQ    table+48(FP), AX
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVUPS (AX), Y12         // codes 0–7
	VMOVUPS 32(AX), Y13       // codes 8–15

group:
	GROUP

run:
	VPMOVZXBD (SI), Y4
	VPMOVZXBD 8(SI), Y5
	VPERMPS   Y12, Y4, Y6
	VPERMPS   Y12, Y5, Y7
	VPERMPS   Y13, Y4, Y8
	VPERMPS   Y13, Y5, Y9
	VPSLLD    $28, Y4, Y4     // bit 3 to the sign
	VPSLLD    $28, Y5, Y5
	VBLENDVPS Y4, Y8, Y6, Y6
	VBLENDVPS Y5, Y9, Y7, Y7
	VMULPS    (DI), Y6, Y6
	VMULPS    32(DI), Y7, Y7
	VADDPS    Y6, Y2, Y2
	VADDPS    Y7, Y3, Y3
	ADDQ      $16, SI
	ADDQ      $64, DI
	DECQ      BX
	JNZ       run
	SCALE
	DECQ      CX
	JNZ       group
	END
