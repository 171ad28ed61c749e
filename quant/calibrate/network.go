package calibrate

import (
	"context"

	"github.com/bitmod-go/bitmod/quant"
)

// A Network is a model with texts on their way through it. It goes in steps, of which
// each reads what the one before has made of the texts: a layer, commonly. Its methods
// are called by one goroutine at a time.
type Network interface {
	// Settings returns a JSON value that tells the texts from others, such as a hash.
	Settings() string
	// Find returns where a matrix of a tensor is, see [checkpoint.Weights].
	Find(tensor string, matrix int) Place
	// Observe runs a step with the matrices as they are in the model, and calls see for
	// n vectors side by side that are the input of some matrices. The texts stay where
	// they are.
	Observe(ctx context.Context, step int, see func(input string, x []float32, n int) error) error
	// Replace gives the matrix that Advance runs the step under way with.
	Replace(tensor string, matrix int, m *quant.Matrix) error
	// Advance runs a step, and the texts go on behind it. Of matrices that were not
	// replaced, it takes the model's. None of them are needed any more.
	Advance(ctx context.Context, step int) error
}

// A Place is where in a [Network] a matrix is.
type Place struct {
	// Step is the number of the step, from 0 on, and −1 for what is in front of the
	// first, such as an embedding.
	Step int
	// Input names what the matrix is multiplied by; matrices of a step may share it.
	// It is "" for one that nothing is known of, such as a table.
	Input string
}
