package quant

import (
	"math"
	"testing"
)

// A square is a square matrix with operations as in textbooks, for comparison with
// factors of a Hessian.
type square struct {
	n int
	a []float64 // row by row
}

func (s square) at(i, j int) float64     { return s.a[i*s.n+j] }
func (s square) set(i, j int, v float64) { s.a[i*s.n+j] = v }

// symmetric returns a Hessian as a full matrix.
func symmetric(h *Hessian) square {
	s := square{h.cols, make([]float64, h.cols*h.cols)}
	for i := range h.cols {
		for j := i; j < h.cols; j++ {
			s.set(i, j, h.sums[rowOffset(h.cols, i)+j-i])
			s.set(j, i, s.at(i, j))
		}
	}
	return s
}

// damped adds the damping that newFactor adds.
func damped(h *Hessian, damping float64) square {
	s := symmetric(h)
	trace := 0.
	for i := range s.n {
		trace += s.at(i, i)
	}
	for i := range s.n {
		s.set(i, i, s.at(i, i)+damping*trace/float64(s.n))
	}
	return s
}

// permuted returns s with rows and columns in the order of f.
func permuted(s square, f *factor) square {
	p := square{s.n, make([]float64, len(s.a))}
	for i := range s.n {
		for j := range s.n {
			p.set(i, j, s.at(f.column(i), f.column(j)))
		}
	}
	return p
}

// cholesky returns the upper triangle u with s = uᵀ·u.
func cholesky(t *testing.T, s square) square {
	u := square{s.n, make([]float64, len(s.a))}
	for i := range s.n {
		for j := i; j < s.n; j++ {
			v := s.at(i, j)
			for k := range i {
				v -= u.at(k, i) * u.at(k, j)
			}
			switch {
			case i < j:
				u.set(i, j, v/u.at(i, i))
			case v > 0:
				u.set(i, i, math.Sqrt(v))
			default:
				t.Fatalf("the square of element (%d, %d) of the factor is %v", i, i, v)
			}
		}
	}
	return u
}

// inverse returns the inverse of a positive definite s, through its factor.
func inverse(t *testing.T, s square) square {
	u := cholesky(t, s)
	inv := square{s.n, make([]float64, len(s.a))}
	x := make([]float64, s.n)
	for col := range s.n {
		// uᵀ·y = e, and then u·x = y, both in x.
		clear(x)
		x[col] = 1
		for i := range s.n {
			for k := range i {
				x[i] -= u.at(k, i) * x[k]
			}
			x[i] /= u.at(i, i)
		}
		for i := s.n - 1; i >= 0; i-- {
			for k := i + 1; k < s.n; k++ {
				x[i] -= u.at(i, k) * x[k]
			}
			x[i] /= u.at(i, i)
			inv.set(i, col, x[i])
		}
	}
	return inv
}
