package loops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// guardedFloats returns n floats between canaries, and a function that checks these.
func guardedFloats(t *testing.T, n int) ([]float32, func()) {
	const guard = -1234.5
	buf := slices.Repeat([]float32{guard}, n+32)
	return buf[16 : 16+n : 16+n], func() {
		t.Helper()
		for i, v := range buf {
			if (i < 16 || i >= 16+n) && v != guard {
				t.Fatalf("float %d of %d is written", i-16, n)
			}
		}
	}
}

// forFloatSets runs a test for the sets that have float mode.
func forFloatSets(t *testing.T, f func(t *testing.T, s *Set)) {
	forSets(t, func(t *testing.T, s *Set) {
		if s.FloatFinish == nil {
			t.Skip("it has no float mode")
		}
		f(t, s)
	})
}

// fma returns a·b + c rounded once, for numbers as those of short.
func fma(a, b, c float32) float32 {
	return float32(math.FMA(float64(a), float64(b), float64(c)))
}

// short returns a number of few bits: float64 has the sum of a product of two and a
// float32 exactly.
func short(r *rand.Rand) float32 { return float32(r.IntN(1<<12)-1<<11) / 64 }

// TestFloats compares the functions with the definition of FloatArgs.
func TestFloats(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(9, 10))
		for mode := range s.Floats {
			for n, f := range s.Floats[mode] {
				if f != nil {
					testFloats(t, s, r, mode, n)
				}
			}
		}
	})
}

func testFloats(t *testing.T, set *Set, r *rand.Rand, mode, n int) {
	const groups = 5
	lanes := set.Lanes
	floats := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = short(r)
		}
		return s
	}
	sums := FloatLanes*lanes + FloatPad
	acc, check := guardedFloats(t, n*sums)
	copy(acc, floats(len(acc)))
	want := slices.Clone(acc)
	const quads, runs = 50, 4
	panel := make([]byte, quads*4*lanes)
	for i := range panel {
		panel[i] = byte(r.Uint32())
	}
	k, zeros, x := floats(groups*lanes), floats(groups*lanes), floats(runs*MaxFloats*64)
	for i := range zeros {
		zeros[i] = Widened + float32(r.IntN(256))
	}
	table := (*[64]float32)(floats(64))
	var ls []FloatLane
	var qs []FloatQuad
	for _, l := range r.Perm(FloatLanes)[:FloatLanes-1] {
		lane := FloatLane{Quads: int32(1 + r.IntN(3)), Acc: int32(4 * l * lanes)}
		ls = append(ls, lane)
		for range lane.Quads {
			q := FloatQuad{
				Panel: int32(r.IntN(quads) * 4 * lanes),
				X:     int32(r.IntN(runs)*MaxFloats*256 + 4*r.IntN(16)),
				K:     int32(r.IntN(groups) * 4 * lanes),
			}
			qs = append(qs, q)
			for v := range n {
				for row := range lanes {
					var t float32
					for c := range 4 {
						b := panel[int(q.Panel)+4*row+c]
						w := table[b%64]
						switch mode {
						case FloatsSub:
							w = Widened + float32(b) - zeros[int(q.K)/4+row]
						case FloatsTable16:
							w = table[b%16]
						}
						t = fma(w, x[int(q.X)/4+64*v+16*c], t)
					}
					to := &want[v*sums+l*lanes+row]
					*to = fma(t, k[int(q.K)/4+row], *to)
				}
			}
		}
	}
	ls = append(ls, FloatLane{})
	set.Floats[mode][n](&FloatArgs{
		Panel: &panel[0], Lanes: &ls[0], Quads: &qs[0], K: &k[0], Zeros: &zeros[0], Table: table, Acc: &acc[0], X: &x[0],
	})
	check()
	for i, v := range acc {
		if v != want[i] {
			t.Fatalf("mode %d, %d vectors: sum %d is %v, want %v", mode, n, i, v, want[i])
		}
	}
}

