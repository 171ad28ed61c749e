package datatype_test

import (
	"encoding"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

var (
	_ encoding.TextMarshaler   = datatype.Type(0)
	_ encoding.TextUnmarshaler = new(datatype.Type)
)

func TestParse(t *testing.T) {
	names := strings.Fields(`bitmod3 bitmod4 int2 int3 int4 int5 int6 int7 int8
		int2_asym int3_asym int4_asym int5_asym int6_asym int7_asym int8_asym
		fp3 fp4 fp5_e2m2 fp5_e3m1 fp6_e2m3 fp6_e3m2 fp3_er fp3_ea fp4_er fp4_ea
		flint4 ant3 ant4 mxfp4 nvfp4 mxfp4_razer nvfp4_razer
		nf3 nf4 sf3 sf4 apot4 apot4_sp e2m1_sr e2m1_sp`)
	seen := map[datatype.Type]bool{}
	for _, name := range names {
		typ, err := datatype.Parse(name)
		if err != nil {
			t.Error(err)
			continue
		}
		text, err := typ.MarshalText()
		var back datatype.Type
		if typ.String() != name || string(text) != name || err != nil || back.UnmarshalText(text) != nil || back != typ {
			t.Errorf("%q is %v", name, typ)
		}
		seen[typ] = true
	}
	if len(seen) != len(names) || len(datatype.Types()) != len(names) {
		t.Errorf("%d types for %d names, and Types has %d", len(seen), len(names), len(datatype.Types()))
	}
	for _, name := range []string{"", "bitmod5", "BITMOD4", "int1", "int9", "int4 "} {
		var typ datatype.Type
		_, err := datatype.Parse(name)
		if !errors.Is(err, datatype.ErrUnknown) || typ.UnmarshalText([]byte(name)) == nil {
			t.Errorf("Parse(%q): %v", name, err)
		}
	}
}

func TestInvalidType(t *testing.T) {
	bad := datatype.Type(255)
	if _, err := bad.MarshalText(); !errors.Is(err, datatype.ErrUnknown) {
		t.Errorf("MarshalText: %v", err)
	}
	if bad.Valid() || bad.Bits() != 0 || bad.Codebooks() != nil || bad.String() != "datatype.Type(255)" || bad.Unit() != 0 {
		t.Error("an invalid type has properties")
	}
}

// TestValues checks every table against its literal, by code where the order is
// fixed.
func TestValues(t *testing.T) {
	fp3 := func(sv float32) []float32 { return []float32{0, 1, 2, 4, sv, -1, -2, -4} }
	fp4 := func(sv float32) []float32 {
		return []float32{0, .5, 1, 1.5, 2, 3, 4, 6, sv, -.5, -1, -1.5, -2, -3, -4, -6}
	}
	flint := []float32{0, 1, 2, 3, 4, 6, 8, 16, 0, -1, -2, -3, -4, -6, -8, -16}
	apot := func(sv float32) []float32 {
		return []float32{0, .1, .2, .3, .4, .6, .8, 1, sv, -.1, -.2, -.3, -.4, -.6, -.8, -1}
	}
	for typ, want := range map[datatype.Type][][]float32{
		datatype.BitMoD3:    {fp3(3), fp3(-3), fp3(6), fp3(-6)},
		datatype.BitMoD4:    {fp4(5), fp4(-5), fp4(8), fp4(-8)},
		datatype.FP3ER:      {fp3(3), fp3(-3)},
		datatype.FP3EA:      {fp3(6), fp3(-6)},
		datatype.FP4ER:      {fp4(5), fp4(-5)},
		datatype.FP4EA:      {fp4(8), fp4(-8)},
		datatype.FP3:        {fp3(0)},
		datatype.FP4:        {fp4(0)},
		datatype.MXFP4:      {fp4(0)},
		datatype.NVFP4:      {fp4(0)},
		datatype.MXFP4RaZeR: {fp4(5), fp4(-5), fp4(8), fp4(-8)},
		datatype.NVFP4RaZeR: {fp4(5), fp4(-5), fp4(8), fp4(-8)},
		datatype.E2M1SR:     {fp4(8)},
		datatype.E2M1SP:     {fp4(5)},
		datatype.Flint4:     {flint},
		datatype.ANT3:       {{-3, -2, -1, 0, 1, 2, 3}, fp3(0)},
		datatype.ANT4:       {{-7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}, flint},
		datatype.APoT4:      {apot(0)},
		datatype.APoT4SP:    {apot(.5)},
		datatype.Int2:       {{-1, 0, 1}},
		datatype.Int2Asym:   {{0, 1, 2, 3}, {-1, 0, 1, 2}, {-2, -1, 0, 1}, {-3, -2, -1, 0}},
	} {
		var got [][]float32
		for _, cb := range typ.Codebooks() {
			got = append(got, cb.Values())
		}
		if !slices.EqualFunc(want, got, slices.Equal[[]float32]) {
			t.Errorf("%v has the codebooks\n%v, want\n%v", typ, got, want)
		}
	}
	for typ, want := range map[datatype.Type][]float32{ // magnitudes
		datatype.FP5E2M2: {0, .25, .5, .75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7},
		datatype.FP5E3M1: {0, .125, .25, .375, .5, .75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24},
		datatype.FP6E2M3: {0, .125, .25, .375, .5, .625, .75, .875, 1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875,
			2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 3.75, 4, 4.5, 5, 5.5, 6, 6.5, 7, 7.5},
		datatype.FP6E3M2: {0, .0625, .125, .1875, .25, .3125, .375, .4375, .5, .625, .75, .875, 1, 1.25, 1.5, 1.75,
			2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28},
	} {
		got := typ.Codebooks()[0].Values()
		for c, v := range want {
			if got[c] != v || got[len(want)+c] != -v {
				t.Errorf("%v code %d: %v and %v, want ±%v", typ, c, got[c], got[len(want)+c], v)
			}
		}
	}
	for bits := 2; bits <= 8; bits++ {
		sym, asym := datatype.Int2+datatype.Type(bits-2), datatype.Int2Asym+datatype.Type(bits-2)
		q := 1<<(bits-1) - 1
		for c, v := range sym.Codebooks()[0].Values() {
			if v != float32(c-q) {
				t.Errorf("%v code %d: %v", sym, c, v)
			}
		}
		cbs := asym.Codebooks()
		if len(cbs) != 1<<bits || sym.Codebooks()[0].Len() != 2*q+1 {
			t.Errorf("%v: %d zero-points", asym, len(cbs))
		}
		for z, cb := range cbs {
			for c, v := range cb.Values() {
				if v != float32(c-z) || cb.Len() != 1<<bits {
					t.Errorf("%v zero-point %d, code %d: %v", asym, z, c, v)
				}
			}
		}
	}
}

func TestUnit(t *testing.T) {
	for _, typ := range datatype.Types() {
		u := float64(typ.Unit())
		if u == 0 {
			continue
		}
		for _, cb := range typ.Codebooks() {
			gcd := 0.
			for _, v := range cb.Values() {
				n := float64(v) / u
				if math.Abs(n-math.Round(n)) > 1e-6 {
					t.Errorf("%v: %v is not a multiple of %v", typ, v, u)
				}
				if typ.Bits() <= 4 && math.Abs(n) > 16.1 {
					t.Errorf("%v: %v is %v units, more than the 16 that vector code has room for: leave the unit out", typ, v, n)
				}
				for b := math.Abs(math.Round(n)); b != 0; {
					gcd, b = b, math.Mod(gcd, b)
				}
			}
			if gcd != 1 {
				t.Errorf("%v: Unit %v could be %v times as large", cb, u, gcd)
			}
		}
	}
}

func TestEncodeTies(t *testing.T) {
	cb := datatype.BitMoD4.Codebooks()[0] // +5
	for _, tc := range []struct {
		x    float64
		want float32
	}{
		{.25, 0}, {-.25, -.5}, {4.5, 4}, {5.5, 5}, {-5, -6}, {2.5, 2}, {-2.5, -3}, {1e300, 6}, {-1e300, -6},
		{math.Inf(1), 6}, {math.Inf(-1), -6}, {math.Nextafter(.25, 1), .5}, {math.Nextafter(-.25, 0), 0}, {5.1, 5}, {0, 0},
	} {
		if got := cb.Value(cb.Encode(tc.x)); got != tc.want {
			t.Errorf("%v becomes %v, want %v", tc.x, got, tc.want)
		}
	}
	if c := datatype.FP4.Codebooks()[0].Encode(math.Copysign(0, -1)); c != 0 {
		t.Errorf("−0 has code %d", c)
	}
	if c := cb.Encode(math.NaN()); c != 0 {
		t.Errorf("NaN has code %d", c)
	}
}

// TestEncodeTiesToEven checks MX and NV types, whose ties go to the even code.
func TestEncodeTiesToEven(t *testing.T) {
	for _, typ := range []datatype.Type{datatype.MXFP4, datatype.NVFP4} {
		cb := typ.Codebooks()[0]
		for x, want := range map[float64]float32{
			.25: 0, .75: 1, 1.25: 1, 1.75: 2, 2.5: 2, 3.5: 4, 5: 4,
			math.Nextafter(.75, 0): .5, math.Nextafter(1.25, 2): 1.5, math.Nextafter(5, 6): 6,
		} {
			for _, sign := range []float64{1, -1} {
				if got := cb.Value(cb.Encode(sign * x)); got != float32(sign)*want {
					t.Errorf("%v: %v becomes %v, want %v", typ, sign*x, got, float32(sign)*want)
				}
			}
		}
	}
	// The code of the special value is 8, which is even, like the codes of ±4 and unlike
	// those of ±6.
	for i, ties := range []map[float64]float32{{4.5: 4, 5.5: 5}, {-4.5: -5, -5.5: -5}, {7: 8}, {-7: -8}} {
		cb := datatype.MXFP4RaZeR.Codebooks()[i]
		for x, want := range ties {
			if got := cb.Value(cb.Encode(x)); got != want {
				t.Errorf("%v: %v becomes %v, want %v", cb.Name(), x, got, want)
			}
		}
	}
}

// TestEncodeNearest checks every codebook against distances in exact arithmetic,
// at random ratios and at all multiples of 1/64.
func TestEncodeNearest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, typ := range datatype.Types() {
		for i, cb := range typ.Codebooks() {
			if typ.Asymmetric() && i%17 != 0 {
				continue
			}
			for n := range 200 {
				x := float64(n-100) / 64 * float64(cb.MaxAbs())
				if n%2 == 0 {
					x = (2*r.Float64() - 1) * float64(cb.MaxAbs())
				}
				got := float64(cb.Value(cb.Encode(x)))
				for _, v := range cb.Values() {
					v := float64(v)
					// Nearer, or as near and smaller: compare 2x with v + got. Ties of
					// MX and NV types have a test of their own.
					tie := typ.Scale() == datatype.RowStep && 2*x == v+got
					if v > got && 2*x > v+got || v < got && (2*x < v+got || tie) {
						t.Fatalf("%v: %v becomes %v, but %v is nearer", cb.Name(), x, got, v)
					}
				}
			}
		}
	}
}

