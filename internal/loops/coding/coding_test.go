package coding

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
	"github.com/x448/float16"
)

// each runs a test with the functions of each kind that the processor has.
func each(t *testing.T, test func(t *testing.T, s *Set)) {
	sets := Sets()
	if len(sets) == 0 {
		t.Skip("the processor has no loops")
	}
	for i, s := range sets {
		t.Run(fmt.Sprint(i), func(t *testing.T) { test(t, s) })
	}
}

const canary = 0xa5

// guarded returns n bytes between canaries, and a function that checks these.
func guarded(t *testing.T, n int) ([]byte, func()) {
	buf := bytes.Repeat([]byte{canary}, n+256)
	return buf[128 : 128+n : 128+n], func() {
		t.Helper()
		for i, b := range buf {
			if (i < 128 || i >= 128+n) && b != canary {
				t.Fatalf("byte %d of %d is written", i-128, n)
			}
		}
	}
}

// guardedWords is guarded for words.
func guardedWords[T float32 | uint32](t *testing.T, n int) ([]T, func()) {
	b, check := guarded(t, 4*n)
	return unsafe.Slice((*T)(unsafe.Pointer(&b[0])), n), check
}

// weights returns n weights and the thresholds of a class among them.
func weights(r *rand.Rand, n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64() * 3)
		if r.IntN(4) == 0 {
			w[i] = float32(r.IntN(33)-16) / 2
		}
	}
	return w
}

// groups are Groups and their weights.
type groups struct {
	Groups
	w []float32
}

func newGroups(r *rand.Rand) groups {
	size, n := 1+r.IntN(140), 1+r.IntN(6)
	if r.IntN(3) == 0 {
		size = 16 << r.IntN(4)
	}
	g := groups{Groups: Groups{Size: size, Last: 1 + r.IntN(size), Groups: n}}
	g.w = weights(r, (n-1)*size+g.Last)
	g.W = &g.w[0]
	return g
}

// of returns the weights of a group.
func (g *groups) of(i int) []float32 { return g.w[i*g.Size : min((i+1)*g.Size, len(g.w))] }

// testClass is a class with thresholds at odd halves.
func testClass(r *rand.Rand) *Class {
	c := &Class{Inv: 1, Off: 16}
	for i := range Cells {
		c.Thresholds[i] = math.Inf(1)
		if r.IntN(3) > 0 && i < Cells-1 {
			// in cell i, off its ends: ratios are truncated
			t := float64(i-16) + .5
			c.Thresholds[i] = t
			switch d := (math.Nextafter(t, math.Inf(1)) - t) / 2; r.IntN(3) {
			case 0:
				c.Slack[i] = -d * (1 + 1./1024)
			default:
				c.Slack[i] = d
			}
		}
	}
	for m := range Members {
		for z := range Cells {
			c.Values[m][z] = float32(r.IntN(65)-32) / 4
		}
	}
	return c
}

// definition is StepsArgs, slowly, with sums of so many parts, and importances a if they
// are not nil.
func definition(c *Class, w, a []float32, delta float64, parts int) (steps []uint8, sums [Members]float32) {
	scale, d := float32(float64(c.Inv)/delta), float32(delta)
	var lanes [Members][Lanes]float32
	for i, x := range w {
		at := float32(math.FMA(float64(x), float64(scale), float64(c.Off)))
		cell := int(at) & (Cells - 1)
		// The quotient in float64, which is what the threshold is about.
		q, t := float64(x)/delta, c.Thresholds[cell]
		z := uint8(cell)
		if q > t || q == t && c.Slack[cell] < 0 {
			z++
		}
		steps = append(steps, z)
		for m := range Members {
			e := floats.FMA(-d, c.Values[m][z], x)
			factor := e
			if a != nil {
				factor *= a[i]
			}
			lanes[m][i%parts] = floats.FMA(factor, e, lanes[m][i%parts])
		}
	}
	for m := range Members {
		for n := parts / 2; n > 0; n /= 2 {
			for i := range n {
				lanes[m][i] += lanes[m][i+n]
			}
		}
		sums[m] = lanes[m][0]
	}
	return steps, sums
}

// TestSteps compares with division: the thresholds that the loops compute are those
// of rounded quotients.
func TestSteps(t *testing.T) { each(t, testSteps) }

func testSteps(t *testing.T, s *Set) { testStepsOf(t, s.Steps, anyDelta) }

func TestWeighted(t *testing.T) { each(t, testWeighted) }

func testWeighted(t *testing.T, s *Set) {
	if s.Weighted[1] == nil {
		t.Skip("there are none")
	}
	testStepsOf(t, s.Weighted, weighted)
}

