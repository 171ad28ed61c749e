package gguf

import "fmt"

// A Type is how the elements of a tensor are stored: ggml's enum ggml_type.
type Type uint32

// The types that convert to floats.
const (
	F32  Type = 0
	F16  Type = 1
	Q80  Type = 8 // Q8_0: blocks of 32 int8 with an F16 scale
	F64  Type = 28
	BF16 Type = 30
)

type layout struct {
	name  string
	block int // elements in a block
	bytes int // of a block
}

// layouts is the table of type traits in ggml.c. Types that ggml has removed are
// not in it.
var layouts = map[Type]layout{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, F64: {"F64", 1, 8}, BF16: {"BF16", 1, 2},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8},
	2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20}, 6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24},
	Q80: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 36},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144},
	13: {"Q5_K", 256, 176}, 14: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98},
	19: {"IQ1_S", 256, 50}, 20: {"IQ4_NL", 32, 18}, 21: {"IQ3_S", 256, 110},
	22: {"IQ2_S", 256, 82}, 23: {"IQ4_XS", 256, 136}, 29: {"IQ1_M", 256, 56},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66}, 39: {"MXFP4", 32, 17},
}

func (t Type) layout() (layout, bool) {
	l, ok := layouts[t]
	return l, ok
}

// String returns ggml's name, such as "Q8_0".
func (t Type) String() string {
	if l, ok := t.layout(); ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// IsFloat reports whether [File.Read] converts the type.
func (t Type) IsFloat() bool {
	switch t {
	case F32, F16, F64, BF16, Q80:
		return true
	}
	return false
}
