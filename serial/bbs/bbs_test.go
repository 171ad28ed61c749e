package bbs

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/dirtest"
)

// bellShaped returns n INT8 weights like those of a trained layer.
func bellShaped(r *rand.Rand, n int, sigma float64) []int8 {
	w := make([]int8, n)
	for i := range w {
		w[i] = int8(min(max(math.Round(r.NormFloat64()*sigma), -128), 127))
	}
	return w
}

func ones(n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

func randomInt8(r *rand.Rand, n int) []int8 {
	x := make([]int8, n)
	for i := range x {
		x[i] = int8(r.Uint32())
	}
	return x
}

// columnBytes returns the bytes of the bit columns alone. The paper's sizes, 1.29× and
// 1.66× smaller, count only these: 8/(0.9·6 + 0.1·8) and 8/(0.8·4 + 0.2·8). With the
// metadata byte of every 32 weights they would be 1.25× and 1.60×.
func columnBytes(m *Matrix) int {
	n := len(m.data)
	for _, s := range m.sensitive {
		if !s {
			n -= (m.cols + groupSize - 1) / groupSize
		}
	}
	return n
}

// prunedGroup is the definition of both methods on one group, by values rather than bits.
func prunedGroup(w []int8, c Config) []int {
	fit := func(w []int) (redundant, low int) {
		for redundant < min(maxRedundant, c.Columns) {
			half := 1 << (6 - redundant) // one bit less than now
			for _, v := range w {
				if v < -half || v >= half {
					return redundant, c.Columns - redundant
				}
			}
			redundant++
		}
		return redundant, c.Columns - redundant
	}
	out, in := make([]int, len(w)), make([]int, len(w))
	if c.Method == RoundedAveraging {
		for i, v := range w {
			in[i] = int(v)
		}
		_, low := fit(in)
		step, sum := 1<<low, 0
		for _, v := range in {
			sum += (v%step + step) % step
		}
		mean := int(math.RoundToEven(float64(sum) / float64(len(w))))
		for i, v := range in {
			out[i] = v - (v%step+step)%step + mean
		}
		return out
	}
	best := math.Inf(1)
	for add := -32; add < 32; add++ {
		for i, v := range w {
			in[i] = min(max(int(v)+add, -128), 127)
		}
		redundant, low := fit(in)
		step := 1 << low
		lo, hi := -(128 >> redundant), 128>>redundant-step
		try, err := make([]int, len(w)), 0.
		for i, v := range in {
			q := int(math.Floor(float64(v)/float64(step)+.5)) * step
			try[i] = min(max(q, lo), hi) - add
			err += float64((try[i] - int(w[i])) * (try[i] - int(w[i])))
		}
		if err < best {
			best = err
			copy(out, try)
		}
	}
	return out
}

func TestCompress(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 1))
	for _, method := range []Method{RoundedAveraging, ZeroPointShifting} {
		for columns := 1; columns <= 6; columns++ {
			for _, cols := range []int{1, 3, 8, 13, 32, 40, 96} {
				const rows = 5
				w := bellShaped(r, rows*cols, math.Ldexp(1, r.IntN(8)))
				w[0] = -128
				c := Config{method, columns, 0}
				b, err := Compress(w, cols, ones(rows), c)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]int16, len(w))
				if err := b.Decompress(got); err != nil {
					t.Fatal(err)
				}
				for row := range rows {
					for lo := 0; lo < cols; lo += groupSize {
						hi := min(lo+groupSize, cols)
						for i, want := range prunedGroup(w[row*cols+lo:row*cols+hi], c) {
							if int(got[row*cols+lo+i]) != want {
								t.Fatalf("%v, %d columns: weight %d of %v is %d, want %d", method, columns, i, w[row*cols+lo:row*cols+hi], got[row*cols+lo+i], want)
							}
						}
					}
				}
				testProduct(t, r, b, got)
			}
		}
	}
}

func testProduct(t *testing.T, r *rand.Rand, b *Matrix, w []int16) Stats {
	t.Helper()
	x, dst := randomInt8(r, b.Cols()), make([]int64, b.Rows())
	st, err := b.GEMV(dst, x)
	if err != nil {
		t.Fatal(err)
	}
	for row := range b.Rows() {
		var want int64
		for i, a := range x {
			want += int64(a) * int64(w[row*b.Cols()+i])
		}
		if dst[row] != want {
			t.Fatalf("row %d of %+v: %d, want %d", row, b.config, dst[row], want)
		}
	}
	if 2*st.Worked > st.Bits {
		t.Errorf("%+v: more than half of the bits worked on", st)
	}
	return st
}