func TestPowers(t *testing.T) { each(t, testPowers) }

func testPowers(t *testing.T, s *Set) {
	if s.Powers[0] == nil {
		t.Skip("there are none")
	}
	testStepsOf(t, s.Powers, powers)
}

// A stepsKind is a kind of the functions that take StepsArgs.
type stepsKind int

const (
	anyDelta stepsKind = iota
	powers
	weighted
)

func testStepsOf(t *testing.T, loops [Members + 1]func(*StepsArgs), kind stepsKind) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		c := testClass(r)
		in := newGroups(r)
		deltas := make([]float64, in.Groups.Groups)
		for g := range deltas {
			deltas[g] = math.Exp(3 * r.NormFloat64())
			switch {
			case kind == powers:
				deltas[g] = math.Ldexp(1, r.IntN(100)-50)
			case r.IntN(3) == 0:
				deltas[g] = math.Ldexp(1+float64(r.IntN(8))/8, r.IntN(20)-10)
			}
			w := in.of(g)
			for i := range w {
				w[i] = float32(float64(w[i]) * deltas[g])
				for range r.IntN(3) {
					w[i] = math.Nextafter32(w[i], float32(r.NormFloat64()*1e3))
				}
			}
		}
		var a []float32
		if kind == weighted {
			a = make([]float32, len(in.w))
			for i := range a {
				a[i] = float32(r.ExpFloat64() * float64(r.IntN(4)))
			}
		}
		for members := range Members + 1 {
			if loops[members] == nil {
				continue
			}
			steps, check := guarded(t, len(in.w)+Slack)
			const stride = 5
			sums, checkSums := guardedWords[float32](t, stride*len(deltas))
			args := StepsArgs{Groups: in.Groups, Steps: &steps[0], Class: c, Deltas: &deltas[0], Errors: &sums[0], Stride: 4 * stride}
			if a != nil {
				args.Importance = &a[0]
			}
			loops[members](&args)
			check()
			checkSums()
			for g, delta := range deltas {
				w, got := in.of(g), steps[g*in.Size:]
				var importance []float32
				if a != nil {
					importance = a[g*in.Size:][:len(w)]
				}
				if kind == powers {
					scaled := make([]float32, len(w))
					for i, x := range w {
						scaled[i] = float32(float64(x) / delta)
					}
					w, delta = scaled, 1
				}
				wantSteps, errors := definition(c, w, importance, delta, Lanes)
				if !bytes.Equal(got[:len(w)], wantSteps) {
					t.Fatalf("Δ %v, weights %v\ngot  %v\nwant %v", delta, w, got[:len(w)], wantSteps)
				}
				_, eights := definition(c, w, importance, delta, 8)
				for m := range members {
					if s := sums[stride*g+m]; s != errors[m] && s != eights[m] {
						t.Fatalf("%d of %d codebooks: error %v, want %v or %v", m, members, s, errors[m], eights[m])
					}
				}
			}
		}
	}
}

func TestLookup(t *testing.T) { each(t, testLookup) }

func testLookup(t *testing.T, s *Set) {
	r := rand.New(rand.NewPCG(3, 4))
	var table [64]uint8
	for i := range table {
		table[i] = uint8(r.Uint32())
	}
	for n := 1; n < 300; n++ {
		src := make([]uint8, n)
		want := make([]uint8, n)
		for i := range src {
			src[i] = uint8(r.IntN(Cells))
			want[i] = table[src[i]]
		}
		got, check := guarded(t, n)
		s.Lookup(&LookupArgs{Dst: &got[0], Src: &src[0], N: n, Table: &table})
		check()
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: got %v, want %v", n, got, want)
		}
		for range 4 {
			var few [64]uint8
			few[src[r.IntN(n)]] = 1
			few[r.IntN(64)] = 0
			any := AnyArgs{Src: &src[0], N: n, Table: &few, Any: r.IntN(2) == 0}
			s.Any(&any)
			if want := slices.ContainsFunc(src, func(b uint8) bool { return few[b] != 0 }); any.Any != want {
				t.Fatalf("%d bytes: any is %v, want %v", n, any.Any, want)
			}
		}
	}
}

func TestMaxAndRange(t *testing.T) { each(t, testMaxAndRange) }

