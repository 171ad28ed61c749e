//go:build amd64 && !purego

package floats

import "testing"

// TestLesserSets checks that processors with fewer instructions give the same bits.
func TestLesserSets(t *testing.T) {
	defer func(s instructionSet) { set = s }(set)
	for set--; set >= none; set-- {
		TestDefinition(t)
		TestMultiply(t)
	}
}
