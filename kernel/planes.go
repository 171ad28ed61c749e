package kernel

// planeTables are the sums of activations that the portable path looks up.
type planeTables struct{}

func (t *planeTables) fill(*Activation, implementation) {}

// integerRowsPortable computes whole rows by bit planes.
func integerRowsPortable(dst []float32, p *plan, a *Activation, lo, hi int) int { return lo }
