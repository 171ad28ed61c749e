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

// TestWiden compares the functions with the definition of WidenArgs.
func TestWiden(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(7, 8))
		for mode, f := range s.Widen {
			for _, quads := range []int{1, 2, 5, 32} {
				panel := make([]byte, quads*4*s.Band)
				for i := range panel {
					panel[i] = byte(r.Uint32())
				}
				var table [64]float32
				for i := range table {
					table[i] = float32(r.NormFloat64())
				}
				sub := make([]float32, s.Band)
				for i := range sub {
					sub[i] = Widened + float32(r.IntN(256))
				}
				got, check := guardedFloats(t, quads*4*s.Band)
				f(&WidenArgs{Panel: &panel[0], Dst: &got[0], Quads: quads, Sub: &sub[0], Table: &table})
				check()
				for col := range 4 * quads {
					for row := range s.Band {
						b := panel[col/4*4*s.Band+4*row+col%4]
						var want float32
						switch mode {
						case WidenSub:
							want = float32(Widened+int(b)) - sub[row]
						case WidenTable16:
							want = table[b%16]
						case WidenTable64:
							want = table[b%64]
						}
						if v := got[col*s.Band+row]; v != want {
							t.Fatalf("mode %d, %d quads, column %d, row %d: %v, want %v", mode, quads, col, row, v, want)
						}
					}
				}
			}
		}
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
		for n, f := range s.Floats {
			if f != nil {
				testFloats(t, s, r, n)
			}
		}
	})
}

func testFloats(t *testing.T, set *Set, r *rand.Rand, n int) {
	const cols, groups = 3 * 128, 5
	floats := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = short(r)
		}
		return s
	}
	band := r.IntN(PanelRows/set.Band) * set.Band
	panel, k := floats(cols*set.Band), floats(groups*PanelRows)
	acc, check := guardedFloats(t, n*FloatSums)
	copy(acc, floats(len(acc)))
	want := slices.Clone(acc)
	// In another order than the columns'.
	var segs []FloatSegment
	for at := cols - 16; at >= 0; at -= 16 {
		for part := 0; part < 4; {
			quads := 1 + r.IntN(4-part)
			col := at + 4*part
			segs = append(segs, FloatSegment{
				Quads: int32(quads), Panel: int32(col * 4 * set.Band), X: int32(col/64*256 + col%64/4*4),
				K: int32(r.IntN(groups) * 4 * PanelRows), Lane: int32(col % 128 / 4 * 4 * PanelRows),
			})
			part += quads
		}
	}
	args := FloatArgs{Panel: &panel[0], Segments: &append(segs, FloatSegment{})[0], K: &k[band], Acc: &acc[band]}
	for v := range n {
		x := floats(cols)
		args.X[v] = &x[0]
		for _, s := range segs {
			for i := range int(s.Quads) {
				for row := range set.Band {
					var t float32
					for j := range 4 {
						w := panel[int(s.Panel)/4+(4*i+j)*set.Band+row]
						t = fma(w, x[int(s.X)/4+16*j+i], t)
					}
					to := &want[v*FloatSums+int(s.Lane)/4+i*PanelRows+band+row]
					*to = fma(t, k[int(s.K)/4+band+row], *to)
				}
			}
		}
	}
	set.Floats[n](&args)
	check()
	for i, v := range acc {
		if v != want[i] {
			t.Fatalf("%d vectors: sum %d is %v, want %v", n, i, v, want[i])
		}
	}
}

// TestFloatsFused shows that products are fused with sums: the last bit of a product
// is there.
func TestFloatsFused(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		panel, x := make([]float32, 4*s.Band), make([]float32, 64)
		k, acc := slices.Repeat([]float32{1 + 0x1p-12}, PanelRows), make([]float32, FloatSums)
		for row := range s.Band {
			panel[row], panel[s.Band+row] = 1, 1+0x1p-12
			acc[row] = -0x1p-24
		}
		x[0], x[16] = -(1 + 0x1p-11), 1+0x1p-12 // (1+2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴
		segs := []FloatSegment{{Quads: 1}, {}}
		s.Floats[1](&FloatArgs{Panel: &panel[0], Segments: &segs[0], K: &k[0], Acc: &acc[0], X: [MaxVectors]*float32{&x[0]}})
		for row := range s.Band {
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
		acc, outer := make([]float32, FloatSums), make([]float32, PanelRows)
		for i := range acc {
			acc[i] = float32(r.NormFloat64())
		}
		for i := range outer {
			outer[i] = float32(r.NormFloat64())
		}
		dst, check := guardedFloats(t, PanelRows)
		s.FloatFinish(&FloatFinishArgs{Dst: &dst[0], Acc: &acc[0], Outer: &outer[0]})
		check()
		for row, v := range dst {
			var sums [FloatLanes]float32
			for l := range sums {
				sums[l] = acc[l*PanelRows+row]
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

// TestFloatOffsets checks what the generator takes for the offsets of fields.
func TestFloatOffsets(t *testing.T) {
	var w WidenArgs
	var f FloatArgs
	var s FloatSegment
	var e FloatFinishArgs
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"WidenArgs.Dst", unsafe.Offsetof(w.Dst), 8}, {"WidenArgs.Quads", unsafe.Offsetof(w.Quads), 16},
		{"WidenArgs.Sub", unsafe.Offsetof(w.Sub), 24}, {"WidenArgs.Table", unsafe.Offsetof(w.Table), 32},
		{"FloatArgs.Segments", unsafe.Offsetof(f.Segments), 8}, {"FloatArgs.K", unsafe.Offsetof(f.K), 16},
		{"FloatArgs.Acc", unsafe.Offsetof(f.Acc), 24}, {"FloatArgs.X", unsafe.Offsetof(f.X), 32},
		{"FloatSegment.Panel", unsafe.Offsetof(s.Panel), 4}, {"FloatSegment.X", unsafe.Offsetof(s.X), 8},
		{"FloatSegment.K", unsafe.Offsetof(s.K), 12}, {"FloatSegment.Lane", unsafe.Offsetof(s.Lane), 16},
		{"a FloatSegment's size", unsafe.Sizeof(s), 24},
		{"FloatFinishArgs.Acc", unsafe.Offsetof(e.Acc), 8}, {"FloatFinishArgs.Outer", unsafe.Offsetof(e.Outer), 16},
		{"bytes of FloatSums", 4 * FloatSums, 4 * 64 * 35},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the generator takes %d", f.name, f.got, f.want)
		}
	}
}
