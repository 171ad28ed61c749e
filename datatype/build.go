package datatype

import (
	"fmt"
	"math"
	"sync"
)

// made caches the codebooks of each type. All callers share them, and nothing writes to
// them.
var made [numTypes]struct {
	once      sync.Once
	codebooks []Codebook
}

// codebooks returns the codebooks of a type that is not asymmetric.
func (t Type) codebooks() []Codebook {
	m := &made[t]
	m.once.Do(func() {
		m.codebooks = infos[t].make(&infos[t])
		for i := range m.codebooks {
			m.codebooks[i].typ = t
		}
	})
	return m.codebooks
}

// minifloat returns the non-negative values of a float with the given exponent and
// mantissa bits, by code. The bias is 2^(e−1) − 1. There are subnormals, but no infinity
// and no NaN, as in the OCP formats of fewer than 8 bits.
func minifloat(exponent, mantissa int) []float32 {
	bias := 1<<(exponent-1) - 1
	vs := make([]float32, 1<<(exponent+mantissa))
	for c := range vs {
		e, m := c>>mantissa, c&(1<<mantissa-1)
		if e == 0 {
			e = 1
		} else {
			m += 1 << mantissa
		}
		vs[c] = float32(math.Ldexp(float64(m), e-bias-mantissa))
	}
	return vs
}

// signMagnitude returns the codebook of ±magnitudes. Negative zero reads as 0.
func signMagnitude(name string, magnitudes []float32) Codebook {
	n := len(magnitudes)
	vs := make([]float32, 2*n)
	for c, v := range magnitudes {
		vs[c] = v
		if v != 0 {
			vs[n+c] = -v
		}
	}
	return Codebook{name: name, values: vs}
}

func plain(in *info) []Codebook {
	return []Codebook{signMagnitude("", in.magnitudes())}
}

// specials makes one candidate for each special value, which takes the code of negative
// zero.
func specials(in *info) []Codebook {
	var cbs []Codebook
	magnitudes := in.magnitudes()
	for _, sv := range in.special {
		cb := signMagnitude(fmt.Sprintf("%+g", sv), magnitudes)
		cb.values[len(magnitudes)] = sv
		cb.special = sv
		cbs = append(cbs, cb)
	}
	return cbs
}

func integers(in *info) []Codebook {
	cb := integer(int(in.bits))
	cb.name = ""
	return []Codebook{cb}
}

// ant makes two candidates: integers, and a mixture of powers of two and values between
// them.
func ant(in *info) []Codebook {
	name := "fp3"
	if in.bits == 4 {
		name = "flint4"
	}
	return []Codebook{integer(int(in.bits)), signMagnitude(name, in.magnitudes())}
}

func fixed(in *info) []Codebook {
	return []Codebook{{values: in.values}}
}

// integer returns the symmetric integers ±(2^(bits−1)−1), ascending.
func integer(bits int) Codebook {
	q := 1<<(bits-1) - 1
	return Codebook{name: fmt.Sprintf("int%d", bits), values: ramp(-q, q)}
}

// asymmetric returns a codebook for each zero-point. All share one table.
func asymmetric(t Type) []Codebook {
	n := 1 << t.Bits()
	all := ramp(-(n - 1), n-1)
	cbs := make([]Codebook, n)
	for z := range cbs {
		cbs[z] = Codebook{typ: t, name: fmt.Sprintf("z=%d", z), values: all[n-1-z : 2*n-1-z]}
	}
	return cbs
}

func ramp(lo, hi int) []float32 {
	vs := make([]float32, hi-lo+1)
	for i := range vs {
		vs[i] = float32(lo + i)
	}
	return vs
}
