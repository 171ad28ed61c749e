//go:build arm64 && !purego

package algebra

// Have reports whether there are loops for this processor.
func Have() bool { return true }

// Gram, Take and Reduce do what their arguments say.
func Gram(a *GramArgs)     { gramNEON(a) }
func Take(a *TakeArgs)     { takeNEON(a) }
func Reduce(a *ReduceArgs) { reduceNEON(a) }

//go:noescape
func gramNEON(a *GramArgs)

//go:noescape
func takeNEON(a *TakeArgs)

//go:noescape
func reduceNEON(a *ReduceArgs)