// TestFloatsFused shows that products are fused with sums: the last bit of a product
// is there.
func TestFloatsFused(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		panel, x := make([]byte, 4*s.Lanes), make([]float32, 64)
		k, acc := slices.Repeat([]float32{1 + 0x1p-12}, s.Lanes), make([]float32, FloatLanes*s.Lanes)
		table := &[64]float32{1, 1 + 0x1p-12}
		for row := range s.Lanes {
			panel[4*row+1] = 1
			acc[row] = -0x1p-24
		}
		x[0], x[16] = -(1 + 0x1p-11), 1+0x1p-12 // (1+2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴
		ls, qs := []FloatLane{{Quads: 1}, {}}, []FloatQuad{{}}
		s.Floats[FloatsTable16][1](&FloatArgs{
			Panel: &panel[0], Lanes: &ls[0], Quads: &qs[0], K: &k[0], Zeros: &k[0], Table: table, Acc: &acc[0], X: &x[0],
		})
		for row := range s.Lanes {
			if acc[row] != 0x1p-36 {
				t.Fatalf("row %d: %v, want 2^-36", row, acc[row])
			}
		}
	})
}

// TestFloatFinish compares the function with the definition of FloatFinishArgs.
func TestFloatFinish(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(11, 12))
		acc, outer := make([]float32, FloatLanes*s.Lanes), make([]float32, s.Lanes)
		for i := range acc {
			acc[i] = float32(r.NormFloat64())
		}
		for i := range outer {
			outer[i] = float32(r.NormFloat64())
		}
		dst, check := guardedFloats(t, s.Lanes)
		s.FloatFinish(&FloatFinishArgs{Dst: &dst[0], Acc: &acc[0], Outer: &outer[0]})
		check()
		for row, v := range dst {
			var sums [FloatLanes]float32
			for l := range sums {
				sums[l] = acc[l*s.Lanes+row]
			}
			for n := FloatLanes / 2; n > 0; n /= 2 {
				for l := range n {
					sums[l] += sums[l+n]
				}
			}
			if want := sums[0] * outer[row]; v != want {
				t.Fatalf("row %d: %v, want %v", row, v, want)
			}
		}
	})
}

// TestFloatVectors checks that there is a function for what FloatVectors returns, in
// each mode.
func TestFloatVectors(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		for n := 1; n < 100; n++ {
			v := s.FloatVectors(n)
			for mode := range s.Floats {
				if v < 1 || v > n || s.Floats[mode][v] == nil {
					t.Errorf("FloatVectors(%d) is %d, for which mode %d has no function", n, v, mode)
				}
			}
		}
	})
}

// TestFloatOffsets checks what the generator takes for the offsets of fields.
func TestFloatOffsets(t *testing.T) {
	var a FloatArgs
	var q FloatQuad
	var l FloatLane
	var e FloatFinishArgs
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"FloatArgs.Lanes", unsafe.Offsetof(a.Lanes), 8}, {"FloatArgs.Quads", unsafe.Offsetof(a.Quads), 16},
		{"FloatArgs.K", unsafe.Offsetof(a.K), 24}, {"FloatArgs.Zeros", unsafe.Offsetof(a.Zeros), 32},
		{"FloatArgs.Table", unsafe.Offsetof(a.Table), 40}, {"FloatArgs.Acc", unsafe.Offsetof(a.Acc), 48},
		{"FloatArgs.X", unsafe.Offsetof(a.X), 56},
		{"FloatQuad.X", unsafe.Offsetof(q.X), 4}, {"FloatQuad.K", unsafe.Offsetof(q.K), 8},
		{"a FloatQuad's size", unsafe.Sizeof(q), 12},
		{"FloatLane.Acc", unsafe.Offsetof(l.Acc), 4}, {"a FloatLane's size", unsafe.Sizeof(l), 8},
		{"FloatFinishArgs.Acc", unsafe.Offsetof(e.Acc), 8}, {"FloatFinishArgs.Outer", unsafe.Offsetof(e.Outer), 16},
		{"FloatLanes", FloatLanes, 32}, {"FloatPad", FloatPad, 48},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the generator takes %d", f.name, f.got, f.want)
		}
	}
}
