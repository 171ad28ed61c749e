package accelerator

import (
	"cmp"
	"slices"
)

// A Task is one pass of a model: Tokens new tokens against Context tokens of
// keys and values. Decode chooses a design's array for single tokens.
type Task struct {
	Tokens, Context int
	Decode          bool
}

// Discriminative returns the paper's discriminative task, which is also the
// prefill of its generative one: one pass of 256 tokens.
func Discriminative() Task { return Task{Tokens: 256, Context: 256} }

// Generative returns one step of the paper's generative task: one token at a
// context of 256, the same for each of the 20.
func Generative() Task { return Task{Tokens: 1, Context: 256, Decode: true} }

// generatedTokens is the number of tokens that follow the prefill in the paper's
// generative task.
const generatedTokens = 20

func (t Task) check() error {
	if t.Tokens < 1 || t.Tokens > largest {
		return &configError{"Task.Tokens", t.Tokens, "1…2^24"}
	}
	if t.Context < 1 || t.Context > largest {
		return &configError{"Task.Context", t.Context, "1…2^24"}
	}
	return nil
}

// A System has the buffers and the DRAM around the array.
type System struct {
	DRAMBits       float64 // transferred in a cycle; at 1 GHz, 256 are 32 GB/s
	WeightBuffer   int     // bytes
	InputBuffer    int     // bytes
	ActivationBits int     // of inputs, outputs, keys and values

	DRAMEnergy    float64 // pJ per bit
	PlaceAndRoute float64 // factor on a synthesized element's energy
	SRAM          []SRAMCost

	// PerHeadAttention counts the products of attention head by head: the keys or
	// values of each key-value head are in the weight buffer, and the queries that
	// share them are the inputs. The default is the convention of the reference
	// simulator, which takes the query as the weight in scores, and multiplies each
	// head's queries by all heads. In both conventions an element spends as many cycles
	// on keys and values as on weights.
	PerHeadAttention bool
}

// DefaultSystem returns the system of the paper: a 128-bit double-rate DRAM (32 GB/s at
// the array's 1 GHz), and buffers of 512 KiB.
func DefaultSystem() System {
	return System{
		DRAMBits: 256, WeightBuffer: 512 << 10, InputBuffer: 512 << 10, ActivationBits: 16,
		DRAMEnergy: 2400. / 128, PlaceAndRoute: 1.5, SRAM: defaultSRAM(),
	}
}

// An SRAMCost is the energy of one access to a buffer that is Bits wide: pJ for
// a read, and pJ for each 64 bits of a write.
type SRAMCost struct {
	Bits, Read, Write64 float64
}

// defaultSRAM returns the costs of the 512 KiB buffers by width. The reference simulator
// gets them from CACTI (28 nm, 8 banks) and does not list them. The figures here were
// computed from the simulator's 60 published on-chip energies (five designs, six models,
// two tasks). They reproduce these energies to 1 µJ, the precision to which they are
// rounded. One of the 14 figures, the write at 576 bits, is interpolated, because it
// occurs in a single energy, together with the read.
func defaultSRAM() []SRAMCost {
	return []SRAMCost{
		{192, 66.580482, 14.152061},
		{256, 70.092278, 12.929486},
		{288, 72.595078, 12.026780},
		{384, 82.829505, 10.675094},
		{512, 92.795023, 10.419189},
		{576, 105.455384, 10.400000},
		{1024, 138.440760, 9.755845},
	}
}

// sram returns the costs at a width. They are interpolated linearly between the listed
// widths and constant beyond them. Without a list they are 0.
func (s System) sram(width float64) SRAMCost {
	if len(s.SRAM) == 0 {
		return SRAMCost{Bits: width}
	}
	i, found := slices.BinarySearchFunc(s.SRAM, width, func(c SRAMCost, w float64) int { return cmp.Compare(c.Bits, w) })
	switch {
	case found || i == 0:
		return s.SRAM[i]
	case i == len(s.SRAM):
		return s.SRAM[i-1]
	}
	a, b := s.SRAM[i-1], s.SRAM[i]
	f := (width - a.Bits) / (b.Bits - a.Bits)
	return SRAMCost{width, a.Read + float64(f*(b.Read-a.Read)), a.Write64 + float64(f*(b.Write64-a.Write64))}
}

func (s System) check() error {
	switch {
	case !(s.DRAMBits > 0):
		return &configError{"System.DRAMBits", s.DRAMBits, "more than 0"}
	case s.WeightBuffer < 1:
		return &configError{"System.WeightBuffer", s.WeightBuffer, "at least 1 byte"}
	case s.InputBuffer < 1:
		return &configError{"System.InputBuffer", s.InputBuffer, "at least 1 byte"}
	case s.ActivationBits < 1 || s.ActivationBits > 64:
		return &configError{"System.ActivationBits", s.ActivationBits, "1…64"}
	case !slices.IsSortedFunc(s.SRAM, func(a, b SRAMCost) int { return cmp.Compare(a.Bits, b.Bits) }):
		return &configError{"System.SRAM", "unsorted", "ascending widths"}
	}
	return nil
}
