// Instructions that Go's assembler lacks, with numbers for registers. TestEncodings
// assembles each comment with the GNU assembler and compares.

// Dot products of int8.
#define SDOT(m, n, d) WORD $(0x4e809400 | (m)<<16 | (n)<<5 | (d)) // sdot vd.4s, vn.16b, vm.16b

// Products of int8 in int16, and their sums in int32.
#define SMULL(m, n, d) WORD $(0x0e20c000 | (m)<<16 | (n)<<5 | (d)) // smull vd.8h, vn.8b, vm.8b
#define SMLAL(m, n, d) WORD $(0x0e208000 | (m)<<16 | (n)<<5 | (d)) // smlal vd.8h, vn.8b, vm.8b
#define SMLAL2(m, n, d) WORD $(0x4e208000 | (m)<<16 | (n)<<5 | (d)) // smlal2 vd.8h, vn.16b, vm.16b
#define SADDLP(n, d) WORD $(0x4e602800 | (n)<<5 | (d)) // saddlp vd.4s, vn.8h
#define SADDLV(n, d) WORD $(0x4e303800 | (n)<<5 | (d)) // saddlv hd, vn.16b

// Products of int16 in int32.
#define SXTL(n, d) WORD $(0x0f08a400 | (n)<<5 | (d)) // sxtl vd.8h, vn.8b
#define SXTL2(n, d) WORD $(0x4f08a400 | (n)<<5 | (d)) // sxtl2 vd.8h, vn.16b
#define SMLALH(m, n, d) WORD $(0x0e608000 | (m)<<16 | (n)<<5 | (d)) // smlal vd.4s, vn.4h, vm.4h
#define SMLALH2(m, n, d) WORD $(0x4e608000 | (m)<<16 | (n)<<5 | (d)) // smlal2 vd.4s, vn.8h, vm.8h

#define SXTLH(n, d) WORD $(0x0f10a400 | (n)<<5 | (d)) // sxtl vd.4s, vn.4h
#define SXTLH2(n, d) WORD $(0x4f10a400 | (n)<<5 | (d)) // sxtl2 vd.4s, vn.8h

// Four of int32, or of float32.
#define ZERO(d) WORD $(0x4f000400 | (d)) // movi vd.4s, #0
#define MUL(m, n, d) WORD $(0x4ea09c00 | (m)<<16 | (n)<<5 | (d)) // mul vd.4s, vn.4s, vm.4s
#define SCVTF(n, d) WORD $(0x4e21d800 | (n)<<5 | (d)) // scvtf vd.4s, vn.4s
#define SCVTF24(n, d) WORD $(0x4f28e400 | (n)<<5 | (d)) // scvtf vd.4s, vn.4s, #24
#define FMUL(m, n, d) WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d)) // fmul vd.4s, vn.4s, vm.4s
#define FMUL0(m, n, d) WORD $(0x4f809000 | (m)<<16 | (n)<<5 | (d)) // fmul vd.4s, vn.4s, vm.s[0]
#define FMLA(m, n, d) WORD $(0x4e20cc00 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.4s
#define FMLA0(m, n, d) WORD $(0x4f801000 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.s[0]
#define FMLA1(m, n, d) WORD $(0x4fa01000 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.s[1]
#define FMLA2(m, n, d) WORD $(0x4f801800 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.s[2]
#define FMLA3(m, n, d) WORD $(0x4fa01800 | (m)<<16 | (n)<<5 | (d)) // fmla vd.4s, vn.4s, vm.s[3]
#define FMLS0(m, n, d) WORD $(0x4f805000 | (m)<<16 | (n)<<5 | (d)) // fmls vd.4s, vn.4s, vm.s[0]
#define FADD(m, n, d) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d)) // fadd vd.4s, vn.4s, vm.4s
#define FABS(n, d) WORD $(0x4ea0f800 | (n)<<5 | (d)) // fabs vd.4s, vn.4s
#define FMAX(m, n, d) WORD $(0x4e20f400 | (m)<<16 | (n)<<5 | (d)) // fmax vd.4s, vn.4s, vm.4s
#define FMAXV(n, d) WORD $(0x6e30f800 | (n)<<5 | (d)) // fmaxv sd, vn.4s
#define FRINTN(n, d) WORD $(0x4e218800 | (n)<<5 | (d)) // frintn vd.4s, vn.4s
#define FCVTZS(n, d) WORD $(0x4ea1b800 | (n)<<5 | (d)) // fcvtzs vd.4s, vn.4s

// Narrower elements.
#define XTN(n, d) WORD $(0x0e612800 | (n)<<5 | (d)) // xtn vd.4h, vn.4s
#define XTN2(n, d) WORD $(0x4e612800 | (n)<<5 | (d)) // xtn2 vd.8h, vn.4s
#define XTNB(n, d) WORD $(0x0e212800 | (n)<<5 | (d)) // xtn vd.8b, vn.8h
#define XTNB2(n, d) WORD $(0x4e212800 | (n)<<5 | (d)) // xtn2 vd.16b, vn.8h
