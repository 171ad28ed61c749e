package calibrate

import (
	"context"

	"github.com/bitmod-go/bitmod/quant"
)

// A Network is a model that is reading texts. It runs in steps; each step reads the
// output of the step before. The matrices of a step should have the same input, so that
// later matrices are quantized by the outputs of quantized ones. Its methods are called
// by one goroutine at a time.
type Network interface {
	// Settings returns a JSON value that identifies the texts, such as a hash.
	Settings() string
	// Find returns the place of a matrix of a tensor, see [checkpoint.Weights].
	Find(tensor string, matrix int) Place
	// Observe calls see with all inputs of a step's matrices, in one piece or several.
	// The texts do not advance.
	Observe(ctx context.Context, step int, see func(Inputs) error) error
	// Replace replaces a matrix of the current step for Advance.
	Replace(tensor string, matrix int, m *quant.Matrix) error
	// Advance runs a step with the matrices that were replaced, and the model's own for
	// all others, and moves the texts on. The step's matrices are not needed
	// afterwards.
	Advance(ctx context.Context, step int) error
}

// A Place is the place of a matrix in a [Network].
type Place struct {
	// Step is the number of the step, from 0 on. It is −1 for a matrix before the first
	// step, such as an embedding.
	Step int
	// Layer is a number of several steps for people to read, such as a layer's.
	Layer int
	// Input names the input of the matrix; matrices of a step may share it. It is ""
	// for a matrix without a known input, such as a table.
	Input string
}

// Inputs are input vectors of some matrices of a step, side by side.
type Inputs struct {
	Name string // see [Place]
	N    int    // vectors
	X    []float32
	// Float has the same vectors of the original model, with no matrix replaced in any
	// step before. It is nil if the network does not know them.
	Float []float32
	// Lost takes the place of Float for a single matrix that adds its outputs to
	// something, such as the residual stream. It is the sum in the original model, less
	// the sum now, with the original matrix multiplied by X. It takes less time and
	// memory than Float if the matrix has more columns than rows.
	Lost []float32
}
