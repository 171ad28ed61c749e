//go:build !(amd64 || arm64) || purego

package algebra

// Have reports whether there are loops for this processor.
func Have() bool { return false }

// Gram, Take and Reduce are not there.
func Gram(*GramArgs)     {}
func Take(*TakeArgs)     {}
func Reduce(*ReduceArgs) {}
