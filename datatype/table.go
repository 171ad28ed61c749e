package datatype

import "sync"

type info struct {
	name      string
	bits      uint8
	groupSize uint8
	scale     ScaleFormat
	asym      bool
	unit      float32           // 0: none, see Type.Unit
	make      func() []Codebook // nil for asymmetric types
}

// fp3Magnitudes and the others list the non-negative values of a sign-magnitude
// codebook by the low bits of the code.
var (
	fp3Magnitudes   = []float32{0, 1, 2, 4}
	fp4Magnitudes   = minifloat(2, 1)
	flintMagnitudes = []float32{0, 1, 2, 3, 4, 6, 8, 16}
	apotMagnitudes  = []float32{0, .1, .2, .3, .4, .6, .8, 1}
)

// infos is the definition of every type. Codebooks are made on first use and
// then shared; nothing ever writes to them.
var infos = [numTypes]info{
	BitMoD4: {name: "bitmod4", bits: 4, groupSize: 128, unit: .5, make: specials(fp4Magnitudes, +5, -5, +8, -8)},
	BitMoD3: {name: "bitmod3", bits: 3, groupSize: 128, unit: 1, make: specials(fp3Magnitudes, +3, -3, +6, -6)},

	Int2: {name: "int2", bits: 2, groupSize: 128, unit: 1, make: integers(2)},
	Int3: {name: "int3", bits: 3, groupSize: 128, unit: 1, make: integers(3)},
	Int4: {name: "int4", bits: 4, groupSize: 128, unit: 1, make: integers(4)},
	Int5: {name: "int5", bits: 5, groupSize: 128, unit: 1, make: integers(5)},
	Int6: {name: "int6", bits: 6, groupSize: 128, unit: 1, make: integers(6)},
	Int7: {name: "int7", bits: 7, groupSize: 128, unit: 1, make: integers(7)},
	Int8: {name: "int8", bits: 8, groupSize: 128, unit: 1, make: integers(8)},

	Int2Asym: {name: "int2_asym", bits: 2, groupSize: 128, unit: 1, asym: true},
	Int3Asym: {name: "int3_asym", bits: 3, groupSize: 128, unit: 1, asym: true},
	Int4Asym: {name: "int4_asym", bits: 4, groupSize: 128, unit: 1, asym: true},
	Int5Asym: {name: "int5_asym", bits: 5, groupSize: 128, unit: 1, asym: true},
	Int6Asym: {name: "int6_asym", bits: 6, groupSize: 128, unit: 1, asym: true},
	Int7Asym: {name: "int7_asym", bits: 7, groupSize: 128, unit: 1, asym: true},
	Int8Asym: {name: "int8_asym", bits: 8, groupSize: 128, unit: 1, asym: true},

	FP3:     {name: "fp3", bits: 3, groupSize: 128, unit: 1, make: plain(fp3Magnitudes)},
	FP4:     {name: "fp4", bits: 4, groupSize: 128, unit: .5, make: plain(fp4Magnitudes)},
	FP5E2M2: {name: "fp5_e2m2", bits: 5, groupSize: 128, unit: 1. / 4, make: plain(minifloat(2, 2))},
	FP5E3M1: {name: "fp5_e3m1", bits: 5, groupSize: 128, unit: 1. / 8, make: plain(minifloat(3, 1))},
	FP6E2M3: {name: "fp6_e2m3", bits: 6, groupSize: 128, unit: 1. / 8, make: plain(minifloat(2, 3))},
	FP6E3M2: {name: "fp6_e3m2", bits: 6, groupSize: 128, unit: 1. / 16, make: plain(minifloat(3, 2))},

	FP3ER: {name: "fp3_er", bits: 3, groupSize: 128, unit: 1, make: specials(fp3Magnitudes, +3, -3)},
	FP3EA: {name: "fp3_ea", bits: 3, groupSize: 128, unit: 1, make: specials(fp3Magnitudes, +6, -6)},
	FP4ER: {name: "fp4_er", bits: 4, groupSize: 128, unit: .5, make: specials(fp4Magnitudes, +5, -5)},
	FP4EA: {name: "fp4_ea", bits: 4, groupSize: 128, unit: .5, make: specials(fp4Magnitudes, +8, -8)},

	Flint4: {name: "flint4", bits: 4, groupSize: 128, unit: 1, make: plain(flintMagnitudes)},
	ANT3: {name: "ant3", bits: 3, groupSize: 128, unit: 1, make: sync.OnceValue(func() []Codebook {
		return []Codebook{integer(3), signMagnitude("fp3", fp3Magnitudes)}
	})},
	ANT4: {name: "ant4", bits: 4, groupSize: 128, unit: 1, make: sync.OnceValue(func() []Codebook {
		return []Codebook{integer(4), signMagnitude("flint4", flintMagnitudes)}
	})},

	MXFP4:      {name: "mxfp4", bits: 4, groupSize: 32, scale: E8M0, unit: .5, make: plain(fp4Magnitudes)},
	NVFP4:      {name: "nvfp4", bits: 4, groupSize: 16, scale: E4M3, unit: .5, make: plain(fp4Magnitudes)},
	MXFP4RaZeR: {name: "mxfp4_razer", bits: 4, groupSize: 32, scale: E8M0, unit: .5, make: specials(fp4Magnitudes, +5, -5, +8, -8)},
	NVFP4RaZeR: {name: "nvfp4_razer", bits: 4, groupSize: 16, scale: E4M3, unit: .5, make: specials(fp4Magnitudes, +5, -5, +8, -8)},

	NF3: {name: "nf3", bits: 3, groupSize: 128, make: quantiles(normal, 8, delta3)},
	NF4: {name: "nf4", bits: 4, groupSize: 128, make: quantiles(normal, 16, delta4)},
	SF3: {name: "sf3", bits: 3, groupSize: 128, make: quantiles(student, 8, delta4)},
	SF4: {name: "sf4", bits: 4, groupSize: 128, make: quantiles(student, 16, delta4)},

	APoT4:   {name: "apot4", bits: 4, groupSize: 128, unit: .1, make: plain(apotMagnitudes)},
	APoT4SP: {name: "apot4_sp", bits: 4, groupSize: 128, unit: .1, make: specials(apotMagnitudes, +.5)},
	E2M1SR:  {name: "e2m1_sr", bits: 4, groupSize: 128, unit: .5, make: specials(fp4Magnitudes, +8)},
	E2M1SP:  {name: "e2m1_sp", bits: 4, groupSize: 128, unit: .5, make: specials(fp4Magnitudes, +5)},
}