func TestCodebook(t *testing.T) {
	for typ, want := range map[datatype.Type]string{
		datatype.FP3ER:    "fp3_er+3{0 1 2 4 3 -1 -2 -4}",
		datatype.ANT3:     "ant3/int3{-3 -2 -1 0 1 2 3}",
		datatype.Int2:     "int2{-1 0 1}",
		datatype.Int2Asym: "int2_asym z=0{0 1 2 3}",
		datatype.APoT4SP:  "apot4_sp+0.5{0 0.1 0.2 0.3 0.4 0.6 0.8 1 0.5 -0.1 -0.2 -0.3 -0.4 -0.6 -0.8 -1}",
	} {
		cb := typ.Codebooks()[0]
		if cb.String() != want || cb.Type() != typ {
			t.Errorf("%s, want %s", cb, want)
		}
	}
	cb := datatype.BitMoD3.Codebooks()[3]
	cb.Values()[0] = 99
	if cb.Value(0) != 0 || cb.Value(4) != -6 || cb.MaxAbs() != 6 || cb.Len() != 8 || cb.Value(8) != 0 {
		t.Errorf("%v", cb)
	}
	var zero datatype.Codebook
	if zero.Len() != 0 || zero.String() != "{}" || zero.Encode(1) != 0 || zero.Value(0) != 0 {
		t.Errorf("the zero Codebook is %v", zero)
	}
}

func TestTypeProperties(t *testing.T) {
	for _, typ := range datatype.Types() {
		cbs := typ.Codebooks()
		if n := len(cbs); n > 1<<typ.SelectorBits() || n == 0 {
			t.Errorf("%v: %d codebooks, %d selector bits", typ, n, typ.SelectorBits())
		}
		for _, cb := range cbs {
			if n := cb.Len(); n > 1<<typ.Bits() || n < 1<<typ.Bits()-1 {
				t.Errorf("%v: %d codes of %d bits", cb.Name(), n, typ.Bits())
			}
		}
	}
	if b := datatype.BitMoD4.SelectorBits(); b != 2 {
		t.Errorf("bitmod4 has %d selector bits, want 2", b)
	}
}
