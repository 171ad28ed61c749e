package llm

import (
	"math/rand/v2"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A Sampler chooses tokens.
type Sampler struct {
	Temperature float64 // 0 takes the likeliest token
	TopP        float64 // the likeliest tokens that together have this probability; 0 or 1 is all
	rand        *rand.Rand

	probs []float32
	order []int
}

// NewSampler returns a sampler of which the choices are fixed by the seed.
func NewSampler(temperature, topP float64, seed uint64) *Sampler {
	return &Sampler{Temperature: temperature, TopP: topP, rand: rand.New(rand.NewPCG(seed, 0))}
}

// Sample returns a token for the logits.
func (s *Sampler) Sample(logits []float32) int {
	if s.Temperature == 0 {
		return argmax(logits)
	}
	p := grow(&s.probs, len(logits))
	for i, l := range logits {
		p[i] = float32(float64(l) / s.Temperature)
	}
	floats.Softmax(p)
	coin := s.rand.Float64()
	if s.TopP <= 0 || s.TopP >= 1 {
		return draw(len(p), coin, func(i int) float32 { return p[i] })
	}
	// Tokens less likely than this have less than 1 − TopP together: the others, which are
	// few, are all that there is to sort.
	least := float32((1 - s.TopP) / float64(len(p)))
	order, all := s.order[:0], 0.0
	for i, x := range p {
		if x >= least {
			order = append(order, i)
			all += float64(x)
		}
	}
	if all < s.TopP { // by rounding
		order = order[:0]
		for i := range p {
			order = append(order, i)
		}
	}
	s.order = order
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case p[a] > p[b]:
			return -1
		case p[a] < p[b]:
			return 1
		}
		return a - b
	})
	n, sum := 0, 0.0
	for n < len(order) && sum < s.TopP {
		sum += float64(p[order[n]])
		n++
	}
	return order[draw(n, coin*sum, func(i int) float32 { return p[order[i]] })]
}

// draw returns the i in 0…n−1 at which the sum of p(0)…p(i) passes coin.
func draw(n int, coin float64, p func(int) float32) int {
	sum := 0.0
	for i := range n {
		sum += float64(p(i))
		if coin < sum {
			return i
		}
	}
	return n - 1 // rounding
}

// argmax returns the index of the largest element, the first of equal ones.
func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
