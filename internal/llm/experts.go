package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/loops/floats"
)

// routes has the experts that the router chose for each token.
type routes struct {
	scores  []float32 // of all experts, by token
	chosen  []int     // TopK experts by token
	weights []float32 // of chosen
	tokens  []int     // of one expert
	in, out []float32 // their vectors
	share   []float32 // their weights
}

// experts sets out to the weighted sums of the outputs of the experts that the router
// of layer i chooses for n vectors x. Sums are in the order of the experts, whichever
// tokens are computed together.
func (r *Runner) experts(i int, x []float32, n int) error {
	c, l, rt := &r.model.Config, &r.model.Layers[i], &r.routes
	if err := r.route(l, x, n); err != nil {
		return err
	}
	r.out = grow(&r.out, n*c.Dim)
	clear(r.out)
	for e := range l.Experts {
		rt.tokens, rt.share, rt.in = rt.tokens[:0], rt.share[:0], rt.in[:0]
		for j, chosen := range rt.chosen {
			if chosen == e {
				t := j / c.TopK
				rt.tokens = append(rt.tokens, t)
				rt.share = append(rt.share, rt.weights[j])
				rt.in = append(rt.in, x[t*c.Dim:][:c.Dim]...)
			}
		}
		if len(rt.tokens) == 0 {
			continue
		}
		at := [3]Place{{i, ExpertGate, e}, {i, ExpertUp, e}, {i, ExpertDown, e}}
		if err := r.feedForward(&rt.out, at, rt.in, len(rt.tokens)); err != nil {
			return err
		}
		for j, t := range rt.tokens {
			axpy(r.out[t*c.Dim:][:c.Dim], rt.share[j], rt.out[j*c.Dim:])
		}
	}
	return nil
}

// route chooses experts for n vectors x: those with the highest scores, and of equal
// scores the first. The weights of the chosen experts are their probabilities among all
// experts or, with NormTopK, among the chosen ones.
func (r *Runner) route(l *Layer, x []float32, n int) error {
	c, rt := &r.model.Config, &r.routes
	rt.scores = grow(&rt.scores, n*c.Experts)
	if err := l.Router.Mul(rt.scores, x, n, r.crew); err != nil {
		return fmt.Errorf("router: %w", err)
	}
	rt.chosen, rt.weights = grow(&rt.chosen, n*c.TopK), grow(&rt.weights, n*c.TopK)
	for t := range n {
		scores := rt.scores[t*c.Experts:][:c.Experts]
		if l.RouterBias != nil {
			add(scores, l.RouterBias)
		}
		floats.Softmax(scores)
		chosen, weights := rt.chosen[t*c.TopK:][:0], rt.weights[t*c.TopK:][:c.TopK]
		sum := float32(0)
		for range c.TopK {
			best := -1
			for e, p := range scores {
				if p >= 0 && (best < 0 || p > scores[best]) {
					best = e
				}
			}
			if best < 0 {
				return fmt.Errorf("router: a score is not a number")
			}
			weights[len(chosen)] = scores[best]
			chosen = append(chosen, best)
			sum += scores[best]
			scores[best] = -1 // taken
		}
		if c.NormTopK {
			scale(weights, 1/sum)
		}
	}
	return nil
}
