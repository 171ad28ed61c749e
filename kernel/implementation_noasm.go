//go:build !(amd64 || arm64) || purego

package kernel

import "github.com/bitmod-go/bitmod/internal/loops"

// assembly says whether there is any in this build.
const assembly = false

// hasPrefix says whether an Activation has prefix.
const hasPrefix = false

// implementations returns those of this machine, the fastest last.
func implementations() []implementation { return []implementation{portable} }

// There are no loops that these are for.

func integerRows([]float32, *plan, *Activation, int, int, loop, implementation) {}

func panelRows([]float32, *plan, []Activation, int, int, bool, implementation) {}

func floatPanelRows([]float32, *plan, []Activation, int, int, implementation) {}

func floatRows(_ []float32, _ *plan, _ *Activation, lo, _ int, _ implementation) int { return lo }

func setRuns(_, _ []float32, _ implementation) (int, bool) { return 0, true }

func loadBlocks(*Activation, []float32, int, implementation) int { return 0 }

func remainders(_, _ []float32, _ *Activation, _ int, _ implementation) int { return 0 }

func dot(v []int16, q []int8, _ implementation) int32 { return dotGeneric(v, q) }

// panelSet returns the loops for panels that an implementation has.
func panelSet(implementation) *loops.Set { return nil }
