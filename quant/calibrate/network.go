package calibrate

import (
	"context"

	"github.com/bitmod-go/bitmod/quant"
)

// A Network is a model with texts on their way through it. It goes in steps, of which
// each reads what the one before has made of the texts: matrices with the same input,
// best, so that those behind them are quantized by what they become. Its methods are called
// by one goroutine at a time.
type Network interface {
	// Settings returns a JSON value that tells the texts from others, such as a hash.
	Settings() string
	// Find returns where a matrix of a tensor is, see [checkpoint.Weights].
	Find(tensor string, matrix int) Place
	// Observe calls see for all that the matrices of a step are multiplied by, in one
	// piece or several. The texts stay where they are.
	Observe(ctx context.Context, step int, see func(Inputs) error) error
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
	// Layer is a number of several steps for people to read, such as a layer's.
	Layer int
	// Input names what the matrix is multiplied by; matrices of a step may share it.
	// It is "" for one that nothing is known of, such as a table.
	Input string
}

// Inputs are vectors side by side that some matrices of a step are multiplied by.
type Inputs struct {
	Name string // see [Place]
	N    int    // vectors
	X    []float32
	// Float, if the network knows, are the same vectors in the model as it was, with no
	// matrix replaced in any step before.
	Float []float32
	// To and FloatTo, if the network knows, are the vectors that the matrices' outputs are
	// added to, and the same in the model as it was.
	To, FloatTo []float32
}
