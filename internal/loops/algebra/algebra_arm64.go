//go:build arm64 && !purego

package algebra

const neon Set = 1

var sets = [...]Set{neon}

// Sets returns all loops for this processor, the best last.
func Sets() []Set { return sets[:] }

// String returns the name of the processor's feature.
func (s Set) String() string { return [...]string{"none", "neon"}[s] }

// Gram, Take and Reduce compute what their arguments describe.
func (Set) Gram(a *GramArgs)     { gramNEON(a) }
func (Set) Take(a *TakeArgs)     { takeNEON(a) }
func (Set) Reduce(a *ReduceArgs) { reduceNEON(a) }

//go:noescape
func gramNEON(a *GramArgs)

//go:noescape
func takeNEON(a *TakeArgs)

//go:noescape
func reduceNEON(a *ReduceArgs)
