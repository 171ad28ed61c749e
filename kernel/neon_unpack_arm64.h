// Macros that unpack the indices of a block from R2 to V0 … V7. V30 has the mask of an
// index.

// A block of 4-bit codes is 64 bytes, with columns 0–63 in the low halves.
#define UNPACK4 \
	FLDPQ  (R2), (F0, F1)          \
	FLDPQ  32(R2), (F2, F3)        \
	ADD    $64, R2, R2             \
	VUSHR $4, V0.B16, V4.B16       \
	VUSHR $4, V1.B16, V5.B16       \
	VUSHR $4, V2.B16, V6.B16       \
	VUSHR $4, V3.B16, V7.B16       \
	VAND  V30.B16, V0.B16, V0.B16  \
	VAND  V30.B16, V1.B16, V1.B16  \
	VAND  V30.B16, V2.B16, V2.B16  \
	VAND  V30.B16, V3.B16, V3.B16

// Four blocks of 3-bit codes are 192 bytes. Block b below 3 has its columns 0–63 in bits
// 0–2 of bytes 64b … 64b+63, and 64–127 in bits 3–5. Tables hold the values twice, so bit
// 3 of an index has no effect.
#define UNPACK3 \
	VLD1.P 64(R2), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VUSHR $3, V0.B16, V4.B16       \
	VUSHR $3, V1.B16, V5.B16       \
	VUSHR $3, V2.B16, V6.B16       \
	VUSHR $3, V3.B16, V7.B16       \
	VAND  V30.B16, V0.B16, V0.B16  \
	VAND  V30.B16, V1.B16, V1.B16  \
	VAND  V30.B16, V2.B16, V2.B16  \
	VAND  V30.B16, V3.B16, V3.B16  \
	VAND  V30.B16, V4.B16, V4.B16  \
	VAND  V30.B16, V5.B16, V5.B16  \
	VAND  V30.B16, V6.B16, V6.B16  \
	VAND  V30.B16, V7.B16, V7.B16

// Block 3 is in the remaining bits: bits 6–7 of bytes 0–63 and 64–127 are the low bits of
// columns 0–63 and 64–127, and bits 6 and 7 of bytes 128–191 the high bits. The high bits
// are shifted to bit 2, and the low bits inserted below.
#define UNPACK_LAST3 \
	SUB    $192, R2, R11           \
	VLD1.P 64(R11), [V16.B16, V17.B16, V18.B16, V19.B16] \
	VLD1.P 64(R11), [V20.B16, V21.B16, V22.B16, V23.B16] \
	VLD1   (R11), [V4.B16, V5.B16, V6.B16, V7.B16]      \
	VUSHR $4, V4.B16, V0.B16       \
	VUSHR $4, V5.B16, V1.B16       \
	VUSHR $4, V6.B16, V2.B16       \
	VUSHR $4, V7.B16, V3.B16       \
	VUSHR $5, V4.B16, V4.B16       \
	VUSHR $5, V5.B16, V5.B16       \
	VUSHR $5, V6.B16, V6.B16       \
	VUSHR $5, V7.B16, V7.B16       \
	VSRI  $6, V16.B16, V0.B16      \
	VSRI  $6, V17.B16, V1.B16      \
	VSRI  $6, V18.B16, V2.B16      \
	VSRI  $6, V19.B16, V3.B16      \
	VSRI  $6, V20.B16, V4.B16      \
	VSRI  $6, V21.B16, V5.B16      \
	VSRI  $6, V22.B16, V6.B16      \
	VSRI  $6, V23.B16, V7.B16

// Two blocks of 2-bit codes are 64 bytes, with columns 64i … 64i+63 in bits 2i and
// 2i+1.
#define UNPACK2_LOW \
	VLD1  (R2), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VUSHR $2, V0.B16, V4.B16       \
	VUSHR $2, V1.B16, V5.B16       \
	VUSHR $2, V2.B16, V6.B16       \
	VUSHR $2, V3.B16, V7.B16       \
	VAND  V30.B16, V0.B16, V0.B16  \
	VAND  V30.B16, V1.B16, V1.B16  \
	VAND  V30.B16, V2.B16, V2.B16  \
	VAND  V30.B16, V3.B16, V3.B16  \
	VAND  V30.B16, V4.B16, V4.B16  \
	VAND  V30.B16, V5.B16, V5.B16  \
	VAND  V30.B16, V6.B16, V6.B16  \
	VAND  V30.B16, V7.B16, V7.B16
#define UNPACK2_HIGH \
	VLD1.P 64(R2), [V4.B16, V5.B16, V6.B16, V7.B16] \
	VUSHR $4, V4.B16, V0.B16       \
	VUSHR $4, V5.B16, V1.B16       \
	VUSHR $4, V6.B16, V2.B16       \
	VUSHR $4, V7.B16, V3.B16       \
	VUSHR $6, V4.B16, V4.B16       \
	VUSHR $6, V5.B16, V5.B16       \
	VUSHR $6, V6.B16, V6.B16       \
	VUSHR $6, V7.B16, V7.B16       \
	VAND  V30.B16, V0.B16, V0.B16  \
	VAND  V30.B16, V1.B16, V1.B16  \
	VAND  V30.B16, V2.B16, V2.B16  \
	VAND  V30.B16, V3.B16, V3.B16
