package search

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/errs"
	"github.com/bitmod-go/bitmod/internal/grouptest"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// compareFit compares the sample and the sums of every kind of loop that the processor has
// with those of portable code.
func compareFit(t *testing.T, typ datatype.Type, w, a, deltas []float64) {
	t.Helper()
	for i, b := range newBooks(typ) {
		if i%17 != 0 && typ.Asymmetric() {
			continue
		}
		var p sample
		p.load(w, a)
		want, wantW, wantA, plain := slices.Clone(p.fit(&b, deltas)), slices.Clone(p.w), slices.Clone(p.a), p
		for _, p.set = range coding.Sets() {
			for range 2 { // the second time in memory that was used
				p.load(w, a)
				if p.lo != plain.lo || p.hi != plain.hi || p.unit != plain.unit || p.total != plain.total || !slices.Equal(p.w, wantW) || !slices.Equal(p.a, wantA) {
					t.Fatalf("%v (importance %v) becomes %v and %v, %v to %v, total %v, want %v and %v, %v to %v, total %v",
						w, a, p.w, p.a, p.lo, p.hi, p.total, wantW, wantA, plain.lo, plain.hi, plain.total)
				}
				if got := p.fit(&b, deltas); !slices.Equal(got, want) {
					t.Fatalf("%v, codebook %d, of %v (importance %v) at %v: %v, want %v", typ, i, w, a, deltas, got, want)
				}
			}
		}
	}
}

func TestFitEqualsPortable(t *testing.T) {
	for _, src := range grouptest.Sources {
		t.Run(src.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for _, typ := range datatype.Types() {
				w := grouptest.Weights(r, src.Next)
				deltas := make([]float64, 1+r.IntN(maxScales))
				for i := range deltas {
					deltas[i] = math.Exp(4*r.NormFloat64()) / 6
				}
				compareFit(t, typ, w, grouptest.Importances(r, len(w)), deltas)
			}
		})
	}
}

// FuzzFit is TestFitEqualsPortable on weights of raw bits.
func FuzzFit(f *testing.F) {
	for _, typ := range datatype.Types() {
		f.Add(uint8(typ), float32(.25), []byte("0123456789abcdef0123456789abcdef"), []byte("importance"))
		f.Add(uint8(typ), float32(1), []byte("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\xc0\x40"), []byte{})
	}
	f.Fuzz(func(t *testing.T, typ uint8, delta float32, data, importance []byte) {
		if !datatype.Type(typ).Valid() || !(delta > tiny) || math.IsInf(float64(delta), 0) || len(data) > 2048 {
			t.Skip()
		}
		var w, a []float64
		for ; len(data) >= 4; data = data[4:] {
			x := float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
			if !(math.Abs(x) <= math.MaxFloat32) {
				x = 1
			}
			w = append(w, x)
		}
		if len(importance) > 0 {
			a = make([]float64, len(w))
			for i := range a {
				b := importance[i%len(importance)]
				a[i] = math.Ldexp(float64(b&15), int(b>>4)*8-64)
			}
		}
		compareFit(t, datatype.Type(typ), w, a, []float64{float64(delta), float64(delta) / 8, float64(delta) * 3})
	})
}

// TestFit checks sums against codes that are chosen one by one.
func TestFit(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, typ := range datatype.Types() {
		books := newBooks(typ)
		for i, cb := range typ.Codebooks() {
			if i%17 != 0 && typ.Asymmetric() {
				continue
			}
			w := grouptest.Weights(r, grouptest.Sources[0].Next)
			a := make([]float64, len(w))
			for j := range a {
				a[j] = r.ExpFloat64()
			}
			var p sample
			p.load(w, a)
			delta := p.full(&books[i]) * (.3 + r.Float64())
			if !(delta > 0) {
				continue
			}
			var dd, dq, qq float64
			for j, x := range p.w {
				ratio := float64(x) / delta
				q := float64(cb.Value(cb.Encode(ratio)))
				d := ratio - q
				dd += float64(p.a[j]) * d * d
				dq += float64(p.a[j]) * d * q
				qq += float64(p.a[j]) * q * q
			}
			s := p.fit(&books[i], []float64{delta})[0]
			if math.Abs(float64(s.DD)-dd) > 1e-4*dd || math.Abs(float64(s.QQ)-qq) > 1e-5*qq || math.Abs(float64(s.DQ)-dq) > 1e-5*math.Sqrt(dd*qq) {
				t.Errorf("%v: %+v, want %v, %v, %v", cb, s, dd, dq, qq)
			}
		}
	}
}

