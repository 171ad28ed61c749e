// Macros of the AVX-512 code. Registers in the functions of steps:
//
//	DI codes    SI selectors    R9 scales    R8 table
//	R10 q or x  R11 corr        R12 d        CX steps left
//
// VPERMB and VPERMPS look up 64 and 16 codes at once. They read the low six or four bits
// of an index. Tables are repeated, so that only the low four or three bits matter. So
// bits above a code never have to be cleared: a shift brings the code to the bottom, and
// bits of the next byte do no harm.

// AHEAD is the distance in bytes at which codes are prefetched. The hardware's own
// prefetching leaves a quarter of a core's memory bandwidth unused, and more. Codes are
// prefetched to the second-level cache: a first-level cache of 32 KiB would lose data in
// use, and a larger one is no faster.
#define AHEAD 6144

// SELn loads the selectors of a step into AX, and SELn_b sets BX to 16 times the selector
// of block b.
#define SEL0 XORL BX, BX
#define SEL0_0
#define SEL0_1
#define SEL0_2
#define SEL0_3

#define SEL2 MOVBLZX (SI), AX; INCQ SI
#define SEL2_0 RORXL $28, AX, BX; ANDL $0x30, BX
#define SEL2_1 RORXL $30, AX, BX; ANDL $0x30, BX
#define SEL2_2 MOVL AX, BX; ANDL $0x30, BX
#define SEL2_3 RORXL $2, AX, BX; ANDL $0x30, BX

#define SEL4 MOVWLZX (SI), AX; ADDQ $2, SI
#define SEL4_0 RORXL $28, AX, BX; ANDL $0xf0, BX
#define SEL4_1 MOVL AX, BX; ANDL $0xf0, BX
#define SEL4_2 RORXL $4, AX, BX; ANDL $0xf0, BX
#define SEL4_3 RORXL $8, AX, BX; ANDL $0xf0, BX

// THREES sets bits 0 and 1 of all bytes of Z15.
#define THREES \
	MOVL         $0x03030303, AX \
	VPBROADCASTD AX, Z15

// LAST3 unpacks the last of four blocks of 3 bits from the spare bits of the other three,
// in A, B and C: bits 6–7 of A and B are the low bits of columns 0–63 and 64–127, bits 6
// and 7 of C the high bits. LO and HI become the codes: 0xe4 keeps their bits where Z15
// is set, and takes the bits of Z14 elsewhere.
#define LAST3(A, B, C, LO, HI) \
	VPSRLW     $6, A, LO           \
	VPSRLW     $4, C, Z14          \
	VPTERNLOGD $0xe4, Z15, Z14, LO \
	VPSRLW     $6, B, HI           \
	VPSRLW     $5, C, Z14          \
	VPTERNLOGD $0xe4, Z15, Z14, HI
