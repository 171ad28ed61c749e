//go:build !(amd64 || arm64) || purego

package kernel

import "github.com/bitmod-go/bitmod/internal/loops"

// assembly reports whether this build has assembly.
const assembly = false

// hasPrefix reports whether Activations have a prefix.
const hasPrefix = false

// implementations returns the implementations for this machine, the fastest last.
func implementations() []implementation { return []implementation{portable} }

// This build has no assembly. The functions below do nothing, or call portable code.

func integerRows([]float32, *plan, *Activation, int, int, loop, implementation) {}

func panelRows([]float32, *plan, []Activation, int, int, bool, implementation) {}

func floatPanelRows([]float32, *plan, []Activation, int, int, implementation) {}

func floatRows(_ []float32, _ *plan, _ *Activation, lo, _ int, _ implementation) int { return lo }

func setRuns(_, _ []float32, _ implementation) (int, bool) { return 0, true }

func loadBlocks(*Activation, []float32, int, implementation) int { return 0 }

func remainders(_, _ []float32, _ *Activation, _ int, _ implementation) int { return 0 }

func dot(v []int16, q []int8, _ implementation) int32 { return dotGeneric(v, q) }

// panelSet returns the loops for panels of an implementation.
func panelSet(implementation) *loops.Set { return nil }
