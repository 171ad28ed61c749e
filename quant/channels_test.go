package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// calibrated returns weights, and correlated inputs with some columns much larger than
// others.
func calibrated(t testing.TB, rows, cols, vectors int, seed uint64) (w, x []float32, h *Hessian) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 11))
	w, x = make([]float32, rows*cols), make([]float32, vectors*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	for v := range vectors {
		common := r.NormFloat64()
		for i := range cols {
			x[v*cols+i] = float32((r.NormFloat64() + common) * (0.1 + float64(i%7)))
			if i%16 == 3 {
				x[v*cols+i] *= 20
			}
		}
	}
	h, err := NewHessian(cols)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Add(x); err != nil {
		t.Fatal(err)
	}
	return w, x, h
}

// outputs returns the mean over the vectors of the squared error of each row's output,
// from the vectors themselves; s, if not nil, scales columns.
func outputs(t *testing.T, w, x []float32, m *Matrix, s []float32) []float64 {
	t.Helper()
	got := make([]float32, len(w))
	if err := m.Dequantize(got); err != nil {
		t.Fatal(err)
	}
	errs := make([]float64, m.Rows())
	vectors := len(x) / m.Cols()
	for row := range errs {
		for v := range vectors {
			d := 0.0
			for i := range m.Cols() {
				y := float64(got[row*m.Cols()+i])
				if s != nil {
					y /= float64(s[i])
				}
				d += (float64(w[row*m.Cols()+i]) - y) * float64(x[v*m.Cols()+i])
			}
			errs[row] += d * d / float64(vectors)
		}
	}
	return errs
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(math.Abs(a)+math.Abs(b)) }

func TestOutputErrors(t *testing.T) {
	for _, s := range []struct{ rows, cols int }{{1, 1}, {3, 9}, {4, 64}, {13, 100}} {
		w, x, h := calibrated(t, s.rows, s.cols, 50, 1)
		m, err := Group(w, s.cols, Config{Type: datatype.BitMoD3, GroupSize: 32})
		if err != nil {
			t.Fatal(err)
		}
		got, err := OutputErrors(w, m, h)
		if err != nil {
			t.Fatal(err)
		}
		for row, want := range outputs(t, w, x, m, nil) {
			if !near(got[row], want) {
				t.Errorf("%v, row %d: error %v, want %v", m, row, got[row], want)
			}
		}
	}
}

func TestChannelScales(t *testing.T) {
	const rows, cols = 9, 70
	w, x, h := calibrated(t, rows, cols, 60, 2)
	ties := make([]int, cols)
	for i := range ties {
		ties[i] = i % 35
	}
	for _, ties := range [][]int{nil, ties} {
		for _, c := range []Config{{Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.Int4Asym, Importance: h.Importance()}} {
			got, err := ChannelScales(w, cols, c, h, ties)
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range got.Scales {
				if ties != nil && s != got.Scales[ties[i]] {
					t.Errorf("columns %d and %d have the scales %v and %v", i, ties[i], s, got.Scales[ties[i]])
				}
			}
			// A caller's matrices have these errors.
			total := func(s []float32) float64 {
				c := c
				scaled := slices.Clone(w)
				if s != nil {
					for i := range scaled {
						scaled[i] *= s[i%cols]
					}
					if c.Importance != nil {
						c.Importance = slices.Clone(c.Importance)
						for i := range c.Importance {
							c.Importance[i] /= float64(s[i]) * float64(s[i])
						}
					}
				}
				m, err := Group(scaled, cols, c)
				if err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for _, e := range outputs(t, w, x, m, s) {
					sum += e
				}
				return sum
			}
			if want := total(nil); !near(got.Unscaled, want) {
				t.Errorf("%v: error without scales %v, want %v", c.Type, got.Unscaled, want)
			}
			if want := total(got.Scales); !near(got.Error, want) {
				t.Errorf("%v: error with scales %v, want %v", c.Type, got.Error, want)
			}
			// These inputs have columns that gain from scales.
			if !(got.Error < got.Unscaled) || got.Alpha == 0 {
				t.Errorf("%v: error %v with α = %v, %v without", c.Type, got.Error, got.Alpha, got.Unscaled)
			}
			c.Workers = 1
			if again, err := ChannelScales(w, cols, c, h, ties); err != nil || again.Error != got.Error || !slices.Equal(again.Scales, got.Scales) {
				t.Errorf("%v: something else with one worker, error %v", c.Type, err)
			}
		}
	}
	// If all inputs are alike, scales are 1. A column without inputs gets 1.
	flat, err := NewHessian(4)
	if err != nil {
		t.Fatal(err)
	}
	if err := flat.Add([]float32{1, -1, 1, 0}); err != nil {
		t.Fatal(err)
	}
	got, err := ChannelScales([]float32{1, 2, 3, 4}, 4, Config{}, flat, nil)
	if err != nil || !slices.Equal(got.Scales, []float32{1, 1, 1, 1}) || got.Alpha != 0 {
		t.Errorf("scales %v, error %v", got, err)
	}
}

