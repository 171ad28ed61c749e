package group

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/grouptest"
)

func TestEncodeEqualsDefinition(t *testing.T) {
	for _, typ := range datatype.Types() {
		s, err := NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		cbs := typ.Codebooks()
		for _, src := range grouptest.Sources {
			r := rand.New(rand.NewPCG(11, 12))
			for range 5 {
				w := grouptest.Weights(r, src.Next)
				c := Choice{Codebook: r.IntN(len(cbs)), Delta: math.Abs(src.Next(r))}
				codes := make([]uint8, len(w))
				if err := s.Encode(codes, w, c); err != nil {
					t.Fatal(err)
				}
				for i, x := range w {
					if want := cbs[c.Codebook].Encode(ratio(x, c.Delta)); codes[i] != want || s.EncodeValue(x, c) != want {
						t.Fatalf("%v, %+v: %v is code %d and %d, want %d", typ, c, x, codes[i], s.EncodeValue(x, c), want)
					}
				}
			}
		}
	}
}

func TestImportanceEqualsReference(t *testing.T) {
	for _, typ := range datatype.Types() {
		s, err := NewSelector(typ)
		if err != nil {
			t.Fatal(err)
		}
		for _, src := range grouptest.Sources {
			r := rand.New(rand.NewPCG(13, 14))
			for range 5 {
				w := grouptest.Weights(r, src.Next)
				a := grouptest.Importances(r, len(w))
				got, want := make([]uint8, len(w)), make([]uint8, len(w))
				c, err1 := s.Select(got, w, a, .5)
				d, err2 := Reference(typ, want, w, a, .5)
				if err := errors.Join(err1, err2); err != nil {
					t.Fatal(err)
				}
				if c != d || !slices.Equal(got, want) {
					t.Fatalf("%v of %v by %v\ngot  %+v %v\nwant %+v %v", typ, w, a, c, got, d, want)
				}
			}
		}
	}
}

// TestImportanceDecides has a group in which a special value that suits one weight costs
// another.
func TestImportanceDecides(t *testing.T) {
	w := []float64{6, 5, -5, 1, -1, 2, -2, 3}
	a := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	for i, want := range map[int]float32{1: 5, 2: -5} {
		a[1], a[2] = 1, 1
		a[i] = 10
		s, err := NewSelector(datatype.BitMoD4)
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Select(make([]uint8, 8), w, a, 1)
		if err != nil {
			t.Fatal(err)
		}
		if sv := datatype.BitMoD4.Codebooks()[c.Codebook].Value(8); sv != want {
			t.Errorf("with weight %d ten times as important the special value is %v, want %v", i, sv, want)
		}
	}
}

func TestShapeErrors(t *testing.T) {
	s, err := NewSelector(datatype.BitMoD3)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"codes":    s.Encode(make([]uint8, 1), []float64{1, 2}, Choice{}),
		"codebook": s.Encode(make([]uint8, 2), []float64{1, 2}, Choice{Codebook: 4}),
		"negative": s.Encode(make([]uint8, 2), []float64{1, 2}, Choice{Codebook: -1}),
		"select": func() error {
			_, err := s.Select(make([]uint8, 2), []float64{1, 2}, []float64{1, 2, 3}, 1)
			return err
		}(),
		"reference": func() error {
			_, err := Reference(datatype.BitMoD3, make([]uint8, 2), []float64{1, 2}, []float64{1, 2, 3}, 1)
			return err
		}(),
	} {
		if !errors.Is(err, ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s.EncodeValue(1, Choice{Codebook: 4, Delta: 1}) != 0 {
		t.Error("a code in codebook 4")
	}
}
