package kernel

import "errors"

// LoadBatch loads a row-major matrix of tokens by columns: x is len(as) vectors of the
// same length, and as[t] gets the t-th. load is the method that loads each, such as
// (*Activation).Load. The error matches ErrShape if x cannot be divided into such
// vectors, or ErrNotFinite if it has a NaN or an infinity; the [ActivationError] then
// names the vector. After an error nothing is loaded into any of as. LoadBatch
// allocates only if a vector is longer than any that its Activation had before.
func LoadBatch(as []Activation, x []float32, load func(*Activation, []float32) error) error {
	if len(as) == 0 && len(x) == 0 {
		return nil
	}
	if len(as) == 0 {
		return shapeError("len(x)", len(x), "0 (no activations)")
	}
	cols := len(x) / len(as)
	if cols == 0 || len(x)%len(as) != 0 {
		unload(as)
		return shapeError("len(x)", len(x), "a positive multiple of %d (activations)", len(as))
	}
	if load == nil {
		unload(as)
		return shapeError("load", 0, "a function, not nil")
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
