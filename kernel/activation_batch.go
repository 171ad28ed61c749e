package kernel

import "errors"

// LoadBatch is [Activation.Load] for all of as: x has len(as) vectors of the same
// length, one after the other, as the rows of a matrix of tokens by columns. It is an
// error if x can't be divided so (ErrShape) or has a NaN or an infinity (ErrNotFinite);
// the [ActivationError] then says in which vector, and nothing is loaded into any of as.
// It allocates only where a vector is longer than any that its Activation had before.
func LoadBatch(as []Activation, x []float32) error {
	return loadBatch(as, x, (*Activation).Load)
}

// Load16Batch is [LoadBatch] with [Activation.Load16].
func Load16Batch(as []Activation, x []float32) error {
	return loadBatch(as, x, (*Activation).Load16)
}

// LoadFloatBatch is [LoadBatch] with [Activation.LoadFloat].
func LoadFloatBatch(as []Activation, x []float32) error {
	return loadBatch(as, x, (*Activation).LoadFloat)
}

func loadBatch(as []Activation, x []float32, load func(*Activation, []float32) error) error {
	if len(as) == 0 && len(x) == 0 {
		return nil
	}
	if len(as) == 0 {
		return shapeError("len(x)", len(x), "0 (no activations)")
	}
	cols := len(x) / len(as)
	if cols == 0 || len(x)%len(as) != 0 {
		unload(as)
		return shapeError("len(x)", len(x), "a multiple of %d (activations), not 0", len(as))
	}
	for t := range as {
		if err := load(&as[t], x[t*cols:(t+1)*cols]); err != nil {
			unload(as)
			var e *ActivationError
			if errors.As(err, &e) {
				e.Vector, e.batch = t, true
			}
			return err
		}
	}
	return nil
}

// unload leaves nothing loaded.
func unload(as []Activation) {
	for t := range as {
		as[t].n = 0
	}
}
