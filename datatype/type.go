package datatype

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Type is a weight data type. It is comparable, and its zero value is
// [BitMoD4]. Values that are not one of the constants have no codebooks, and
// are rejected wherever a Type is taken.
type Type uint8

// The types. Each comment begins with the name that [Parse] accepts.
const (
	BitMoD4 Type = iota // bitmod4: FP4 with a special value ±5 or ±8 per group
	BitMoD3             // bitmod3: FP3 with a special value ±3 or ±6 per group

	Int2 // int2: symmetric integers ±1
	Int3 // int3: ±3
	Int4 // int4: ±7
	Int5 // int5: ±15
	Int6 // int6: ±31
	Int7 // int7: ±63
	Int8 // int8: ±127

	Int2Asym // int2_asym: integers 0…3 with a zero-point per group
	Int3Asym // int3_asym: 0…7
	Int4Asym // int4_asym: 0…15
	Int5Asym // int5_asym: 0…31
	Int6Asym // int6_asym: 0…63
	Int7Asym // int7_asym: 0…127
	Int8Asym // int8_asym: 0…255

	FP3     // fp3: 0, ±1, ±2, ±4
	FP4     // fp4: E2M1
	FP5E2M2 // fp5_e2m2
	FP5E3M1 // fp5_e3m1
	FP6E2M3 // fp6_e2m3
	FP6E3M2 // fp6_e3m2

	FP3ER // fp3_er: FP3 with special value ±3 (extra resolution)
	FP3EA // fp3_ea: FP3 with special value ±6 (extra asymmetry)
	FP4ER // fp4_er: FP4 with special value ±5
	FP4EA // fp4_ea: FP4 with special value ±8

	Flint4 // flint4: 0, ±1, ±2, ±3, ±4, ±6, ±8, ±16
	ANT3   // ant3: INT3 or FP3 per group
	ANT4   // ant4: INT4 or FLINT4 per group

	MXFP4      // mxfp4: OCP MXFP4, power-of-two scale
	NVFP4      // nvfp4: NVFP4, E4M3 scale and one float32 scale per tensor
	MXFP4RaZeR // mxfp4_razer: MXFP4 with a special value ±5 or ±8 per group
	NVFP4RaZeR // nvfp4_razer: NVFP4 with a special value ±5 or ±8 per group

	NF3 // nf3: NormalFloat-3
	NF4 // nf4: QLoRA's NormalFloat-4
	SF3 // sf3: Student Float-3, ν = 5
	SF4 // sf4: Student Float-4, ν = 5

	APoT4   // apot4: additive powers of two, ±{0, .1, .2, .3, .4, .6, .8, 1}
	APoT4SP // apot4_sp: APoT4 with +0.5
	E2M1SR  // e2m1_sr: E2M1 with super-range +8
	E2M1SP  // e2m1_sp: E2M1 with super-precision +5

	numTypes
)

// ErrUnknown is returned, wrapped, by [Parse] for a name that is not a type.
var ErrUnknown = errors.New("unknown data type")

// Parse returns the type called name, in lower case as in the comments of the
// constants. The error wraps [ErrUnknown]; it suggests the nearest name and lists all
// names.
func Parse(name string) (Type, error) {
	for t := range numTypes {
		if infos[t].name == name {
			return t, nil
		}
	}
	names := make([]string, 0, numTypes)
	for t := range numTypes {
		names = append(names, infos[t].name)
	}
	hint := ""
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("; did you mean %q?", near)
	}
	return 0, fmt.Errorf("datatype: %w %q%s; have %s", ErrUnknown, name, hint, strings.Join(names, ", "))
}

// Types returns every type, in the order of the constants.
func Types() []Type {
	ts := make([]Type, numTypes)
	for t := range ts {
		ts[t] = Type(t)
	}
	return ts
}

// Valid reports whether t is one of the constants.
func (t Type) Valid() bool { return t < numTypes }

// String returns the name that [Parse] accepts.
func (t Type) String() string {
	if !t.Valid() {
		return fmt.Sprintf("datatype.Type(%d)", uint8(t))
	}
	return infos[t].name
}

// MarshalText returns the name of t, for JSON and flags.
func (t Type) MarshalText() ([]byte, error) {
	if !t.Valid() {
		return nil, fmt.Errorf("datatype: %w %d", ErrUnknown, uint8(t))
	}
	return []byte(infos[t].name), nil
}

// UnmarshalText sets t to the type that [Parse] finds for text.
func (t *Type) UnmarshalText(text []byte) error {
	p, err := Parse(string(text))
	if err == nil && t == nil {
		err = errors.New("datatype: UnmarshalText of a nil Type")
	}
	if err == nil {
		*t = p
	}
	return err
}

// Bits returns the width of a code, 2 to 8, or 0 for an invalid type.
func (t Type) Bits() int { return int(t.info().bits) }

// GroupSize returns the number of weights that share a scale by default: 32
// for MX types, 16 for NV types and 128 for all others.
func (t Type) GroupSize() int { return int(t.info().groupSize) }

// Scale returns how a group's scale is stored.
func (t Type) Scale() ScaleFormat { return t.info().scale }

// Asymmetric reports whether the minimum and maximum of a group determine its codebook.
// The index of that codebook is the zero-point. Groups of other types try all candidates.
func (t Type) Asymmetric() bool { return t.info().asym }

// SelectorBits returns the number of bits that record the codebook of a group: the
// least of 0, 1, 2, 4 and 8 that is enough for the candidates.
func (t Type) SelectorBits() int {
	n := t.numCodebooks()
	for _, b := range []int{0, 1, 2, 4} {
		if n <= 1<<b {
			return b
		}
	}
	return 8
}

// Unit returns the largest step such that every value of every codebook of t is an
// integer multiple of it, such as 0.5 for bitmod4. It returns 0 for nf3, nf4, sf3 and
// sf4, which have no such step. Bit-serial and integer dot products compute with these
// multiples.
func (t Type) Unit() float32 { return t.info().unit }

// numCodebooks returns len(t.Codebooks()) without allocating.
func (t Type) numCodebooks() int {
	in := t.info()
	switch {
	case in.asym:
		return 1 << in.bits
	case in.make == nil:
		return 0
	}
	return len(t.codebooks())
}

// Codebooks returns the candidates in order of trial: one for most types, four
// for bitmod3 and bitmod4, and one per zero-point, indexed by it, for the
// asymmetric integers. The slice is the caller's; it costs one or two
// allocations. It is nil for an invalid type.
func (t Type) Codebooks() []Codebook {
	in := t.info()
	if in.asym {
		return asymmetric(t)
	}
	if in.make == nil {
		return nil
	}
	return slices.Clone(t.codebooks())
}

func (t Type) info() *info {
	if !t.Valid() {
		return &info{}
	}
	return &infos[t]
}