// TestBooks checks the value of every ratio near a threshold.
func TestBooks(t *testing.T) {
	for _, typ := range datatype.Types() {
		books := newBooks(typ)
		for i, cb := range typ.Codebooks() {
			vs := cb.Values()
			slices.Sort(vs)
			for j := range vs[1:] {
				middle := (float64(vs[j]) + float64(vs[j+1])) / 2
				for _, ratio := range []float64{middle - 1e-3, middle + 1e-3, float64(vs[j]) - 1e-3, float64(vs[j]) + 1e-3, 2.9 * middle} {
					got := books[i].value(float32(ratio))
					if want := cb.Value(cb.Encode(ratio)); got != want {
						t.Fatalf("%v: %v becomes %v, want %v", cb, ratio, got, want)
					}
				}
			}
		}
	}
}

// TestEdges compares the values that edges give with those of cells, at all edges and
// beside them.
func TestEdges(t *testing.T) {
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.FP3ER, datatype.FP3EA} {
		var have bool
		for _, b := range newBooks(typ) {
			if have = have || b.PerUnit > 0; b.PerUnit == 0 {
				continue
			}
			for n := -40; n <= 40; n++ {
				edge := float32(n) / 4
				for _, r := range []float32{edge, math.Nextafter32(edge, -100), math.Nextafter32(edge, 100)} {
					clamped := float64(max(-b.Limit, min(b.Limit, r)))
					got := b.Edges[int(math.Ceil(clamped*float64(b.PerUnit)))&(coding.Cells-1)]
					if want := b.find(r); got != want {
						t.Fatalf("%v: %v becomes %v, want %v", typ, r, got, want)
					}
				}
			}
		}
		if !have {
			t.Errorf("%v has no edges", typ)
		}
	}
}

// TestFindIsNearBest compares what is found with the best of every scale at which
// the code of any weight changes, for which nothing is left to find.
func TestFindIsNearBest(t *testing.T) {
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int3Asym, datatype.Int4Asym, datatype.Int3, datatype.FP4, datatype.NF4, datatype.ANT4} {
		s, err := New(typ)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(7, 8))
		var found, best float64
		var c Candidates
		for range 8 {
			w := make([]float64, 128)
			for i := range w {
				if w[i] = r.NormFloat64(); r.IntN(100) == 0 {
					w[i] *= 4
				}
			}
			if err := s.Find(&c, w, nil); err != nil {
				t.Fatal(err)
			}
			free := c.Free()
			e, _ := errorAt(&s.books[free.Codebook], w, free.Delta)
			least := math.Inf(1)
			for i, cb := range typ.Codebooks() {
				vs := cb.Values()
				slices.Sort(vs)
				for j := range vs[1:] {
					threshold := (float64(vs[j]) + float64(vs[j+1])) / 2
					for _, x := range w {
						for _, side := range []float64{1 - 1e-6, 1 + 1e-6} {
							d := x / threshold * side
							if !(d > 0) || math.IsInf(d, 0) {
								continue
							}
							_, fitted := errorAt(&s.books[i], w, d)
							least = min(least, fitted)
						}
					}
				}
			}
			if e < least*(1-1e-6) {
				t.Errorf("%v: error %v, below the least, %v", typ, e, least)
			}
			found += e
			best += least
		}
		t.Logf("%v: %.4f of the least error", typ, found/best)
		if found > 1.02*best {
			t.Errorf("%v: %v times the least error", typ, found/best)
		}
	}
}

