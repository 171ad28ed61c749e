// Macros of the AVX2 code. Registers, throughout:
//
//	DI codes    SI tables of a step    R8 table    R9 scales
//	R10 q       R11 corrections        R12 d       CX steps left
//	Y14 ones (words)    Y15 mask of a code (bytes)

#define AHEAD 4096

// UNPACKn leaves the codes of a block of 128 columns in bytes: columns 0–31 in Y4,
// 32–63 in Y5, 64–95 in Y6 and 96–127 in Y7.
//
// A block of 4-bit codes is 64 bytes, with columns 0–63 in the low halves. Four blocks of
// 3-bit codes are 192 bytes. Block b, below 3, has columns 0–63 in bits 0–2 of bytes 64b
// … 64b+63, and columns 64–127 in bits 3–5.
#define UNPACK(C, SHIFT) \
	PREFETCHT1 C+AHEAD(DI)  \
	VMOVDQU    C+0(DI), Y6  \
	VMOVDQU    C+32(DI), Y7 \
	VPAND      Y15, Y6, Y4  \
	VPAND      Y15, Y7, Y5  \
	VPSRLW     SHIFT, Y6, Y6 \
	VPSRLW     SHIFT, Y7, Y7 \
	VPAND      Y15, Y6, Y6  \
	VPAND      Y15, Y7, Y7

#define UNPACK4(C) UNPACK(C, $4)
#define UNPACK3(C) UNPACK(C, $3)

// UNPACK3LAST unpacks block 3 from the remaining bits: bits 6–7 of bytes 0–63 and 64–127
// are the low bits of columns 0–63 and 64–127, and bits 6 and 7 of bytes 128–191 the high
// bits. It uses Y1 … Y3 and Y11, Y12.
#define UNPACK3LAST \
	VPBROADCASTQ threes<>(SB), Y12 \
	VPBROADCASTQ fours<>(SB), Y11  \
	VMOVDQU 0(DI), Y4       \
	VMOVDQU 32(DI), Y5      \
	VMOVDQU 64(DI), Y6      \
	VMOVDQU 96(DI), Y7      \
	VMOVDQU 128(DI), Y1     \
	VMOVDQU 160(DI), Y2     \
	VPSRLW  $6, Y4, Y4      \
	VPSRLW  $6, Y5, Y5      \
	VPSRLW  $6, Y6, Y6      \
	VPSRLW  $6, Y7, Y7      \
	VPAND   Y12, Y4, Y4     \
	VPAND   Y12, Y5, Y5     \
	VPAND   Y12, Y6, Y6     \
	VPAND   Y12, Y7, Y7     \
	VPSRLW  $4, Y1, Y3      \
	VPAND   Y11, Y3, Y3     \
	VPOR    Y3, Y4, Y4      \
	VPSRLW  $4, Y2, Y3      \
	VPAND   Y11, Y3, Y3     \
	VPOR    Y3, Y5, Y5      \
	VPSRLW  $5, Y1, Y1      \
	VPAND   Y11, Y1, Y1     \
	VPOR    Y1, Y6, Y6      \
	VPSRLW  $5, Y2, Y2      \
	VPAND   Y11, Y2, Y2     \
	VPOR    Y2, Y7, Y7

// Two blocks of 2-bit codes are 64 bytes: columns 0–63 in bits 0–1, 64–127 in bits
// 2–3, and the second block in bits 4–7.
#define UNPACK2A(C) UNPACK(C, $2)
#define UNPACK2B(C) \
	VMOVDQU    C+0(DI), Y6  \
	VMOVDQU    C+32(DI), Y7 \
	VPSRLW     $4, Y6, Y4   \
	VPSRLW     $4, Y7, Y5   \
	VPSRLW     $6, Y6, Y6   \
	VPSRLW     $6, Y7, Y7   \
	VPAND      Y15, Y4, Y4  \
	VPAND      Y15, Y5, Y5  \
	VPAND      Y15, Y6, Y6  \
	VPAND      Y15, Y7, Y7

// SELn loads the selectors of a step into AX, and TABLEn_b loads the table of block b
// into Y13.
#define SEL0
#define TABLE0_0
#define TABLE0_1
#define TABLE0_2
#define TABLE0_3

#define SEL2 MOVBLZX (SI), AX; INCQ SI
#define TABLE2_0 MOVL AX, BX; SHLL $4, BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_1 LEAL (AX*4), BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_2 MOVL AX, BX; ANDL $0x30, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE2_3 SHRL $2, AX; ANDL $0x30, AX; VBROADCASTI128 (R8)(AX*1), Y13

