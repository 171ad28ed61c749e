package quant

import (
	"math"
	"runtime"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/x448/float16"
)

// Weight is the element type of weights to quantize.
type Weight interface {
	float32 | float64 | float16.Float16
}

// Config says how to quantize. The zero value is the paper's: bitmod4, groups of
// 128, and codes and special values chosen with the unquantized scale.
type Config struct {
	// Type is the data type of the codes.
	Type datatype.Type
	// GroupSize is the number of consecutive columns that share a scale, at
	// least 8. The last group of a row may be shorter. 0 is the type's own: 128,
	// but 32 for MX and 16 for NV types.
	GroupSize int
	// Workers is the number of goroutines that quantize rows, 0 for
	// runtime.GOMAXPROCS. The result is the same for any number.
	Workers int
}

const (
	minGroupSize = 8
	maxGroupSize = math.MaxInt32
)

// resolve checks c and fills in what 0 stands for.
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
