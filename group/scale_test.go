package group

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/errs"
)

func TestRowScales(t *testing.T) {
	for _, tc := range []struct {
		deltas []float64
		step   float32
		scales []uint8
	}{
		{[]float64{255, 0, 1, 127.5, 128.5, 0.5, 1.5}, 1, []uint8{255, 0, 1, 128, 128, 0, 2}},
		{[]float64{0, 0}, 0, []uint8{0, 0}},
		{nil, 0, nil},
		{[]float64{1e-300}, 0, []uint8{0}},   // the step underflows
		{[]float64{0x1p-149}, 0, []uint8{0}}, // here too
		{[]float64{255 * 0x1p-149}, 0x1p-149, []uint8{255}},
		{[]float64{1.4 * 255 * 0x1p-149}, 0x1p-149, []uint8{255}}, // 357 steps, saturated
		{[]float64{math.MaxFloat32, 1}, float32(math.MaxFloat32 / 255.), []uint8{255, 0}},
	} {
		scales := make([]uint8, len(tc.deltas))
		for i := range scales {
			scales[i] = 99
		}
		if step := RowScales(scales, tc.deltas); step != tc.step || !slices.Equal(scales, tc.scales) {
			t.Errorf("RowScales(%v) is %v, %v; want %v, %v", tc.deltas, step, scales, tc.step, tc.scales)
		}
	}
}

func TestZeroScale(t *testing.T) {
	cb := datatype.FP4.Codebooks()[0]
	for _, tc := range []struct {
		w, importance []float64
		want          uint8
	}{
		{[]float64{2, 1}, nil, 0},             // with 1 they become 6, 3: 4² + 2², against 2² + 1²
		{[]float64{4, 2}, nil, 1},             // 2² + 1², against 4² + 2²
		{[]float64{3, 1.5}, nil, 0},           // the same error
		{[]float64{0, 0}, nil, 0},             // all zero
		{[]float64{4, 1}, []float64{0, 1}, 0}, // 2², against 1²
		{[]float64{4, 1}, []float64{1, 0}, 1}, // 2², against 4²
	} {
		codes := []uint8{cb.Encode(6), cb.Encode(3)}
		if tc.w[0] == 0 {
			codes = []uint8{0, 0}
		}
		if got := ZeroScale(cb, codes, tc.w, tc.importance, 1); got != tc.want {
			t.Errorf("%v, importance %v: %d, want %d", tc.w, tc.importance, got, tc.want)
		}
	}
}

func TestTensorScale(t *testing.T) {
	if s := TensorScale(datatype.BitMoD4, 12); s != 1 {
		t.Errorf("bitmod4: %v", s)
	}
	for _, typ := range []datatype.Type{datatype.NVFP4, datatype.NVFP4RaZeR} {
		if s := TensorScale(typ, 6*448*3); s != 3 {
			t.Errorf("%v: %v, want 3", typ, s)
		}
	}
}

// TestMX checks scale and saturation against OCP MX v1.0, by hand.
func TestMX(t *testing.T) {
	s, err := NewSelector(datatype.MXFP4)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]uint8, 4)
	// floor(log2 15.9) − 2 = 1: the largest weight is 7.95 scales, and saturates.
	c, err := s.Select(codes, []float64{15.9, -4, 0.5, 0.6}, nil, 1)
	if err != nil || c.Scale != 128 || c.Delta != 2 || !slices.Equal(codes, []uint8{7, 8 + 4, 0, 1}) {
		t.Errorf("%+v %v %v", c, codes, err)
	}
}

// TestNV checks a block whose scale rounds in E4M3.
func TestNV(t *testing.T) {
	s, err := NewSelector(datatype.NVFP4)
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]uint8, 2)
	// 6.4/6 = 1.0667 rounds to 1.125: 6.4 is 5.69 scales.
	c, err := s.Select(codes, []float64{6.4, 1.125 * 2.6}, nil, 1)
	if err != nil || c.Delta != 1.125 || !slices.Equal(codes, []uint8{7, 5}) {
		t.Errorf("%+v %v %v", c, codes, err)
	}
}

func TestSelectErrors(t *testing.T) {
	s, err := NewSelector(datatype.BitMoD4)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e39, -1e39} {
		_, err1 := s.Select(make([]uint8, 3), []float64{1, 2, x}, nil, 1)
		_, err2 := Reference(datatype.BitMoD4, make([]uint8, 3), []float64{1, 2, x}, nil, 1)
		for _, err := range []error{err1, err2} {
			var we *errs.Weight
			if !errors.Is(err, ErrNotFinite) || !errors.As(err, &we) || we.Index != 2 {
				t.Errorf("weight %v: %v", x, err)
			}
		}
	}
	_, err1 := s.Select(make([]uint8, 2), make([]float64, 3), nil, 1)
	_, err2 := Reference(datatype.BitMoD4, make([]uint8, 2), make([]float64, 3), nil, 1)
	if !errors.Is(err1, ErrShape) || !errors.Is(err2, ErrShape) {
		t.Errorf("short codes: %v, %v", err1, err2)
	}
	_, err1 = NewSelector(99)
	_, err2 = Reference(99, nil, nil, nil, 1)
	if !errors.Is(err1, datatype.ErrUnknown) || !errors.Is(err2, datatype.ErrUnknown) {
		t.Errorf("type 99: %v, %v", err1, err2)
	}
	if c, err := s.Select(nil, nil, nil, 1); err != nil || c != (Choice{}) {
		t.Errorf("no weights: %+v, %v", c, err)
	}
}

func TestSelectDoesNotAllocate(t *testing.T) {
	w, codes := make([]float64, 128), make([]uint8, 128)
	w[5] = 1
	for _, typ := range datatype.Types() {
		s, err := NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Select(codes, w, nil, 1); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() { s.Select(codes, w, nil, 1) }); n != 0 {
			t.Errorf("%v: %v allocations", typ, n)
		}
	}
}
