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

// fma returns a·b + c rounded once, for numbers like those of short.
func fma(a, b, c float32) float32 {
	return float32(math.FMA(float64(a), float64(b), float64(c)))
}

// short returns a number of so few bits that float64 holds the product of two such
// numbers, plus a float32, exactly.
func short(r *rand.Rand) float32 { return float32(r.IntN(1<<12)-1<<11) / 64 }

// randomFloats returns numbers like those of short.
func randomFloats(r *rand.Rand, n int) []float32 {
	s := make([]float32, n)
	for i := range s {
		s[i] = short(r)
	}
	return s
}

// TestWiden compares the functions with the definition of WidenArgs.
func TestWiden(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(7, 8))
		const groups, quads, n = 5, 50, 70
		panel := make([]byte, quads*4*s.Band)
		for i := range panel {
			panel[i] = byte(r.Uint32())
		}
		zeros := make([]float32, groups*PanelRows)
		for i := range zeros {
			zeros[i] = Widened + float32(r.IntN(256))
		}
		table := (*[64]float32)(randomFloats(r, 64))
		for mode := range s.Widen {
			dst, check := guardedFloats(t, n*4*s.FloatRows)
			var qs []FloatQuad
			var want []float32
			for range n {
				q := FloatQuad{Panel: int32(r.IntN(quads) * 4 * s.Band), K: int32(r.IntN(groups) * 4 * PanelRows)}
				qs = append(qs, q)
				for c := range 4 {
					for row := range s.FloatRows {
						b := panel[int(q.Panel)+4*row+c]
						want = append(want, map[int]float32{
							FloatsSub:     Widened + float32(b) - zeros[int(q.K)/4+row],
							FloatsTable16: table[b%16],
							FloatsTable64: table[b%64],
						}[mode])
					}
				}
			}
			s.Widen[mode](&WidenArgs{Dst: &dst[0], Panel: &panel[0], Quads: &qs[0], N: n, Zeros: &zeros[0], Table: table})
			check()
			for i, v := range dst {
				if v != want[i] {
					t.Fatalf("mode %d: float %d is %v, want %v", mode, i, v, want[i])
				}
			}
		}
	})
}

// TestFloats compares the functions with the definition of FloatArgs.
func TestFloats(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(9, 10))
		for n, f := range s.Floats {
			if f != nil {
				testFloats(t, s, r, n, 0)
				testFloats(t, s, r, n, 1)
			}
		}
		for mode := range s.Few {
			for n, f := range s.Few[mode] {
				if s.AreFew(n) != (f != nil || n == 0) {
					t.Errorf("mode %d: whether there is a function for %d is %v", mode, n, f != nil)
				}
				if f != nil {
					testFew(t, s, r, mode, n)
				}
			}
		}
	})
}

func testFloats(t *testing.T, set *Set, r *rand.Rand, n, fresh int) {
	const groups = 5
	rows := set.FloatRows
	acc, check := guardedFloats(t, FloatLanes*n*rows)
	copy(acc, randomFloats(r, len(acc)))
	want := slices.Clone(acc)
	if fresh != 0 {
		clear(want)
	}
	var lanes [FloatLanes]int32
	var qs []FloatQuad
	for l := range lanes {
		lanes[l] = int32(r.IntN(4))
		for range lanes[l] {
			qs = append(qs, FloatQuad{K: int32(r.IntN(groups) * 4 * PanelRows)})
		}
	}
	w, x, k := randomFloats(r, len(qs)*4*rows), randomFloats(r, len(qs)*4*n), randomFloats(r, groups*PanelRows)
	for l, q := 0, 0; l < FloatLanes; l++ {
		for range lanes[l] {
			for v := range n {
				for row := range rows {
					var t float32
					for c := range 4 {
						t = fma(w[(4*q+c)*rows+row], x[4*(n*q+v)+c], t)
					}
					to := &want[(l*n+v)*rows+row]
					*to = fma(t, k[int(qs[q].K)/4+row], *to)
				}
			}
			q++
		}
	}
	set.Floats[n](&FloatArgs{W: &w[0], X: &x[0], K: &k[0], Quads: &qs[0], Lanes: &lanes[0], N: FloatLanes, Acc: &acc[0], Fresh: fresh})
	check()
	for i, v := range acc {
		if v != want[i] {
			t.Fatalf("%d vectors: sum %d is %v, want %v", n, i, v, want[i])
		}
	}
}

