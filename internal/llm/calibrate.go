package llm

import "runtime"

// Calibrate runs m over blocks of tokens, in order, and shows observe the inputs of
// its matrices, as Runner.Observe does.
func Calibrate(m *Model, blocks [][]int, observe func(p Place, x []float32, n int)) error {
	r := NewRunner(m, runtime.GOMAXPROCS(0))
	defer r.Close()
	r.Observe = observe
	logits := make([]float32, logitsStep*m.Config.Vocab)
	for _, b := range blocks {
		if err := run(r, b, KV{}); err != nil {
			return err
		}
		for lo := 0; lo < len(b); lo += logitsStep { // for the classifier's input
			hi := min(lo+logitsStep, len(b))
			if err := r.Logits(logits[:(hi-lo)*m.Config.Vocab], lo, hi); err != nil {
				return err
			}
		}
	}
	return nil
}

// Moments returns the mean squares of the inputs of every matrix but the embedding, by
// column, over blocks of tokens, for quant.Measure as importance. They are the same for
// any number of goroutines. Matrices with the same input share a slice.
func Moments(m *Model, blocks [][]int) (map[Place][]float64, error) {
	sums := map[Place][]float64{}
	count := map[Place]int{}
	err := Calibrate(m, blocks, func(p Place, x []float32, n int) {
		s := sums[p]
		if s == nil {
			s = make([]float64, len(x)/n)
			sums[p] = s
		}
		for i, v := range x {
			s[i%len(s)] += float64(v) * float64(v) // the product is exact
		}
		count[p] += n
	})
	if err != nil {
		return nil, err
	}
	for p, s := range sums {
		for i := range s {
			s[i] /= float64(count[p])
		}
	}
	m.Each(func(p Place, _ Linear) {
		if first := p.shown(&m.Config); first != p && sums[first] != nil {
			sums[p] = sums[first]
		}
	})
	return sums, nil
}

// shown returns the place for which Observe sees the input of the matrix at p.
func (p Place) shown(c *Config) Place {
	switch {
	case c.shows(p.Kind):
	case p.Kind == ExpertUp:
		p.Kind = ExpertGate
	case p.Kind == Up:
		p.Kind = Gate
	default:
		p.Kind = Query
	}
	return p
}