func testMaxAndRange(t *testing.T, s *Set) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		in := newGroups(r)
		switch at := r.IntN(len(in.w)); r.IntN(8) {
		case 0:
			in.w[at] = float32(math.NaN())
		case 1:
			in.w[at] = float32(math.Inf(-1))
		case 2:
			in.w[at] = math.MaxFloat32
		}
		got, check := guardedWords[uint32](t, in.Groups.Groups)
		s.Max(&MaxArgs{Groups: in.Groups, Dst: &got[0]})
		check()
		ends, check := guardedWords[float32](t, 2*in.Groups.Groups)
		s.Range(&RangeArgs{Groups: in.Groups, Dst: (*[2]float32)(ends)})
		check()
		for g := range got {
			var want uint32
			var lo, hi float32
			for _, x := range in.of(g) {
				want = max(want, math.Float32bits(x)&^(1<<31))
				lo, hi = min(lo, x), max(hi, x)
			}
			if got[g] != want {
				t.Fatalf("groups of %d, %v: group %d has %#x, want %#x", in.Size, in.w, g, got[g], want)
			}
			if want <= 0x7f800000 && (ends[2*g] != lo || ends[2*g+1] != hi) {
				t.Fatalf("%v: got %v, want %v to %v", in.of(g), ends[2*g:2*g+2], lo, hi)
			}
		}
	}
}

func TestRound(t *testing.T) { each(t, testRound) }

func testRound(t *testing.T, s *Set) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 3000 {
		in := newGroups(r)
		top := 1 + r.IntN(255)
		deltas, zeros := make([]float64, in.Groups.Groups), make([]int32, in.Groups.Groups)
		for g := range deltas {
			deltas[g] = []float64{1, 1. / 3, 0x1p-100, .7, r.ExpFloat64()}[r.IntN(5)]
			zeros[g] = int32(r.IntN(top + 1))
			w := in.of(g)
			for i := range w {
				w[i] = float32(float64(w[i]) * deltas[g] * float64(1+r.IntN(20)))
				if r.IntN(50) == 0 {
					w[i] *= float32(int(1) << r.IntN(20))
				}
				for range r.IntN(3) {
					w[i] = math.Nextafter32(w[i], float32(r.NormFloat64()*1e3))
				}
			}
		}
		got, check := guarded(t, len(in.w)+Slack)
		s.Round(&RoundArgs{Groups: in.Groups, Codes: &got[0], Deltas: &deltas[0], Zeros: &zeros[0], Top: top})
		check()
		for i, x := range in.w {
			g := i / in.Size
			q := float64(x) / deltas[g]
			v := math.Floor(q)
			if q > v+.5 {
				v++
			}
			if want := max(0, min(top, int(v)+int(zeros[g]))); int(got[i]) != want {
				t.Fatalf("%v/%v, zero %d of %d: got %d, want %d", x, deltas[g], zeros[g], top, got[i], want)
			}
		}
	}
}

// TestWiden tests all numbers of both formats.
func TestWiden(t *testing.T) { each(t, testWiden) }

func testWiden(t *testing.T, s *Set) {
	src := make([]uint16, 1<<16)
	for i := range src {
		src[i] = uint16(i)
	}
	same := func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b }
	for _, n := range []int{1 << 16, 1<<16 - 1, 40, 15, 1} {
		got, check := guardedWords[float32](t, n)
		s.WidenBF16(&WidenArgs{Dst: &got[0], Src: &src[0], N: n})
		check()
		for i, x := range got {
			if !same(x, math.Float32frombits(uint32(i)<<16)) {
				t.Fatalf("bfloat16 %#x is %v", i, x)
			}
		}
		s.WidenF16(&WidenArgs{Dst: &got[0], Src: &src[0], N: n})
		check()
		for i, x := range got {
			if !same(x, float16.Frombits(uint16(i)).Float32()) {
				t.Fatalf("float16 %#x is %v", i, x)
			}
		}
	}
}

func TestNarrow(t *testing.T) { each(t, testNarrow) }

func testNarrow(t *testing.T, s *Set) {
	if s.Narrow == nil {
		t.Skip("there is none")
	}
	r := rand.New(rand.NewPCG(9, 10))
	for n := 1; n < 100; n++ {
		src := make([]float64, n)
		for i := range src {
			src[i] = float64(float32(r.NormFloat64()))
		}
		for kind := range 4 {
			switch at := r.IntN(n); kind {
			case 1:
				src[at] *= 1 + 0x1p-40
			case 2:
				src[at] = math.NaN()
			case 3:
				src[at] = 1e300
			}
			got, check := guardedWords[float32](t, n)
			a := NarrowArgs{Dst: &got[0], Src: &src[0], N: n, Exact: kind > 0}
			s.Narrow(&a)
			check()
			if a.Exact != (kind == 0) {
				t.Fatalf("%v: exact is %v", src, a.Exact)
			}
			for i, x := range src {
				if want := float32(x); math.Float32bits(got[i]) != math.Float32bits(want) && x == x {
					t.Fatalf("%v becomes %v, want %v", x, got[i], want)
				}
			}
		}
	}
}