// testFew compares a function of Few with the functions of Widen and Floats, which do the
// same one after the other.
func testFew(t *testing.T, set *Set, r *rand.Rand, mode, n int) {
	const groups, places = 5, 50
	panel := make([]byte, places*4*set.Band)
	for i := range panel {
		panel[i] = byte(r.Uint32())
	}
	var lanes [FloatLanes]int32
	var qs []FloatQuad
	for l := range lanes {
		lanes[l] = int32(r.IntN(4))
		for range lanes[l] {
			qs = append(qs, FloatQuad{Panel: int32(r.IntN(places) * 4 * set.Band), K: int32(r.IntN(groups) * 4 * PanelRows)})
		}
	}
	w, x, k := make([]float32, len(qs)*4*set.FloatRows), randomFloats(r, len(qs)*4*n), randomFloats(r, groups*PanelRows)
	zeros := make([]float32, groups*PanelRows)
	for i := range zeros {
		zeros[i] = Widened + float32(r.IntN(256))
	}
	table := (*[64]float32)(randomFloats(r, 64))
	for fresh := range 2 {
		acc, check := guardedFloats(t, FloatLanes*n*set.FloatRows)
		copy(acc, randomFloats(r, len(acc)))
		want := slices.Clone(acc)
		set.Widen[mode](&WidenArgs{Dst: &w[0], Panel: &panel[0], Quads: &qs[0], N: len(qs), Zeros: &zeros[0], Table: table})
		args := FloatArgs{W: &w[0], X: &x[0], K: &k[0], Quads: &qs[0], Lanes: &lanes[0], N: FloatLanes, Acc: &want[0], Fresh: fresh}
		set.Floats[n](&args)
		args.W, args.Acc, args.Panel, args.Zeros, args.Table = nil, &acc[0], &panel[0], &zeros[0], table
		set.Few[mode][n](&args)
		check()
		if !slices.Equal(acc, want) {
			t.Errorf("mode %d, %d vectors, fresh %d: other sums", mode, n, fresh)
		}
	}
}

// TestFloatsFused checks that products are fused with sums: the last bit of a product has
// an effect.
func TestFloatsFused(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		rows := s.FloatRows
		w, x := make([]float32, 4*rows), []float32{-(1 + 0x1p-11), 1 + 0x1p-12, 0, 0} // (1+2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴
		k, acc := slices.Repeat([]float32{1 + 0x1p-12}, rows), make([]float32, FloatLanes*rows)
		for row := range rows {
			w[row], w[rows+row] = 1, 1+0x1p-12
			acc[row] = -0x1p-24
		}
		s.Floats[1](&FloatArgs{W: &w[0], X: &x[0], K: &k[0], Quads: &FloatQuad{}, Lanes: &[]int32{1}[0], N: 1, Acc: &acc[0]})
		for row := range rows {
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
		for n := 1; n <= MaxFloats; n++ {
			acc, outer := make([]float32, FloatLanes*n*s.FloatRows), make([]float32, s.FloatRows)
			for i := range acc {
				acc[i] = float32(r.NormFloat64())
			}
			for i := range outer {
				outer[i] = float32(r.NormFloat64())
			}
			dst, check := guardedFloats(t, n*s.FloatRows)
			s.FloatFinish(&FloatFinishArgs{Dst: &dst[0], Acc: &acc[0], Outer: &outer[0], N: n})
			check()
			for i, v := range dst {
				var sums [FloatLanes]float32
				for l := range sums {
					sums[l] = acc[l*n*s.FloatRows+i]
				}
				for n := FloatLanes / 2; n > 0; n /= 2 {
					for l := range n {
						sums[l] += sums[l+n]
					}
				}
				if want := sums[0] * outer[i%s.FloatRows]; v != want {
					t.Fatalf("%d vectors: %d is %v, want %v", n, i, v, want)
				}
			}
		}
	})
}

