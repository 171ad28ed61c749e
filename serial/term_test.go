package serial

import (
	"errors"
	"math"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// wantSteps is the number of terms by type, from the definition of each: Booth digits for
// integers, and two terms for types that the paper's FP3 and FP4 decoder reads.
var wantSteps = map[datatype.Type]int{
	datatype.BitMoD4: 2, datatype.BitMoD3: 2,
	datatype.Int2: 1, datatype.Int3: 2, datatype.Int4: 2, datatype.Int5: 3,
	datatype.Int6: 3, datatype.Int7: 4, datatype.Int8: 4,
	datatype.Int2Asym: 2, datatype.Int3Asym: 2, datatype.Int4Asym: 3, datatype.Int5Asym: 3,
	datatype.Int6Asym: 4, datatype.Int7Asym: 4, datatype.Int8Asym: 5,
	datatype.FP3: 2, datatype.FP4: 2, datatype.FP5E2M2: 3, datatype.FP5E3M1: 5,
	datatype.FP6E2M3: 4, datatype.FP6E3M2: 5,
	datatype.FP3ER: 2, datatype.FP3EA: 2, datatype.FP4ER: 2, datatype.FP4EA: 2,
	datatype.Flint4: 2, datatype.ANT3: 2, datatype.ANT4: 2,
	datatype.MXFP4: 2, datatype.NVFP4: 2, datatype.MXFP4RaZeR: 2, datatype.NVFP4RaZeR: 2,
	datatype.APoT4: 2, datatype.APoT4SP: 2, datatype.E2M1SR: 2, datatype.E2M1SP: 2,
}

// TestTermsSum checks that the terms of every code of every codebook of every type sum to
// its value.
func TestTermsSum(t *testing.T) {
	for _, typ := range datatype.Types() {
		steps, serial := wantSteps[typ]
		for _, cb := range typ.Codebooks() {
			tab, err := NewTable(cb)
			if !serial {
				if !errors.Is(err, ErrNotBitSerial) || tab != nil {
					t.Fatalf("NewTable(%s) = %v, %v", cb.Name(), tab, err)
				}
				if ts, err := Terms(cb, 0); ts != nil || !errors.Is(err, ErrNotBitSerial) {
					t.Fatalf("Terms(%s, 0) = %v, %v", cb.Name(), ts, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			if tab.plan.steps != steps || tab.codes() != cb.Len() {
				t.Errorf("%s: %d steps, %d codes, want %d, %d",
					cb.Name(), tab.plan.steps, tab.codes(), steps, cb.Len())
			}
			for code := range cb.Len() {
				testCode(t, cb, tab, uint8(code))
			}
			if ts := tab.Terms(uint8(cb.Len())); cb.Len() < 256 && ts != nil {
				t.Errorf("%s: Terms(%d) = %v", cb.Name(), cb.Len(), ts)
			}
		}
	}
}

func testCode(t *testing.T, cb datatype.Codebook, tab *Table, code uint8) {
	t.Helper()
	ts := tab.Terms(code)
	sum := 0.
	for i, term := range ts {
		sum += term.Value()
		if term.Man > 1 || term.Exp > 3 {
			t.Errorf("%s code %d: term %+v", cb.Name(), code, term)
		}
		if first := tab.Terms(0)[i]; term.BSig != first.BSig {
			t.Errorf("%s code %d: BSig %d in step %d, where code 0 has %d", cb.Name(), code, term.BSig, i, first.BSig)
		}
		if term.BSig < tab.LowBSig() {
			t.Errorf("%s code %d: BSig %d below %d", cb.Name(), code, term.BSig, tab.LowBSig())
		}
	}
	units := math.Round(float64(cb.Value(code)) / float64(cb.Type().Unit()))
	if tab.Scale() == 1 {
		if sum != float64(cb.Value(code)) {
			t.Errorf("%s code %d: terms %v sum to %v, want %v", cb.Name(), code, ts, sum, cb.Value(code))
		}
	} else if sum != units {
		t.Errorf("%s code %d: terms %v sum to %v, want %v units", cb.Name(), code, ts, sum, units)
	}
	got, err := Terms(cb, code)
	if tab.Scale() != 1 {
		if !errors.Is(err, ErrNotBitSerial) {
			t.Errorf("Terms(%s, %d): %v", cb.Name(), code, err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for i := range ts {
		if got[i] != ts[i] {
			t.Errorf("Terms(%s, %d) = %v, and in the table %v", cb.Name(), code, got, ts)
		}
	}
}

// TestTermsOfBitMoD has the examples of the paper and of its decoder.
func TestTermsOfBitMoD(t *testing.T) {
	for _, c := range []struct {
		typ           datatype.Type
		value         float32
		first, second float64
	}{
		{datatype.BitMoD4, .5, 0, .5},
		{datatype.BitMoD4, 1, 1, 0},
		{datatype.BitMoD4, 1.5, 1, .5},
		{datatype.BitMoD4, -2, -2, 0},
		{datatype.BitMoD4, 3, 2, 1},
		{datatype.BitMoD4, -6, -4, -2},
		{datatype.BitMoD4, 5, 4, 1},
		{datatype.BitMoD4, -5, -4, -1},
		{datatype.BitMoD4, 8, 8, 0},
		{datatype.BitMoD4, -8, -8, 0},
		{datatype.BitMoD3, 3, 2, 1},
		{datatype.BitMoD3, -6, -4, -2},
		{datatype.Flint4, 16, 16, 0},
	} {
		found := false
		for _, cb := range c.typ.Codebooks() {
			for code, v := range cb.Values() {
				if v != c.value {
					continue
				}
				found = true
				ts, err := Terms(cb, uint8(code))
				if err != nil || len(ts) != 2 || ts[0].Value() != c.first || ts[1].Value() != c.second {
					t.Errorf("%s: %v = %v (%v), want %v and %v", cb.Name(), v, ts, err, c.first, c.second)
				}
			}
		}
		if !found {
			t.Errorf("%v has no value %v", c.typ, c.value)
		}
	}
}

// TestBooth checks that every integer of every width is the sum of its digits, that each
// digit is in −2…2, and that each follows from its three bits alone.
func TestBooth(t *testing.T) {
	digit := [8]float64{0, 1, 1, 2, -2, -1, -1, 0}
	for width := 1; width <= maxBoothBits; width++ {
		half := 1 << (width - 1)
		for v := -half; v < half; v++ {
			ts, err := appendDigits(nil, v, width)
			if err != nil || len(ts) != (width+1)/2 {
				t.Fatalf("appendDigits(%d, %d) = %v, %v", v, width, ts, err)
			}
			sum := 0.
			for i, term := range ts {
				sum += term.Value()
				bits := v << 1 >> (2 * i) & 7
				if want := math.Ldexp(digit[bits], 2*i); term.Value() != want || term.BSig != int8(2*i) || term.Exp > 1 {
					t.Errorf("digit %d of %d is %+v, want %v", i, v, term, want)
				}
			}
			if sum != float64(v) {
				t.Errorf("digits of %d are %v, sum %v", v, ts, sum)
			}
		}
		for _, v := range []int{half, -half - 1, math.MaxInt, math.MinInt} {
			if _, err := appendDigits(nil, v, width); !errors.Is(err, ErrConfig) {
				t.Errorf("appendDigits(%d, %d): %v", v, width, err)
			}
		}
	}
	for _, width := range []int{-1, 0, maxBoothBits + 1, math.MaxInt} {
		if _, err := appendDigits(nil, 0, width); !errors.Is(err, ErrConfig) {
			t.Errorf("appendDigits(0, %d): %v", width, err)
		}
	}
}

func TestTermsErrors(t *testing.T) {
	cb := datatype.Int6.Codebooks()[0]
	var code *ConfigError
	if _, err := Terms(cb, 63); !errors.Is(err, ErrConfig) || !errors.As(err, &code) || code.Value != uint8(63) {
		t.Errorf("unused code: %v", err)
	}
	var typ *ConfigError
	if _, err := Terms(datatype.NF4.Codebooks()[0], 0); !errors.As(err, &typ) || !errors.Is(err, ErrNotBitSerial) || typ.Value != datatype.NF4 {
		t.Errorf("nf4: %v", err)
	}
	if _, err := Terms(datatype.Codebook{}, 0); !errors.Is(err, ErrConfig) {
		t.Errorf("empty codebook: %v", err)
	}
}

func TestTableTermsDoesNotAllocate(t *testing.T) {
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.Int8Asym, datatype.FP6E3M2} {
		tab := mustTable(t, typ.Codebooks()[0])
		if n := testing.AllocsPerRun(100, func() {
			for code := range tab.codes() {
				if len(tab.Terms(uint8(code))) != wantSteps[typ] {
					t.Fatal(code)
				}
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", typ, n)
		}
	}
}
