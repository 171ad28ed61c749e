package accelerator

import "math"

// A Design is an accelerator: an array of processing elements for each of the
// two kinds of task, and the element.
type Design struct {
	Name    string
	Prefill Array // for discriminative tasks and prompts
	Decode  Array // for one token at a time
	// Lanes is the number of weights that an element takes at a time.
	Lanes int
	// BitSerial elements need ⌈⌊bits⌋/2⌉ cycles for Lanes weights. Other elements need
	// one.
	BitSerial bool
	// PEEnergy is the energy of an element in a cycle in pJ, and PEArea its area
	// in µm², as synthesized (28 nm).
	PEEnergy, PEArea float64
}

// An Array is Rows × Cols processing elements, for Rows output channels and Cols tokens
// at a time. WeightBits is the precision of the weights. Fractions of a bit are scales
// and selectors, or an average over layers.
type Array struct {
	Rows, Cols int
	WeightBits float64
}

// The designs of the paper's evaluation, which have about the same area. ANT and OliVe
// have 8-bit weights in some layers to keep a quality near that of BitMoD, so their
// precision is an average that depends on the model.

// FP16 returns the baseline: 16-bit weights, one multiplication a cycle.
func FP16() Design {
	return Design{
		Name: "fp16", Lanes: 1, PEEnergy: .77, PEArea: 1968.7,
		Prefill: Array{32, 24, 16}, Decode: Array{64, 12, 16},
	}
}

// BitMoDLossless returns BitMoD with INT6 weights, and one 8-bit scale in a group
// of 128.
func BitMoDLossless() Design {
	return Design{
		Name: "bitmod_lossless", Lanes: 4, BitSerial: true, PEEnergy: .56, PEArea: 1507.7,
		Prefill: Array{32, 32, 6.0625}, Decode: Array{64, 16, 6.0625},
	}
}

// BitMoDLossy returns BitMoD with 4-bit weights for discriminative tasks and
// 3-bit weights for generative ones.
func BitMoDLossy() Design {
	d := BitMoDLossless()
	d.Name = "bitmod_lossy"
	d.Prefill.WeightBits, d.Decode.WeightBits = 4.0625, 3.0625
	return d
}

// ANT returns ANT (arXiv 2208.14286) with the precision that the paper's simulator has
// for the model. A model that the simulator does not know gets the precision of
// Llama-2-7B.
func ANT(model string) Design {
	bits := 5.
	switch model {
	case "yi-6b":
		bits = 5.25
	case "llama-3-8b":
		bits = 4.5
	}
	return Design{
		Name: "ant", Lanes: 1, PEEnergy: .56, PEArea: 1318.6,
		Prefill: Array{32, 32, 5.5}, Decode: Array{64, 16, bits},
	}
}

// OliVe returns OliVe (arXiv 2304.07493) with the precision that the paper's simulator
// has for the model. A model that the simulator does not know gets the precision of
// Llama-2-7B.
func OliVe(model string) Design {
	bits := 3.75
	switch model {
	case "opt-1.3b":
		bits = 3.875
	case "phi-2":
		bits = 4
	case "yi-6b":
		bits = 4.25
	case "llama-3-8b":
		bits = 3.5
	}
	return Design{
		Name: "olive", Lanes: 1, PEEnergy: .613, PEArea: 1318.6,
		Prefill: Array{36, 32, 4.5}, Decode: Array{72, 16, bits},
	}
}

// Designs returns the five designs, FP16, BitMoDLossless, BitMoDLossy, ANT and OliVe,
// with the precisions for the named model.
func Designs(model string) []Design {
	return []Design{FP16(), BitMoDLossless(), BitMoDLossy(), ANT(model), OliVe(model)}
}

func (d Design) array(t Task) Array {
	if t.Decode {
		return d.Decode
	}
	return d.Prefill
}

// PeakMACs returns the largest number of multiplications that d does in a cycle.
func (d Design) PeakMACs(t Task) float64 {
	a := d.array(t)
	return float64(a.Rows) * float64(a.Cols) * float64(d.Lanes) / d.latency(a)
}

// latency returns the cycles that an element spends on Lanes weights.
func (d Design) latency(a Array) float64 {
	if d.BitSerial {
		return math.Ceil(math.Floor(a.WeightBits) / 2)
	}
	return 1
}

// sramBits returns the widths of the reads that keep the array busy: weights for its
// rows and activations for its columns. Weights take a multiple of 4 bits in the
// buffer; a bit-serial array needs new ones every other cycle at most.
func (d Design) sramBits(a Array, activationBits float64) (weights, inputs float64) {
	weights = float64(d.Lanes) * math.Ceil(a.WeightBits/4) * 4 * float64(a.Rows)
	inputs = float64(d.Lanes) * activationBits * float64(a.Cols)
	if d.BitSerial {
		weights, inputs = weights/2, inputs/2
	}
	return weights, inputs
}

func (d Design) check(t Task) error {
	a := d.array(t)
	for _, f := range []struct {
		name  string
		value int
	}{{"Rows", a.Rows}, {"Cols", a.Cols}, {"Lanes", d.Lanes}} {
		if f.value < 1 || f.value > largest {
			return &configError{"Design." + f.name, f.value, "1…2^24"}
		}
	}
	if !(a.WeightBits >= 1 && a.WeightBits <= 64) {
		return &configError{"Design.WeightBits", a.WeightBits, "1…64"}
	}
	if !(d.PEEnergy >= 0) {
		return &configError{"Design.PEEnergy", d.PEEnergy, "0 or more"}
	}
	return nil
}