// TestQuads compares the functions with the definition of QuadsArgs.
func TestQuads(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(13, 14))
		const blocks, space = 3, 7
		x := randomFloats(r, blocks*4*FloatLanes)
		dst, check := guardedFloats(t, FloatLanes*blocks*4+space*(blocks-1))
		want := slices.Clone(dst) // the space between blocks stays as it is
		var at [FloatLanes]int32
		for i, place := range r.Perm(FloatLanes) {
			at[i] = int32(16 * place)
		}
		const step = 4*FloatLanes + space
		for i, v := range x {
			b, h, c, l := i/128, i/64%2, i/16%4, i%16
			want[b*step+int(at[16*h+l])/4+c] = v
		}
		s.Quads(&QuadsArgs{Dst: &dst[0], X: &x[0], At: &at, Blocks: blocks, Step: 4 * step})
		check()
		if !slices.Equal(dst, want) {
			t.Error("quads are not where they belong")
		}
	})
}

// TestFloatVectors checks that there is a function for the number that FloatVectors
// returns, and that the calls are as few as possible.
func TestFloatVectors(t *testing.T) {
	forFloatSets(t, func(t *testing.T, s *Set) {
		for n := 1; n < 100; n++ {
			calls := 0
			for left := n; left > 0; calls++ {
				v := s.FloatVectors(left)
				if v < 1 || v > left || s.Floats[v] == nil {
					t.Fatalf("FloatVectors(%d) is %d, for which there is no function", left, v)
				}
				left -= v
			}
			if want := (n-1)/s.floats + 1; calls != want {
				t.Errorf("%d vectors take %d calls, want %d", n, calls, want)
			}
		}
	})
}

// TestFloatOffsets checks the offsets of fields that the generator uses.
func TestFloatOffsets(t *testing.T) {
	var w WidenArgs
	var a FloatArgs
	var q FloatQuad
	var e FloatFinishArgs
	var x QuadsArgs
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"WidenArgs.Panel", unsafe.Offsetof(w.Panel), 8}, {"WidenArgs.Quads", unsafe.Offsetof(w.Quads), 16},
		{"WidenArgs.N", unsafe.Offsetof(w.N), 24}, {"WidenArgs.Zeros", unsafe.Offsetof(w.Zeros), 32},
		{"WidenArgs.Table", unsafe.Offsetof(w.Table), 40},
		{"FloatArgs.X", unsafe.Offsetof(a.X), 8}, {"FloatArgs.K", unsafe.Offsetof(a.K), 16},
		{"FloatArgs.Quads", unsafe.Offsetof(a.Quads), 24}, {"FloatArgs.Lanes", unsafe.Offsetof(a.Lanes), 32},
		{"FloatArgs.N", unsafe.Offsetof(a.N), 40}, {"FloatArgs.Acc", unsafe.Offsetof(a.Acc), 48}, {"FloatArgs.Fresh", unsafe.Offsetof(a.Fresh), 56},
		{"FloatArgs.Panel", unsafe.Offsetof(a.Panel), 64}, {"FloatArgs.Zeros", unsafe.Offsetof(a.Zeros), 72},
		{"FloatArgs.Table", unsafe.Offsetof(a.Table), 80}, {"FloatQuad.K", unsafe.Offsetof(q.K), 4}, {"a FloatQuad's size", unsafe.Sizeof(q), 8},
		{"FloatFinishArgs.Acc", unsafe.Offsetof(e.Acc), 8}, {"FloatFinishArgs.Outer", unsafe.Offsetof(e.Outer), 16},
		{"FloatFinishArgs.N", unsafe.Offsetof(e.N), 24},
		{"QuadsArgs.X", unsafe.Offsetof(x.X), 8}, {"QuadsArgs.At", unsafe.Offsetof(x.At), 16},
		{"QuadsArgs.Blocks", unsafe.Offsetof(x.Blocks), 24}, {"QuadsArgs.Step", unsafe.Offsetof(x.Step), 32},
		{"FloatLanes", FloatLanes, 32},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the generator takes %d", f.name, f.got, f.want)
		}
	}
}
