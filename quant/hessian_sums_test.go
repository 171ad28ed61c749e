package quant

import (
	"errors"
	"math"
	"reflect"
	"testing"
)

func TestHessianOf(t *testing.T) {
	h, err := NewHessian(3)
	if err == nil {
		err = h.Add([]float32{1, -2, 3, 4, 5, -6})
	}
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewHessianOf(3, 2, h.Sums())
	if err != nil || !reflect.DeepEqual(h, again) {
		t.Errorf("%v, want %v, %v", again, h, err)
	}
	if want := []float64{17, 18, -21, 29, -36, 45}; !reflect.DeepEqual(h.Sums(), want) {
		t.Errorf("sums %v, want %v", h.Sums(), want)
	}
	for _, x := range []struct {
		cols, vectors int
		sums          []float64
		want          error
	}{
		{0, 1, nil, ErrShape},
		{1 << 17, 1, nil, ErrShape},
		{2, -1, make([]float64, 3), ErrShape},
		{2, 1, make([]float64, 4), ErrShape},
		{2, 1, []float64{1, math.NaN(), 1}, ErrNotFinite},
		{2, 1, []float64{1, -1, -1}, ErrNotFinite},
		{2, 1, []float64{1, -1, math.Inf(1)}, ErrNotFinite},
	} {
		if _, err := NewHessianOf(x.cols, x.vectors, x.sums); !errors.Is(err, x.want) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}
