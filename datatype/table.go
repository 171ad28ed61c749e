package datatype

type info struct {
	name      string
	bits      uint8
	groupSize uint8
	scale     ScaleFormat
	asym      bool
	unit      float32 // 0: none, see Type.Unit

	// make builds the codebooks from the fields below; it is nil for asymmetric types.
	make       func(*info) []Codebook
	magnitudes func() []float32 // the non-negative values by the low bits of the code
	special    []float32        // the special value of each codebook
	values     []float32        // of the only codebook, by code
}

func fp3() []float32   { return []float32{0, 1, 2, 4} }
func fp4() []float32   { return minifloat(2, 1) }
func e2m2() []float32  { return minifloat(2, 2) }
func e3m1() []float32  { return minifloat(3, 1) }
func e2m3() []float32  { return minifloat(2, 3) }
func e3m2() []float32  { return minifloat(3, 2) }
func flint() []float32 { return []float32{0, 1, 2, 3, 4, 6, 8, 16} }
func apot() []float32  { return []float32{0, .1, .2, .3, .4, .6, .8, 1} }

// infos defines every type. The linker lays it out as data, so that it needs no
// initialization at run time.
var infos = [numTypes]info{
	BitMoD4: {name: "bitmod4", bits: 4, groupSize: 128, unit: .5, make: specials, magnitudes: fp4, special: []float32{+5, -5, +8, -8}},
	BitMoD3: {name: "bitmod3", bits: 3, groupSize: 128, unit: 1, make: specials, magnitudes: fp3, special: []float32{+3, -3, +6, -6}},

	Int2: {name: "int2", bits: 2, groupSize: 128, unit: 1, make: integers},
	Int3: {name: "int3", bits: 3, groupSize: 128, unit: 1, make: integers},
	Int4: {name: "int4", bits: 4, groupSize: 128, unit: 1, make: integers},
	Int5: {name: "int5", bits: 5, groupSize: 128, unit: 1, make: integers},
	Int6: {name: "int6", bits: 6, groupSize: 128, unit: 1, make: integers},
	Int7: {name: "int7", bits: 7, groupSize: 128, unit: 1, make: integers},
	Int8: {name: "int8", bits: 8, groupSize: 128, unit: 1, make: integers},

	Int2Asym: {name: "int2_asym", bits: 2, groupSize: 128, unit: 1, asym: true},
	Int3Asym: {name: "int3_asym", bits: 3, groupSize: 128, unit: 1, asym: true},
	Int4Asym: {name: "int4_asym", bits: 4, groupSize: 128, unit: 1, asym: true},
	Int5Asym: {name: "int5_asym", bits: 5, groupSize: 128, unit: 1, asym: true},
	Int6Asym: {name: "int6_asym", bits: 6, groupSize: 128, unit: 1, asym: true},
	Int7Asym: {name: "int7_asym", bits: 7, groupSize: 128, unit: 1, asym: true},
	Int8Asym: {name: "int8_asym", bits: 8, groupSize: 128, unit: 1, asym: true},

	FP3:     {name: "fp3", bits: 3, groupSize: 128, unit: 1, make: plain, magnitudes: fp3},
	FP4:     {name: "fp4", bits: 4, groupSize: 128, unit: .5, make: plain, magnitudes: fp4},
	FP5E2M2: {name: "fp5_e2m2", bits: 5, groupSize: 128, unit: 1. / 4, make: plain, magnitudes: e2m2},
	FP5E3M1: {name: "fp5_e3m1", bits: 5, groupSize: 128, unit: 1. / 8, make: plain, magnitudes: e3m1},
	FP6E2M3: {name: "fp6_e2m3", bits: 6, groupSize: 128, unit: 1. / 8, make: plain, magnitudes: e2m3},
	FP6E3M2: {name: "fp6_e3m2", bits: 6, groupSize: 128, unit: 1. / 16, make: plain, magnitudes: e3m2},

	FP3ER: {name: "fp3_er", bits: 3, groupSize: 128, unit: 1, make: specials, magnitudes: fp3, special: []float32{+3, -3}},
	FP3EA: {name: "fp3_ea", bits: 3, groupSize: 128, unit: 1, make: specials, magnitudes: fp3, special: []float32{+6, -6}},
	FP4ER: {name: "fp4_er", bits: 4, groupSize: 128, unit: .5, make: specials, magnitudes: fp4, special: []float32{+5, -5}},
	FP4EA: {name: "fp4_ea", bits: 4, groupSize: 128, unit: .5, make: specials, magnitudes: fp4, special: []float32{+8, -8}},

	Flint4: {name: "flint4", bits: 4, groupSize: 128, unit: 1, make: plain, magnitudes: flint},
	ANT3:   {name: "ant3", bits: 3, groupSize: 128, unit: 1, make: ant, magnitudes: fp3},
	ANT4:   {name: "ant4", bits: 4, groupSize: 128, unit: 1, make: ant, magnitudes: flint},

	MXFP4:      {name: "mxfp4", bits: 4, groupSize: 32, scale: E8M0, unit: .5, make: plain, magnitudes: fp4},
	NVFP4:      {name: "nvfp4", bits: 4, groupSize: 16, scale: E4M3, unit: .5, make: plain, magnitudes: fp4},
	MXFP4RaZeR: {name: "mxfp4_razer", bits: 4, groupSize: 32, scale: E8M0, unit: .5, make: specials, magnitudes: fp4, special: []float32{+5, -5, +8, -8}},
	NVFP4RaZeR: {name: "nvfp4_razer", bits: 4, groupSize: 16, scale: E4M3, unit: .5, make: specials, magnitudes: fp4, special: []float32{+5, -5, +8, -8}},

	NF3: {name: "nf3", bits: 3, groupSize: 128, make: fixed, values: nf3Values[:]},
	NF4: {name: "nf4", bits: 4, groupSize: 128, make: fixed, values: nf4Values[:]},
	SF3: {name: "sf3", bits: 3, groupSize: 128, make: fixed, values: sf3Values[:]},
	SF4: {name: "sf4", bits: 4, groupSize: 128, make: fixed, values: sf4Values[:]},

	APoT4:   {name: "apot4", bits: 4, groupSize: 128, unit: .1, make: plain, magnitudes: apot},
	APoT4SP: {name: "apot4_sp", bits: 4, groupSize: 128, unit: .1, make: specials, magnitudes: apot, special: []float32{+.5}},
	E2M1SR:  {name: "e2m1_sr", bits: 4, groupSize: 128, unit: .5, make: specials, magnitudes: fp4, special: []float32{+8}},
	E2M1SP:  {name: "e2m1_sp", bits: 4, groupSize: 128, unit: .5, make: specials, magnitudes: fp4, special: []float32{+5}},
}