// TestKeeps checks that a group with small enough weights loses nothing, and that rows
// with large scales are left alone.
func TestKeeps(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 1))
	small := make([]int8, 4*32)
	for i := range small {
		small[i] = int8(r.IntN(32) - 16) // three redundant columns
	}
	for _, method := range []Method{RoundedAveraging, ZeroPointShifting} {
		for columns := 1; columns <= 3; columns++ {
			b, err := Compress(small, 32, ones(4), Config{method, columns, 0})
			if err != nil {
				t.Fatal(err)
			}
			got := make([]int16, len(small))
			b.Decompress(got)
			for i, v := range small {
				if got[i] != int16(v) {
					t.Fatalf("%v, %d columns: weight %d is %d, want %d", method, columns, i, got[i], v)
				}
			}
			if want := 4*(1+4*(8-columns)) + 1; b.Bytes() != want || columnBytes(b) != want-5 {
				t.Errorf("%v, %d columns: %d bytes (%d of columns), want %d (%d)", method, columns, b.Bytes(), columnBytes(b), want, want-5)
			}
		}
	}
	const rows, cols = 100, 64
	w, scales := bellShaped(r, rows*cols, 30), make([]float32, rows)
	for i := range scales {
		scales[i] = float32(i * 37 % 100) // a permutation
	}
	b, err := Compress(w, cols, scales, Config{ZeroPointShifting, 4, .28}) // 28: rounded to 32
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int16, len(w))
	b.Decompress(got)
	for row, s := range scales {
		same := true
		for i := range cols {
			same = same && got[row*cols+i] == int16(w[row*cols+i])
		}
		if same != (s >= 68) {
			t.Errorf("row with scale %v: kept %v", s, same)
		}
	}
	testProduct(t, r, b, got)
}

// TestSizes compares with the paper's sizes, for a matrix whose channels divide evenly.
// In bit columns, the sizes are exactly 8/6.2 and 8/4.8, which are 1.29× and 1.66×. With
// metadata they are less.
func TestSizes(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 1))
	const rows, cols = 320, 256
	w := bellShaped(r, rows*cols, 30)
	for _, c := range []struct {
		config        Config
		columns, real float64
	}{
		{Conservative(), 8 / 6.2, 8 / (.9*6.25 + .1*8)},
		{Moderate(), 8 / 4.8, 8 / (.8*4.25 + .2*8)},
	} {
		b, err := Compress(w, cols, ones(rows), c.config)
		if err != nil {
			t.Fatal(err)
		}
		if got := rows * cols / float64(columnBytes(b)); math.Abs(got-c.columns) > 1e-9 {
			t.Errorf("%v: columns %.4f× smaller, want %.4f×", c.config, got, c.columns)
		}
		if got := rows * cols / float64(b.Bytes()-rows/8); math.Abs(got-c.real) > 1e-9 {
			t.Errorf("%v: %.4f× smaller, want %.4f×", c.config, got, c.real)
		}
	}
}

// TestRealWeights checks on trained weights that at least half of the bits can be
// skipped, and that the two settings have the sizes of the paper.
func TestRealWeights(t *testing.T) {
	t.Run("tinylm", func(t *testing.T) { testRealWeights(t, realTensors(t, "../../internal/tinylm/model.safetensors")) })
	t.Run("dtln", func(t *testing.T) { testRealWeights(t, realTensors(t, dirtest.Data(t, "dtln.safetensors"))) })
}

func testRealWeights(t *testing.T, tensors []tensor) {
	r := rand.New(rand.NewPCG(24, 1))
	var sparse8, sparse32 Sparsity
	type total struct {
		plain, columns, real int
		stats                Stats
		err, norm            float64
	}
	settings := []Config{Conservative(), Moderate()}
	totals := make([]total, len(settings))
	for i, m := range tensors {
		if testing.Short() && i%4 != 0 {
			continue
		}
		w, scales := int8PerChannel(m.data, m.cols)
		for _, s := range []struct {
			sum     *Sparsity
			weights int
		}{{&sparse8, 8}, {&sparse32, groupSize}} {
			one, err := Measure(w, s.weights)
			if err != nil {
				t.Fatal(err)
			}
			if 2*one.Skippable < one.Bits {
				t.Errorf("%s: %d of %d bits skippable", m.name, one.Skippable, one.Bits)
			}
			s.sum.Bits += one.Bits
			s.sum.Zeros += one.Zeros
			s.sum.Skippable += one.Skippable
		}
		for i, c := range settings {
			b, err := Compress(w, m.cols, scales, c)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]int16, len(w))
			b.Decompress(got)
			st := testProduct(t, r, b, got)
			sum := &totals[i]
			sum.plain += len(w)
			sum.columns += columnBytes(b)
			sum.real += b.Bytes()
			sum.stats.Cycles += st.Cycles
			sum.stats.Booth += st.Booth
			sum.stats.Bits += st.Bits
			sum.stats.Worked += st.Worked
			for k, v := range w {
				sum.err += float64((got[k] - int16(v)) * (got[k] - int16(v)))
				sum.norm += float64(v) * float64(v)
			}
		}
	}
	t.Logf("zeros %.1f %%; skippable in columns of 8 %.1f %%, of 32 %.1f %%",
		100*float64(sparse8.Zeros)/float64(sparse8.Bits),
		100*float64(sparse8.Skippable)/float64(sparse8.Bits),
		100*float64(sparse32.Skippable)/float64(sparse32.Bits))
	for i, want := range []float64{1.29, 1.66} {
		s := totals[i]
		columns, real := float64(s.plain)/float64(s.columns), float64(s.plain)/float64(s.real)
		t.Logf("%v, %d columns: %.3f× smaller in columns (paper %.2f×), %.3f× with metadata; %.1f %% of the bits left are skipped; %.2f× fewer cycles than Booth; error %.2f %% of the weights' norm",
			settings[i].Method, settings[i].Columns, columns, want, real,
			100*(1-float64(s.stats.Worked)/float64(s.stats.Bits)),
			float64(s.stats.Booth)/float64(s.stats.Cycles), 100*math.Sqrt(s.err/s.norm))
		// Channels are left alone in multiples of 32 of 128…512, so not exactly 10 % and
		// 20 % of them.
		if math.Abs(columns/want-1) > .05 {
			t.Errorf("%v: %.3f× smaller, want %.2f×", settings[i], columns, want)
		}
	}
}