// With feedback, scales are those with the least error after it on other inputs.
func TestChannelScalesFeedback(t *testing.T) {
	const rows, cols = 40, 64
	w, _, h := calibrated(t, rows, cols, 200, 2)
	_, x, held := calibrated(t, rows, cols, 150, 5)
	c := Config{Type: datatype.BitMoD3, GroupSize: 32, Search: true, Feedback: &Feedback{Hessian: h, ActOrder: true}}
	got, err := ChannelScales(w, cols, c, held, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Feedback.Hessian != h {
		t.Error("the configuration has changed")
	}
	total := func(s []float32) float64 {
		scaled := slices.Clone(w)
		for i := range scaled {
			scaled[i] *= s[i%cols]
		}
		divided, err := h.Divide(s)
		if err != nil {
			t.Fatal(err)
		}
		c := c
		c.Feedback = &Feedback{Hessian: divided, ActOrder: true}
		m, err := Group(scaled, cols, c)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, e := range outputs(t, w, x, m, s) {
			sum += e
		}
		return sum
	}
	ones := slices.Repeat([]float32{1}, cols)
	least, alpha := total(ones), 0.
	if !near(got.Unscaled, least) {
		t.Errorf("error without scales %v, want %v", got.Unscaled, least)
	}
	a, err := amplitudes(held, nil)
	if err != nil {
		t.Fatal(err)
	}
	for exponent := 2; exponent <= 8; exponent += 2 {
		if e := total(channelPowers(a, exponent)); e < least {
			least, alpha = e, float64(exponent)/channelExponents
		}
	}
	if !near(got.Error, least) || got.Alpha != alpha {
		t.Errorf("error %v with α = %v, want %v with %v", got.Error, got.Alpha, least, alpha)
	}
	t.Logf("α = %v: error %.3f times what it was", got.Alpha, got.Error/got.Unscaled)
}

func TestChannelPower(t *testing.T) {
	for exponent := range channelExponents + 1 {
		for _, x := range []float64{1e-20, 0.3, 1, 77} {
			want := math.Pow(x, float64(exponent)/channelExponents)
			if got := channelPower(x, exponent); math.Abs(got-want) > 1e-14*want {
				t.Errorf("%v to the power %d/%d: %v, want %v", x, exponent, channelExponents, got, want)
			}
		}
	}
}

// Dividing a Hessian equals dividing the vectors.
func TestDivide(t *testing.T) {
	_, x, h := calibrated(t, 1, 12, 30, 3)
	s := make([]float32, 12)
	for i := range s {
		s[i] = float32(int(1) << (i % 5)) // powers of two: no rounding
	}
	for i := range x {
		x[i] /= s[i%12]
	}
	want, err := NewHessian(12)
	if err != nil {
		t.Fatal(err)
	}
	if err := want.Add(x); err != nil {
		t.Fatal(err)
	}
	got, err := h.Divide(s)
	if err != nil {
		t.Fatal(err)
	}
	if got.Vectors() != 30 || !slices.Equal(got.sums, want.sums) {
		t.Error("not the Hessian of the divided vectors")
	}
}

func TestChannelErrors(t *testing.T) {
	w, _, h := calibrated(t, 4, 8, 20, 4)
	bad := slices.Clone(w)
	bad[9] = float32(math.NaN())
	empty, err := NewHessian(8)
	if err != nil {
		t.Fatal(err)
	}
	scales := func(w []float32, cols int, c Config, h *Hessian, ties []int) error {
		_, err := ChannelScales(w, cols, c, h, ties)
		return err
	}
	m, err := Group(w, 8, Config{})
	if err != nil {
		t.Fatal(err)
	}
	output := func(w []float32, m *Matrix, h *Hessian) error {
		_, err := OutputErrors(w, m, h)
		return err
	}
	divide := func(s ...float32) error {
		_, err := h.Divide(s)
		return err
	}
	nan := float32(math.NaN())
	for name, test := range map[string]struct{ got, want error }{
		"no columns":           {scales(w, 0, Config{}, h, nil), ErrShape},
		"no weights":           {scales(nil, 8, Config{}, h, nil), ErrShape},
		"half a row":           {scales(w[:9], 8, Config{}, h, nil), ErrShape},
		"no Hessian":           {scales(w, 8, Config{}, nil, nil), ErrShape},
		"other columns":        {scales(w, 4, Config{}, h, nil), ErrShape},
		"no vectors":           {scales(w, 8, Config{}, empty, nil), ErrShape},
		"ties":                 {scales(w, 8, Config{}, h, make([]int, 7)), ErrShape},
		"tie":                  {scales(w, 8, Config{}, h, []int{0, 0, 0, 0, 0, 0, 0, 8}), ErrShape},
		"importance":           {scales(w, 8, Config{Importance: make([]float64, 7)}, h, nil), ErrShape},
		"type":                 {scales(w, 8, Config{Type: 255}, h, nil), datatype.ErrUnknown},
		"feedback":             {scales(w, 8, Config{Feedback: &Feedback{}}, h, nil), ErrShape},
		"NaN":                  {scales(bad, 8, Config{}, h, nil), ErrNotFinite},
		"output: zero matrix":  {output(w, &Matrix{}, h), ErrShape},
		"output: no matrix":    {output(w, nil, h), ErrShape},
		"output: weights":      {output(w[:8], m, h), ErrShape},
		"output: no Hessian":   {output(w, m, nil), ErrShape},
		"output: NaN":          {output(bad, m, h), ErrNotFinite},
		"divide: columns":      {divide(1, 1), ErrShape},
		"divide: zero":         {divide(1, 1, 1, 1, 1, 1, 1, 0), ErrNotFinite},
		"divide: not a number": {divide(1, 1, 1, 1, 1, 1, 1, nan), ErrNotFinite},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: error %v, want %v", name, test.got, test.want)
		}
	}
}