// TestStored checks that the scale is one that is stored, and no worse than those to
// either side of it for the same codebook.
func TestStored(t *testing.T) {
	for _, typ := range datatype.Types() {
		s, err := New(typ)
		if err != nil {
			t.Fatal(err)
		}
		var c Candidates
		for _, src := range grouptest.Sources {
			r := rand.New(rand.NewPCG(9, 10))
			for range 10 {
				w := grouptest.Weights(r, src.Next)
				if err := s.Find(&c, w, grouptest.Importances(r, len(w))); err != nil {
					t.Fatal(err)
				}
				for _, outer := range []float32{float32(c.Free().Delta / 200), float32(c.Free().Delta / 20), 1, 0} {
					if typ.Scale() == datatype.E8M0 {
						outer = 1
					}
					ch := c.Stored(outer)
					if ch.Delta != float64(typ.Scale().Value(ch.Scale))*float64(outer) && ch.Delta != 0 {
						t.Fatalf("%v: %+v with %v", typ, ch, outer)
					}
					if ch.Codebook < 0 || ch.Codebook >= len(typ.Codebooks()) || math.IsNaN(ch.Delta) || ch.Delta < 0 {
						t.Fatalf("%v: %+v", typ, ch)
					}
				}
			}
		}
	}
}

// errorAt returns the squared error of the group w at a scale, and at the one that is
// best for the same codes.
func errorAt(b *book, w []float64, delta float64) (e, fitted float64) {
	var total, wq, qq float64
	for _, x := range w {
		q := float64(b.value(float32(x / delta)))
		e += (x - delta*q) * (x - delta*q)
		total += x * x
		wq += x * q
		qq += q * q
	}
	if !(wq > 0) {
		return e, total
	}
	return e, total - wq*wq/qq
}

func TestErrors(t *testing.T) {
	if _, err := New(99); !errors.Is(err, datatype.ErrUnknown) {
		t.Errorf("type 99: %v", err)
	}
	s, err := New(datatype.BitMoD3)
	if err != nil {
		t.Fatal(err)
	}
	var c Candidates
	if c.Free() != (group.Choice{}) || c.Stored(1) != (group.Choice{}) {
		t.Error("zero Candidates have a choice")
	}
	var we *errs.Weight
	if err := s.Find(&c, []float64{1, math.NaN()}, nil); !errors.As(err, &we) || we.Index != 1 {
		t.Errorf("NaN: %v", err)
	}
	if err := s.Find(&c, nil, nil); err != nil || c.Free().Delta != 0 || c.Stored(1) != (group.Choice{}) {
		t.Errorf("no weights: %v, %+v, %+v", err, c.Free(), c.Stored(1))
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	w, a := make([]float64, 128), make([]float64, 128)
	for i := range w {
		w[i], a[i] = r.NormFloat64(), r.ExpFloat64()
	}
	for _, typ := range datatype.Types() {
		s, err := New(typ)
		if err != nil {
			t.Fatal(err)
		}
		var c Candidates
		if err := s.Find(&c, w, a); err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(5, func() { s.Find(&c, w, a); c.Stored(.01) }); n != 0 {
			t.Errorf("%v: %v allocations", typ, n)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float64, 128)
	for i := range w {
		w[i] = float64(float32(r.NormFloat64()))
	}
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int3Asym, datatype.Int4Asym, datatype.NF4, datatype.Int8} {
		b.Run(fmt.Sprintf("type=%v", typ), func(b *testing.B) {
			s, err := New(typ)
			if err != nil {
				b.Fatal(err)
			}
			var c Candidates
			for b.Loop() {
				if err := s.Find(&c, w, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*float64(len(w))/b.Elapsed().Seconds(), "weights/s")
		})
	}
}
