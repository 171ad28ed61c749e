//go:build arm64 && !purego

package algebra

// sets returns the loops of each kind that the processor has.
func sets() []set { return []set{{"neon", gramNEON, takeNEON, reduceNEON}} }
