package group

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/errs"
	"github.com/bitmod-go/bitmod/internal/grouptest"
	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// selectors returns a Selector for each kind of vector instructions of the processor, and
// one without any.
func selectors(typ datatype.Type) []*Selector {
	portable := newSelector(typ)
	portable.fast = nil
	all := []*Selector{portable}
	for _, set := range coding.Sets() {
		s := newSelector(typ)
		if s.fast = newFast(s, set); s.fast != nil {
			all = append(all, s)
		}
	}
	return all
}

// compareRow compares SelectFloat32 with the definition.
func compareRow(t *testing.T, selectors []*Selector, w []float32, groupSize int, importance []float64, tensorScale float32) {
	t.Helper()
	groups := (len(w)-1)/groupSize + 1
	typ := selectors[0].typ
	wantChoices, want, wide := make([]Choice, groups), make([]uint8, len(w)), make([]float64, len(w))
	for i, x := range w {
		wide[i] = float64(x)
	}
	for g := range groups {
		lo := g * groupSize
		hi := min(lo+groupSize, len(w))
		var a []float64
		if importance != nil {
			a = importance[lo:hi]
		}
		var err error
		if wantChoices[g], err = Reference(typ, want[lo:hi], wide[lo:hi], a, tensorScale); err != nil {
			t.Fatal(err)
		}
	}
	for impl, s := range selectors {
		choices, codes := make([]Choice, groups), make([]uint8, len(w))
		if err := s.SelectFloat32(choices, codes, w, groupSize, importance, tensorScale); err != nil {
			t.Fatal(err)
		}
		for g, c := range wantChoices {
			lo := g * groupSize
			hi := min(lo+groupSize, len(w))
			if choices[g] != c || !slices.Equal(codes[lo:hi], want[lo:hi]) {
				t.Fatalf("%v, implementation %d, of %v (importance %v, tensor scale %g)\ngot  %+v %v\nwant %+v %v", typ, impl, w[lo:hi], importance, tensorScale, choices[g], codes[lo:hi], c, want[lo:hi])
			}
		}
	}
}

func TestSelectFloat32EqualsReference(t *testing.T) {
	for _, typ := range datatype.Types() {
		all := selectors(typ)
		if testing.Verbose() {
			t.Logf("%v: %d implementations", typ, len(all))
		}
		rounds := 60
		if typ.Bits() > 5 {
			rounds = 8 // the reference tries hundreds of values
		}
		if testing.Short() {
			rounds /= 4
		}
		sources := slices.Clone(grouptest.Sources)
		for _, bits := range []int{3, 8, 11} {
			sources = append(sources, struct {
				Name string
				Next func(r *rand.Rand) float64
			}{fmt.Sprintf("%d bits", bits), func(r *rand.Rand) float64 {
				x, exp := math.Frexp(r.NormFloat64())
				return math.Ldexp(math.RoundToEven(math.Ldexp(x, bits)), exp-bits)
			}})
		}
		for _, src := range sources {
			t.Run(fmt.Sprintf("%v/%s", typ, src.Name), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(typ)))
				for round := range rounds {
					w := make([]float32, 1+r.IntN(300))
					var amax float64
					for i := range w {
						w[i] = float32(src.Next(r))
						if math.Abs(float64(w[i])) > math.MaxFloat32 {
							w[i] = 0
						}
						amax = max(amax, math.Abs(float64(w[i])))
					}
					if round%4 == 3 {
						w[r.IntN(len(w))] *= 10 // an outlier
						if w[0]*0 != 0 {
							w[0] = 0
						}
					}
					for i := range w {
						if math.IsInf(float64(w[i]), 0) {
							w[i] = math.MaxFloat32
						}
					}
					size := 8 + r.IntN(140)
					if r.IntN(2) == 0 {
						size = []int{16, 32, 64, 128}[r.IntN(4)]
					}
					a := grouptest.Importances(r, len(w))
					if round%2 == 0 {
						a = nil
					}
					compareRow(t, all, w, size, a, TensorScale(typ, amax*(1+10*r.Float64())))
					compareRow(t, all, w, size, a, TensorScale(typ, amax))
				}
			})
		}
	}
}

// TestSelectFloat32AtThresholds is TestSelectAtThresholds with weights that are float32.
func TestSelectFloat32AtThresholds(t *testing.T) {
	for _, typ := range datatype.Types() {
		s := selectors(typ)
		cbs := typ.Codebooks()
		if typ.Asymmetric() {
			cbs = []datatype.Codebook{cbs[0], cbs[len(cbs)/2], cbs[len(cbs)-1]}
		}
		for _, cb := range cbs {
			vs := cb.Values()
			slices.Sort(vs)
			vs = slices.Compact(vs)
			w := []float64{float64(vs[0]), float64(vs[len(vs)-1]), float64(cb.MaxAbs())}
			for i := range vs[1:] {
				w = append(w, (float64(vs[i])+float64(vs[i+1]))/2)
			}
			for _, scale := range []float64{1, 1. / 3, 1.1, 0x1p-30, 0x1p-100, 1e30} {
				v := make([]float32, 0, 3*len(w))
				for _, x := range w {
					y := float32(x * scale)
					v = append(v, y)
					if len(v) > 3 { // not the largest weight
						v = append(v, math.Nextafter32(y, 1e38), math.Nextafter32(y, -1e38))
					}
				}
				compareRow(t, s, v, len(v), nil, TensorScale(typ, float64(cb.MaxAbs())*scale))
				v[2] = -v[2]
				compareRow(t, s, v, len(v), nil, TensorScale(typ, float64(cb.MaxAbs())*scale))
			}
		}
	}
}

