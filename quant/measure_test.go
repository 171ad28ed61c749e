package quant_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

func TestMeasure(t *testing.T) {
	const rows, cols = 7, 300
	r := rand.New(rand.NewPCG(1, 3))
	w := normals(r, rows*cols)
	m, err := quant.Group(w, cols, quant.Config{Type: datatype.BitMoD3, GroupSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	importance := make([]float64, cols)
	for i := range importance {
		importance[i] = r.ExpFloat64()
	}
	got := make([]float32, len(w))
	if err := m.Dequantize(got); err != nil {
		t.Fatal(err)
	}
	for _, imp := range [][]float64{nil, importance} {
		rep, err := quant.Measure(w, m, imp)
		if err != nil {
			t.Fatal(err)
		}
		var noise, power, weight, worst float64
		for i := range w {
			a := 1.
			if imp != nil {
				a = imp[i%cols]
			}
			e := float64(w[i]) - float64(got[i])
			noise += a * e * e
			power += a * float64(w[i]) * float64(w[i])
			weight += a
			worst = max(worst, math.Abs(e))
		}
		near(t, "MSE", rep.MSE, noise/weight)
		near(t, "NMSE", rep.NMSE, noise/power)
		near(t, "SQNR", rep.SQNR(), 10*math.Log10(power/noise))
		near(t, "MaxError", rep.MaxError, worst)
		var mse float64
		for _, row := range rep.Rows {
			mse += row / rows
		}
		near(t, "mean of rows' MSE", mse, rep.MSE)
		groups := 0
		for _, n := range rep.Choices {
			groups += n
		}
		if len(rep.Choices) != 4 || groups != rows*m.Groups() {
			t.Errorf("groups per special value %v, want %d in all", rep.Choices, rows*m.Groups())
		}
	}
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Abs(want) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestMeasureExact(t *testing.T) {
	m, err := quant.Group(make([]float32, 100), 50, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := quant.Measure(make([]float64, 100), m, nil)
	if err != nil || rep.MSE != 0 || rep.NMSE != 0 || !math.IsInf(rep.SQNR(), 1) {
		t.Errorf("zeros: %+v, %v", rep, err)
	}
}

func TestMeasureErrors(t *testing.T) {
	m, err := quant.Group(make([]float32, 100), 50, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := make([]float32, 100)
	w[70] = float32(math.Inf(-1))
	imp := make([]float64, 50)
	imp[3] = math.NaN()
	for _, tc := range []struct {
		w    []float32
		imp  []float64
		want error
	}{
		{w[:99], nil, quant.ErrShape},
		{w, nil, quant.ErrNotFinite},
		{make([]float32, 100), imp, quant.ErrNotFinite},
		{make([]float32, 100), imp[:49], quant.ErrShape},
	} {
		if _, err := quant.Measure(tc.w, m, tc.imp); !errors.Is(err, tc.want) {
			t.Errorf("error %v, want %v", err, tc.want)
		}
	}
}