#define SEL4 MOVWLZX (SI), AX; ADDQ $2, SI
#define TABLE4_0 MOVL AX, BX; SHLL $4, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_1 MOVL AX, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_2 MOVL AX, BX; SHRL $4, BX; ANDL $0xf0, BX; VBROADCASTI128 (R8)(BX*1), Y13
#define TABLE4_3 SHRL $8, AX; ANDL $0xf0, AX; VBROADCASTI128 (R8)(AX*1), Y13

// LOOKUP looks up codes in the table in Y13.
#define LOOKUP \
	VPSHUFB Y4, Y13, Y4 \
	VPSHUFB Y5, Y13, Y5 \
	VPSHUFB Y6, Y13, Y6 \
	VPSHUFB Y7, Y13, Y7

// RUNS looks up codes with a table for every 16 columns. The bytes from T on at SI are
// the offsets of these tables from R8.
#define RUN(T, Y) \
	MOVBLZX     T+0(SI), AX            \
	MOVBLZX     T+1(SI), BX            \
	VMOVDQU     (R8)(AX*1), X13        \
	VINSERTI128 $1, (R8)(BX*1), Y13, Y13 \
	VPSHUFB     Y, Y13, Y

#define RUNS(T) \
	RUN(T+0, Y4) \
	RUN(T+2, Y5) \
	RUN(T+4, Y6) \
	RUN(T+6, Y7)

// ONES sets Y14 to ones.
#define ONES \
	VPCMPEQW Y14, Y14, Y14 \
	VPSRLW   $15, Y14, Y14

// LANES adds I·d to the lanes in X0, for the sums I of four blocks in X8.
#define LANES \
	VCVTDQ2PS X8, X8        \
	VMULPS    (R12), X8, X8 \
	VADDPS    X8, X0, X0

// ADD8 adds up the eight lanes each of Y8, Y9, Y10 and Y11 into the four lanes of X8.
#define ADD8 \
	VPHADDD      Y9, Y8, Y8    \
	VPHADDD      Y11, Y10, Y10 \
	VPHADDD      Y10, Y8, Y8   \
	VEXTRACTI128 $1, Y8, X9    \
	VPADDD       X9, X8, X8

// ONEBLOCK jumps to sums behind the only block of a step, after setting the registers of
// the other blocks to 0.
#define ONEBLOCK(ZERO1, ZERO2, ZERO3) \
	CMPQ  CX, $1                    \
	JNE   blocks                    \
	CMPQ  groupArgs_blocks(R13), $1 \
	JNE   blocks                    \
	VPXOR ZERO1, ZERO1, ZERO1       \
	VPXOR ZERO2, ZERO2, ZERO2       \
	VPXOR ZERO3, ZERO3, ZERO3       \
	JMP   sums                      \
blocks:

// GROUPSROW is a function of groupArgs. MASK is the mask of a code, and SET sets further
// registers for STEP.
#define GROUPSROW(MASK, SET, STEP) \
	MOVQ a+8(FP), R13              \
	MOVQ groupArgs_codes(R13), DI  \
	MOVQ groupArgs_scales(R13), R9 \
	MOVQ groupArgs_runs(R13), SI   \
	MOVQ groupArgs_table(R13), R8  \
	MOVQ groupArgs_q(R13), R10     \
	MOVQ groupArgs_corr16(R13), R11 \
	MOVQ groupArgs_d(R13), R12     \
	SET                            \
	MOVQ groupArgs_steps(R13), CX  \
	VPBROADCASTQ MASK<>(SB), Y15   \
	MOVQ acc+0(FP), AX             \
	VMOVUPS (AX), X0               \
step:                                  \
	STEP                           \
	DECQ CX                        \
	JNZ  step                      \
	MOVQ acc+0(FP), AX             \
	VMOVUPS X0, (AX)               \
	VZEROUPPER                     \
	RET

DATA threes<>+0(SB)/8, $0x0303030303030303
GLOBL threes<>(SB), RODATA|NOPTR, $8
DATA fours<>+0(SB)/8, $0x0404040404040404
GLOBL fours<>(SB), RODATA|NOPTR, $8
DATA sevens<>+0(SB)/8, $0x0707070707070707
GLOBL sevens<>(SB), RODATA|NOPTR, $8
DATA nibbles<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibbles<>(SB), RODATA|NOPTR, $8

// natural undoes the order in which the 256-bit VPHADDD and VPACK leave four sums
// of each half.
DATA natural<>+0(SB)/4, $0
DATA natural<>+4(SB)/4, $4
DATA natural<>+8(SB)/4, $1
DATA natural<>+12(SB)/4, $5
DATA natural<>+16(SB)/4, $2
DATA natural<>+20(SB)/4, $6
DATA natural<>+24(SB)/4, $3
DATA natural<>+28(SB)/4, $7
GLOBL natural<>(SB), RODATA|NOPTR, $32
