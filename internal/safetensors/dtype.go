package safetensors

import "github.com/bitmod-go/bitmod/internal/rawfloat"

// A DType is the name of an element type, as the header has it.
type DType string

// The types that convert to floats.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	// E4M3 and E5M2 are floats of 8 bits, E8M0 the exponents of scales.
	E4M3 DType = "F8_E4M3"
	E5M2 DType = "F8_E5M2"
	E8M0 DType = "F8_E8M0"
)

// U8 is the type of bytes.
const U8 DType = "U8"

// Bits returns the width of an element, or 0 for a type that the format does
// not have.
func (d DType) Bits() int {
	switch d {
	case "F64", "I64", "U64", "C64":
		return 64
	case "F32", "I32", "U32":
		return 32
	case "F16", "BF16", "I16", "U16":
		return 16
	case "U8", "I8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ":
		return 8
	case "F6_E2M3", "F6_E3M2":
		return 6
	case "F4":
		return 4
	}
	return 0
}

// IsFloat reports whether the type is of floats that [File.ReadRows] converts.
// It also converts E8M0, the exponents of scales, which are no weights.
func (d DType) IsFloat() bool {
	_, ok := d.format()
	return ok && d != E8M0
}

func (d DType) format() (rawfloat.Format, bool) {
	switch d {
	case F64:
		return rawfloat.F64, true
	case F32:
		return rawfloat.F32, true
	case F16:
		return rawfloat.F16, true
	case BF16:
		return rawfloat.BF16, true
	case E4M3:
		return rawfloat.E4M3, true
	case E5M2:
		return rawfloat.E5M2, true
	case E8M0:
		return rawfloat.E8M0, true
	}
	return 0, false
}
