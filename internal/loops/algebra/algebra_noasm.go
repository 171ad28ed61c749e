//go:build !amd64 || purego

package algebra

// Have reports whether there are loops for this processor.
func Have() bool { return false }

// Gram, Take1 and Take4 are not there.
func Gram(*GramArgs)  {}
func Take1(*TakeArgs) {}
func Take4(*TakeArgs) {}
