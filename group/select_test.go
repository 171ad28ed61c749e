package group

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/grouptest"
)

func compare(t *testing.T, s *Selector, w []float64, tensorScale float32) {
	t.Helper()
	got, want := make([]uint8, len(w)), make([]uint8, len(w))
	c, err := s.Select(got, w, nil, tensorScale)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Reference(s.typ, want, w, nil, tensorScale)
	if err != nil {
		t.Fatal(err)
	}
	if c != d || !slices.Equal(got, want) {
		t.Fatalf("%v of %v (tensor scale %g)\ngot  %+v %v\nwant %+v %v", s.typ, w, tensorScale, c, got, d, want)
	}
}

func TestSelectEqualsReference(t *testing.T) {
	for _, typ := range datatype.Types() {
		s, err := NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		rounds := 40
		if typ.Bits() > 5 {
			rounds = 6 // the reference tries hundreds of values
		}
		if testing.Short() {
			rounds = (rounds + 3) / 4
		}
		for _, src := range grouptest.Sources {
			t.Run(fmt.Sprintf("%v/%s", typ, src.Name), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(typ)))
				for range rounds {
					w := make([]float64, 1+r.IntN(200))
					var amax float64
					for i := range w {
						w[i] = src.Next(r)
						if math.Abs(w[i]) > math.MaxFloat32 {
							w[i] = 0
						}
						amax = max(amax, math.Abs(w[i]))
					}
					compare(t, s, w, TensorScale(typ, amax*(1+10*r.Float64())))
					compare(t, s, w, TensorScale(typ, amax))
				}
			})
		}
	}
}

// TestSelectAtThresholds puts weights on every decision threshold of every
// candidate, and one unit in the last place to either side, in a group whose
// scale is 1 for that candidate.
func TestSelectAtThresholds(t *testing.T) {
	for _, typ := range datatype.Types() {
		s, err := NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		cbs := typ.Codebooks()
		if typ.Asymmetric() {
			cbs = []datatype.Codebook{cbs[0], cbs[len(cbs)/2], cbs[len(cbs)-1]}
		}
		for _, cb := range cbs {
			vs := cb.Values()
			slices.Sort(vs)
			w := []float64{float64(vs[0]), float64(vs[len(vs)-1]), float64(cb.MaxAbs())}
			for i := range vs[1:] {
				m := (float64(vs[i]) + float64(vs[i+1])) / 2
				w = append(w, m, math.Nextafter(m, 1e9), math.Nextafter(m, -1e9))
			}
			for _, scale := range []float64{1, 1. / 3, 0x1p-100, 1e30} {
				v := slices.Clone(w)
				for i := range v {
					v[i] *= scale
				}
				compare(t, s, v, TensorScale(typ, float64(cb.MaxAbs())*scale))
				v[2] = -v[2]
				compare(t, s, v, TensorScale(typ, float64(cb.MaxAbs())*scale))
			}
		}
	}
}

func BenchmarkSelect(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	w := make([]float64, 128)
	for i := range w {
		w[i] = float64(float32(r.NormFloat64()))
	}
	codes := make([]uint8, len(w))
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int4, datatype.Int4Asym, datatype.ANT4, datatype.NF4, datatype.NVFP4RaZeR, datatype.Int8} {
		b.Run(fmt.Sprintf("type=%v/impl=fast", typ), func(b *testing.B) {
			s, err := NewSelector(typ)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Select(codes, w, nil, 1e-3); err != nil {
					b.Fatal(err)
				}
			}
			report(b, len(w))
		})
		b.Run(fmt.Sprintf("type=%v/impl=reference", typ), func(b *testing.B) {
			for b.Loop() {
				if _, err := Reference(typ, codes, w, nil, 1e-3); err != nil {
					b.Fatal(err)
				}
			}
			report(b, len(w))
		})
	}
}

func report(b *testing.B, n int) {
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mweights/s")
}
