package gguf

import "fmt"

// A Type is how the elements of a tensor are stored: ggml's enum ggml_type.
type Type uint32

// The types that convert to floats. Those from Q40 on hold blocks of small
// integers with a scale, which ggml calls Q4_0 and so on.
const (
	F32   Type = 0
	F16   Type = 1
	F64   Type = 28
	BF16  Type = 30
	Q40   Type = 2
	Q41   Type = 3
	Q50   Type = 6
	Q51   Type = 7
	Q80   Type = 8
	Q2K   Type = 10
	Q3K   Type = 11
	Q4K   Type = 12
	Q5K   Type = 13
	Q6K   Type = 14
	IQ4NL Type = 20
	IQ4XS Type = 23
	MXFP4 Type = 39
)

type layout struct {
	name  string
	bits  int // of the code of an element
	block int // elements in a block
	bytes int // of a block
	// decode converts whole blocks that fill dst. It is nil for types without blocks
	// and types that cannot be read.
	decode func(dst []float32, src []byte)
}

// layouts is the table of type traits in ggml.c, with those removed types that
// published models have.
var layouts = [...]layout{
	F32: {"F32", 32, 1, 4, nil}, F16: {"F16", 16, 1, 2, nil}, F64: {"F64", 64, 1, 8, nil}, BF16: {"BF16", 16, 1, 2, nil},
	24: {"I8", 8, 1, 1, nil}, 25: {"I16", 16, 1, 2, nil}, 26: {"I32", 32, 1, 4, nil}, 27: {"I64", 64, 1, 8, nil},
	Q40: {"Q4_0", 4, 32, 18, decodeQ40}, Q41: {"Q4_1", 4, 32, 20, decodeQ41},
	Q50: {"Q5_0", 5, 32, 22, decodeQ50}, Q51: {"Q5_1", 5, 32, 24, decodeQ51},
	Q80: {"Q8_0", 8, 32, 34, decodeQ80}, 9: {"Q8_1", 8, 32, 36, nil},
	Q2K: {"Q2_K", 2, 256, 84, decodeQ2K}, Q3K: {"Q3_K", 3, 256, 110, decodeQ3K}, Q4K: {"Q4_K", 4, 256, 144, decodeQ4K},
	Q5K: {"Q5_K", 5, 256, 176, decodeQ5K}, Q6K: {"Q6_K", 6, 256, 210, decodeQ6K}, 15: {"Q8_K", 8, 256, 292, nil},
	16: {"IQ2_XXS", 2, 256, 66, nil}, 17: {"IQ2_XS", 2, 256, 74, nil}, 22: {"IQ2_S", 2, 256, 82, nil},
	18: {"IQ3_XXS", 3, 256, 98, nil}, 21: {"IQ3_S", 3, 256, 110, nil},
	19: {"IQ1_S", 1, 256, 50, nil}, 29: {"IQ1_M", 1, 256, 56, nil},
	IQ4NL: {"IQ4_NL", 4, 32, 18, decodeIQ4NL}, IQ4XS: {"IQ4_XS", 4, 256, 136, decodeIQ4XS},
	31: {"Q4_0_4_4", 4, 32, 18, nil}, 32: {"Q4_0_4_8", 4, 32, 18, nil}, 33: {"Q4_0_8_8", 4, 32, 18, nil},
	34: {"TQ1_0", 2, 256, 54, nil}, 35: {"TQ2_0", 2, 256, 66, nil},
	MXFP4: {"MXFP4", 4, 32, 17, decodeMXFP4}, 40: {"NVFP4", 4, 64, 36, nil}, 41: {"Q1_0", 1, 128, 18, nil}, 42: {"Q2_0", 2, 64, 18, nil},
}

func (t Type) layout() (layout, bool) {
	if uint64(t) >= uint64(len(layouts)) {
		return layout{}, false
	}
	l := layouts[t]
	return l, l.name != ""
}

// ParseType returns the type of ggml's name, such as "Q8_0".
func ParseType(name string) (Type, bool) {
	for i, l := range layouts {
		if l.name == name && name != "" {
			return Type(i), true
		}
	}
	return 0, false
}

// String returns ggml's name, such as "Q8_0".
func (t Type) String() string {
	if l, ok := t.layout(); ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Bits returns the bits of an element's code, without its share of the scales: 4 for
// Q4_1, whose blocks take 5 bits an element. It is 0 for an unknown type.
func (t Type) Bits() int {
	l, _ := t.layout()
	return l.bits
}

// Size returns the bytes of n elements that are whole blocks, 0 for an unknown
// type.
func (t Type) Size(n int64) int64 {
	l, ok := t.layout()
	if !ok {
		return 0
	}
	return n / int64(l.block) * int64(l.bytes)
}

// IsFloat reports whether [File.Read] converts the type.
func (t Type) IsFloat() bool {
	switch t {
	case F32, F16, F64, BF16:
		return true
	}
	l, _ := t.layout()
	return l.decode != nil
}