func TestMeasure(t *testing.T) {
	for _, c := range []struct {
		w    []int8
		n    int
		want Sparsity
	}{
		{nil, 8, Sparsity{}},
		{[]int8{0, 0, 0}, 8, Sparsity{24, 24, 24}},
		{[]int8{-1, -1, -1}, 8, Sparsity{24, 0, 24}},
		{[]int8{-1, 0}, 2, Sparsity{16, 8, 8}},
		{[]int8{-1, 0}, 1, Sparsity{16, 8, 16}},
		{[]int8{3, 1, 1, -128}, 4, Sparsity{32, 27, 29}}, // 1, 3 and 1 ones
	} {
		if got, err := Measure(c.w, c.n); err != nil || got != c.want {
			t.Errorf("%v by %d: %+v, %v, want %+v", c.w, c.n, got, err, c.want)
		}
	}
	if _, err := Measure(nil, 0); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	w := make([]int8, 64)
	for name, c := range map[string]struct {
		w      []int8
		cols   int
		scales []float32
		config Config
		want   error
	}{
		"empty":     {nil, 32, nil, Moderate(), ErrShape},
		"cols":      {w, 0, ones(2), Moderate(), ErrShape},
		"ragged":    {w, 63, ones(1), Moderate(), ErrShape},
		"scales":    {w, 32, ones(3), Moderate(), ErrShape},
		"columns":   {w, 32, ones(2), Config{}, ErrConfig},
		"7 columns": {w, 32, ones(2), Config{Columns: 7}, ErrConfig},
		"method":    {w, 32, ones(2), Config{Method: 2, Columns: 2}, ErrConfig},
		"sensitive": {w, 32, ones(2), Config{Columns: 2, Sensitive: math.NaN()}, ErrConfig},
	} {
		if b, err := Compress(c.w, c.cols, c.scales, c.config); !errors.Is(err, c.want) || b != nil || !strings.HasPrefix(err.Error(), "bbs: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := Compress(w, 32, ones(2), Moderate())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Decompress(make([]int16, 63)); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	if _, err := b.GEMV(make([]int64, 2), make([]int8, 31)); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
	if _, err := b.GEMV(make([]int64, 1), make([]int8, 32)); !errors.Is(err, ErrShape) {
		t.Error(err)
	}
}

func FuzzBBS(f *testing.F) {
	f.Add([]byte("0123456789abcdef0123456789abcdef!"), uint8(3), uint8(4), true)
	f.Add([]byte{0x80, 0x7f, 0, 0xff}, uint8(1), uint8(6), false)
	f.Fuzz(func(t *testing.T, data []byte, rows, columns uint8, shift bool) {
		n := max(int(rows%8), 1)
		cols := len(data) / n
		if cols == 0 {
			return
		}
		w := make([]int8, n*cols)
		for i := range w {
			w[i] = int8(data[i])
		}
		c := Config{RoundedAveraging, 1 + int(columns%6), 0}
		if shift {
			c.Method = ZeroPointShifting
		}
		b, err := Compress(w, cols, make([]float32, n), c)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]int16, len(w))
		if err := b.Decompress(got); err != nil {
			t.Fatal(err)
		}
		for row := range n {
			for lo := 0; lo < cols; lo += groupSize {
				hi := min(lo+groupSize, cols)
				for i, want := range prunedGroup(w[row*cols+lo:row*cols+hi], c) {
					if int(got[row*cols+lo+i]) != want {
						t.Fatalf("row %d, column %d: %d, want %d", row, lo+i, got[row*cols+lo+i], want)
					}
				}
			}
		}
		testProduct(t, rand.New(rand.NewPCG(1, uint64(len(data)))), b, got)
	})
}
