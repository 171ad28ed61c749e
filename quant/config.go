package quant

import (
	"fmt"
	"math"
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/x448/float16"
)

// Weight is the element type of weights to quantize.
type Weight interface {
	float32 | float64 | float16.Float16 | BFloat16
}

// BFloat16 is the upper half of a float32. Most checkpoints have weights of this type.
type BFloat16 uint16

// Float32 returns b, which is exact.
func (b BFloat16) Float32() float32 { return math.Float32frombits(uint32(b) << 16) }

// Config says how to quantize. The zero value is the method of the paper: bitmod4,
// groups of 128, and codes and special values chosen with the unquantized scale.
type Config struct {
	// Type is the data type of the codes.
	Type datatype.Type
	// GroupSize is the number of consecutive columns that share a scale, at least 8. The
	// last group of a row may be shorter, so that a row has one group if GroupSize is
	// cols or more. 0 stands for the default of the type: 32 for MX types, 16 for NV
	// types, and 128 for all others.
	GroupSize int
	// Workers is the number of goroutines that quantize rows, 0 for
	// runtime.GOMAXPROCS. The result is the same for any number.
	Workers int

	// The options below go beyond the paper. They change which codes, special values
	// and scales are stored, and not the format.

	// Search rounds codes against the scale as it is stored, in 8 bits, and looks for
	// the scale, special value and zero-point with the least sum of squared errors, each
	// multiplied by
	//
	//	√(1 + w²/σ²)   σ² is the mean square of the group's weights
	//	a              with an Importance, and with Feedback
	//
	// The paper takes the scale from the largest weight instead. No row has a greater sum
	// than without Search. The factor √(1 + w²/σ²) is there because the inputs are not
	// known: the least plain sum clips the largest weights of a group to 0.85 to 0.9 of
	// their values, and where such a weight meets an input a hundred times the others,
	// outputs become several times worse. An Importance of 1 throughout gives the plain
	// sum.
	//
	// A smaller sum is no promise of a better model: docs/quality-research.md has the
	// effect of search on two models, by type and group size. Leave Search off to
	// reproduce the paper's results.
	Search bool
	// Importance has a number ≥ 0 for each column, commonly the mean square of the
	// activation that the column is multiplied by ([Hessian.Importance]). Selection and
	// search multiply squared errors by it. If Importance is nil, all columns count the
	// same. With Feedback, nil stands for the cost of an error after feedback, which
	// serves better there than mean squares.
	Importance []float64
	// Feedback, if not nil, quantizes column by column, and compensates the error of each
	// column in the columns after it.
	Feedback *Feedback
}

const (
	minGroupSize = 8
	maxGroupSize = math.MaxInt32
)

// resolve checks c and replaces zeros by the defaults they stand for.
func (c Config) resolve() (Config, error) {
	if _, err := c.Type.MarshalText(); err != nil {
		return c, err
	}
	if c.GroupSize == 0 {
		c.GroupSize = c.Type.GroupSize()
	}
	if c.GroupSize < minGroupSize || c.GroupSize > maxGroupSize {
		return c, shapeError("Config.GroupSize", c.GroupSize, "0 or %d to %d", minGroupSize, maxGroupSize)
	}
	if c.Workers < 0 {
		return c, shapeError("Config.Workers", c.Workers, "at least 0")
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	return c, nil
}

// checkColumns checks the options that have a number for each column.
func (c Config) checkColumns(cols int) error {
	if c.Importance != nil && len(c.Importance) != cols {
		return shapeError("len(Config.Importance)", len(c.Importance), "%d (columns)", cols)
	}
	return checkImportance(c.Importance)
}

func checkImportance(importance []float64) error {
	for i, a := range importance {
		if !(a >= 0) || math.IsInf(a, 0) {
			return fmt.Errorf("quant: importance of column %d is %v: %w", i, a, ErrNotFinite)
		}
	}
	return nil
}
