//go:build !(amd64 || arm64) || purego

package algebra

// Sets returns all loops for this processor, the best last.
func Sets() []Set { return nil }

// String returns the name of the processor's feature.
func (Set) String() string { return "none" }

// There are no loops, so these methods do nothing and are never called.
func (Set) Gram(*GramArgs)     {}
func (Set) Take(*TakeArgs)     {}
func (Set) Reduce(*ReduceArgs) {}