func TestSelectFloat32Errors(t *testing.T) {
	s, err := NewSelector(datatype.BitMoD4)
	if err != nil {
		t.Fatal(err)
	}
	w := make([]float32, 40)
	for i := range w {
		w[i] = float32(i)
	}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		v := slices.Clone(w)
		v[37] = bad
		err := s.SelectFloat32(make([]Choice, 3), make([]uint8, 40), v, 16, nil, 1)
		var e *errs.Weight
		if !errors.As(err, &e) || e.Index != 37 {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for name, f := range map[string]func() error{
		"group size": func() error { return s.SelectFloat32(make([]Choice, 3), make([]uint8, 40), w, 0, nil, 1) },
		"choices":    func() error { return s.SelectFloat32(make([]Choice, 2), make([]uint8, 40), w, 16, nil, 1) },
		"codes":      func() error { return s.SelectFloat32(make([]Choice, 3), make([]uint8, 39), w, 16, nil, 1) },
		"importance": func() error {
			return s.SelectFloat32(make([]Choice, 3), make([]uint8, 40), w, 16, make([]float64, 39), 1)
		},
	} {
		if err := f(); !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkSelectRow measures rows of float32, without vector instructions (0) and with.
// It reports how many groups of a thousand were decided by adding up errors again, and
// how many were left to Select.
func BenchmarkSelectRow(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float32, 4096)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	codes := make([]uint8, len(w))
	choices := make([]Choice, len(w)/8)
	for _, typ := range datatype.Types() {
		for impl, s := range selectors(typ) {
			b.Run(fmt.Sprintf("type=%v/impl=%d", typ, impl), func(b *testing.B) {
				for b.Loop() {
					if err := s.SelectFloat32(choices, codes, w, typ.GroupSize(), nil, 2e-3); err != nil {
						b.Fatal(err)
					}
				}
				report(b, len(w))
				if f := s.fast; f != nil {
					b.ReportMetric(1000*float64(f.recounts)/float64(f.groups), "recounts/1000")
					b.ReportMetric(1000*float64(f.rest)/float64(f.groups), "rest/1000")
				}
			})
		}
	}
}

// compareEncode compares EncodeFloat32 with Encode.
func compareEncode(t *testing.T, selectors []*Selector, w []float32, groupSize int, choices []Choice) {
	t.Helper()
	typ := selectors[0].typ
	want := make([]uint8, len(w))
	for g, c := range choices {
		lo := g * groupSize
		hi := min(lo+groupSize, len(w))
		if err := selectors[0].Encode(want[lo:hi], selectors[0].widen(w[lo:hi]), c); err != nil {
			t.Fatal(err)
		}
	}
	for impl, s := range selectors {
		codes := make([]uint8, len(w))
		if err := s.EncodeFloat32(codes, w, groupSize, choices); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(codes, want) {
			t.Fatalf("%v, implementation %d, of %v with %+v\ngot  %v\nwant %v", typ, impl, w, choices, codes, want)
		}
	}
}

func TestEncodeFloat32EqualsEncode(t *testing.T) {
	for _, typ := range datatype.Types() {
		all := selectors(typ)
		for _, src := range grouptest.Sources {
			r := rand.New(rand.NewPCG(2, uint64(typ)))
			for range 10 {
				wide := grouptest.Weights(r, src.Next)
				w := make([]float32, len(wide))
				var amax float64
				for i, x := range wide {
					w[i] = float32(x)
					amax = max(amax, math.Abs(float64(w[i])))
				}
				size := 8 + r.IntN(140)
				choices := make([]Choice, (len(w)-1)/size+1)
				for g := range choices {
					c := r.IntN(len(typ.Codebooks()))
					m := float64(typ.Codebooks()[c].MaxAbs())
					choices[g] = Choice{Codebook: c, Delta: amax / m * math.Exp(3*r.NormFloat64())}
					switch r.IntN(8) {
					case 0:
						choices[g].Delta = 0
					case 1:
						choices[g].Delta = math.Ldexp(1, r.IntN(300)-150)
					case 2, 3:
						choices[g].Delta = math.Ldexp(float64(1+r.IntN(8)), r.IntN(5)-4)
					}
				}
				compareEncode(t, all, w, size, choices)
			}
		}
	}
}

// TestEveryTypeIsFast checks that every type has vector instructions.
func TestEveryTypeIsFast(t *testing.T) {
	if coding.Best() == nil {
		t.Skip("the processor has no loops")
	}
	for _, typ := range datatype.Types() {
		if s := newSelector(typ); s.fast == nil {
			t.Errorf("%v has none", typ)
		}
	}
}
