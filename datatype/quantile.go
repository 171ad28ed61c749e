package datatype

import (
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

type quantiler interface{ Quantile(p float64) float64 }

var (
	normal  = distuv.UnitNormal
	student = distuv.StudentsT{Sigma: 1, Nu: 5}
)

// The tail probability at which the tables start: the mean of 1/2n and 1/(2n−2)
// for n values. The published SF3 was made with the 4-bit one.
const (
	delta3 = (1./16 + 1./14) / 2
	delta4 = (1./32 + 1./30) / 2
)

// quantiles makes the codebook of n quantiles of a distribution that is
// symmetric about 0, divided by the largest: NormalFloat (QLoRA, arXiv
// 2305.14314) and Student Float (arXiv 2405.03103). Half of the probabilities
// run evenly from delta up to 1/2, one more than half from 1/2 to 1−delta,
// sharing 1/2.
func quantiles(d quantiler, n int, delta float64) func() []Codebook {
	return sync.OnceValue(func() []Codebook {
		half := n / 2
		vs := make([]float32, n)
		largest := d.Quantile(1 - delta)
		for i := range vs {
			p := delta + (.5-delta)*float64(i)/float64(half-1)
			if i >= half {
				p = .5 + (.5-delta)*float64(i-half+1)/float64(half)
			}
			vs[i] = float32(d.Quantile(p) / largest)
		}
		vs[half-1] = 0 // the median, free of the quantile function's rounding
		return []Codebook{{values: vs}}
	})
}
