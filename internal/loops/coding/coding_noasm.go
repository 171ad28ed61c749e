//go:build !(amd64 || arm64) || purego

package coding

// Best returns the functions for this processor, nil if there are none.
func Best() *Set { return nil }

// Sets returns all functions for this processor, the best last.
func Sets() []*Set { return nil }
