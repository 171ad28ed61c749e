package search

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/grouptest"
)

// A plain is a profile without cells: sorted by the library, and with every weight
// looked at for each look-up.
type plain struct{ profile }

func newPlain(w, importance []float64) *plain {
	p := &plain{}
	type weight struct{ w, a float64 }
	ws := make([]weight, len(w))
	for i, x := range w {
		ws[i] = weight{x, 1}
		if importance != nil {
			ws[i].a = importance[i]
		}
	}
	slices.SortStableFunc(ws, func(a, b weight) int {
		switch {
		case a.w < b.w:
			return -1
		case a.w > b.w:
			return 1
		}
		return 0
	})
	var s sum
	p.sums = append(p.sums, s)
	for _, x := range ws {
		s.a += x.a
		s.aw += float64(x.a * x.w)
		p.total += float64(float64(x.a*x.w) * x.w)
		p.w = append(p.w, x.w)
		p.sums = append(p.sums, s)
	}
	return p
}

func (p *plain) below(x float64) int {
	n := 0
	for _, w := range p.w {
		if w <= x {
			n++
		}
	}
	return n
}

func (p *plain) fit(values []float32, delta float64) fit {
	vs := slices.Clone(values)
	slices.Sort(vs)
	vs = slices.Compact(vs)
	top := float64(vs[len(vs)-1])
	all := p.sums[len(p.w)]
	f := fit{float64(top * all.aw), float64(float64(top*top) * all.a)}
	for i := range vs[1:] {
		x, y := float64(vs[i]), float64(vs[i+1])
		s := p.sums[p.below((x+y)/2*delta)]
		f.awq -= float64((y - x) * s.aw)
		f.aqq -= float64((float64(y*y) - float64(x*x)) * s.a)
	}
	return f
}

func compareProfile(t *testing.T, r *rand.Rand, typ datatype.Type, w, a []float64) {
	t.Helper()
	var p profile
	for range 2 { // the second time in memory that was used
		p.load(w, a)
	}
	q := newPlain(w, a)
	if !slices.Equal(p.w, q.w) || !slices.Equal(p.sums, q.sums) || p.total != q.total {
		t.Fatalf("%v: sorted %v, want %v", w, p.w, q.w)
	}
	for _, x := range append(slices.Clone(w), 0, 1, -1, math.MaxFloat32, -math.MaxFloat32) {
		for _, x := range []float64{x, math.Nextafter(x, math.Inf(1)), math.Nextafter(x, math.Inf(-1)), x * r.Float64()} {
			if got, want := p.below(x), q.below(x); got != want {
				t.Fatalf("%v: %d are at most %v, want %d", w, got, x, want)
			}
		}
	}
	books := newBooks(typ)
	for i, cb := range typ.Codebooks() {
		if i%17 != 0 && typ.Asymmetric() {
			continue
		}
		delta := p.full(&books[i]) * (.3 + r.Float64())
		if !(delta > 0) {
			continue
		}
		if got, want := p.fit(&books[i], delta), q.fit(cb.Values(), delta); got != want {
			t.Fatalf("%v at %v of %v: %v, want %v", cb, delta, w, got, want)
		}
	}
}

func TestProfileEqualsPlain(t *testing.T) {
	types := datatype.Types()
	for _, src := range grouptest.Sources {
		t.Run(src.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 4))
			for i := range 60 {
				w := grouptest.Weights(r, src.Next)
				compareProfile(t, r, types[i%len(types)], w, grouptest.Importances(r, len(w)))
			}
		})
	}
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
			var p profile
			p.load(w, a)
			delta := p.full(&books[i]) * (.3 + r.Float64())
			if !(delta > 0) {
				continue
			}
			var want, scale float64
			for j, x := range w {
				e := x - delta*float64(cb.Value(cb.Encode(x/delta)))
				want += a[j] * e * e
				scale += a[j] * x * x
			}
			if got := p.fit(&books[i], delta).error(p.total, delta); math.Abs(got-want) > 1e-10*scale {
				t.Errorf("%v: error %v, want %v", cb, got, want)
			}
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
		for range 20 {
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
			e := c.profile.fit(&s.books[free.Codebook], free.Delta).error(c.profile.total, free.Delta)
			least := math.Inf(1)
			for i := range s.books {
				for _, st := range s.books[i].steps {
					for _, x := range w {
						for _, side := range []float64{1 - 1e-12, 1 + 1e-12} {
							d := x / st.threshold * side
							if !(d > 0) || math.IsInf(d, 0) {
								continue
							}
							if f := c.profile.fit(&s.books[i], d); f.awq > 0 && f.aqq > 0 {
								least = min(least, c.profile.total-f.awq*f.awq/f.aqq)
							}
						}
					}
				}
			}
			if e < least*(1-1e-9) {
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
					if ch.Codebook < 0 || ch.Codebook >= typ.NumCodebooks() || math.IsNaN(ch.Delta) || ch.Delta < 0 {
						t.Fatalf("%v: %+v", typ, ch)
					}
				}
			}
		}
	}
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
	var we *group.WeightError
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
