package llm

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// A Sampler chooses tokens.
type Sampler struct {
	Temperature float64 // 0 takes the likeliest token
	TopK        int     // choose among so many of the likeliest tokens; 0 stands for all
	TopP        float64 // choose among the likeliest tokens that together have this probability; 0 and 1 stand for all
	rand        *rand.Rand

	probs []float32
	order []int
}

// NewSampler returns a sampler whose choices depend on the seed.
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
	if s.TopK > 0 && s.TopK < len(p) {
		s.order = keepLargest(p, s.TopK, s.order)
	}
	floats.Softmax(p)
	coin := s.rand.Float64()
	if s.TopP <= 0 || s.TopP >= 1 {
		return draw(len(p), coin, func(i int) float32 { return p[i] })
	}
	// Tokens less likely than this have a probability below 1 − TopP together. Only the
	// others, which are few, need sorting.
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

// keepLargest sets all but the k largest elements of x to −∞. Of equal elements the
// first count as larger. It takes n·log k steps. order is scratch memory, which it
// returns.
func keepLargest(x []float32, k int, order []int) []int {
	// The k largest so far are a heap, whose root is the least of them.
	heap := order[:0]
	less := func(a, b int) bool { return x[a] < x[b] || x[a] == x[b] && a > b }
	down := func(i int) {
		for {
			least := i
			for c := 2*i + 1; c <= 2*i+2 && c < len(heap); c++ {
				if less(heap[c], heap[least]) {
					least = c
				}
			}
			if least == i {
				return
			}
			heap[i], heap[least] = heap[least], heap[i]
			i = least
		}
	}
	for i := range x {
		switch {
		case len(heap) < k:
			if heap = append(heap, i); len(heap) == k {
				for j := k/2 - 1; j >= 0; j-- {
					down(j)
				}
			}
		case less(heap[0], i):
			heap[0] = i
			down(0)
		}
	}
	slices.Sort(heap)
	next := 0
	for i := range x {
		if next < len(heap) && heap[next] == i {
			next++
			continue
		}
		x[i] = float32(math.Inf(-1))
	}
	return heap
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
