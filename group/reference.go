package group

import (
	"math"

	"github.com/bitmod-go/bitmod/datatype"
)

// Reference quantizes a group as [Selector.Select] does, errors included, by the
// obvious loops over candidates, weights and codebook values. It is the
// definition that Select is tested against, and slow.
func Reference(t datatype.Type, codes []uint8, w, importance []float64, tensorScale float32) (Choice, error) {
	if !t.Valid() {
		return Choice{}, unknown(t)
	}
	amax, err := check(codes, w)
	if err != nil {
		return Choice{}, err
	}
	if importance, err = checkImportance(importance, len(w)); err != nil {
		return Choice{}, err
	}
	cbs := t.Codebooks()
	if t.Asymmetric() {
		return referenceAsymmetric(cbs, codes, w), nil
	}
	var best Choice
	bestError := math.Inf(1)
	trial := make([]uint8, len(w))
	for i, cb := range cbs {
		c := candidateScale(t, amax, float64(cb.MaxAbs()), tensorScale)
		c.Codebook = i
		var sum float64
		for j, x := range w {
			trial[j] = cb.Encode(ratio(x, c.Delta))
			e := x - float64(c.Delta*float64(cb.Value(trial[j])))
			a := 1.
			if importance != nil {
				a = importance[j]
			}
			sum += float64(float64(a*e) * e)
		}
		if sum < bestError || i == 0 {
			best, bestError = c, sum
			copy(codes, trial)
		}
	}
	return best, nil
}

func referenceAsymmetric(cbs []datatype.Codebook, codes []uint8, w []float64) Choice {
	var lo, hi float64
	for _, x := range w {
		lo, hi = min(lo, x), max(hi, x)
	}
	top := float64(len(cbs) - 1)
	c := Choice{Delta: (hi - lo) / top}
	if c.Delta > 0 {
		c.Codebook = int(min(math.RoundToEven(-lo/c.Delta), top))
	}
	for j, x := range w {
		codes[j] = cbs[c.Codebook].Encode(ratio(x, c.Delta))
	}
	return c
}

func ratio(x, delta float64) float64 {
	if delta == 0 {
		return 0
	}
	return x / delta
}
