package kernel

// An implementation is one way to run the inner loops. All give the same bits:
// the package documentation defines every sum and its order, the portable one is
// that definition in Go, and TestConformance runs one body over all that this
// machine has.
//
// To be added, an implementation needs
//
//   - a constant here, a line in implementations (implementation_amd64.go, …)
//     that says which CPU features it wants, and a name;
//   - integerRows and floatRows (gemv_amd64.go, …), which compute the first rows
//     of lo…hi−1 into dst[lo:hi] and return the first row that they leave, lo if
//     type or group size is not theirs. They may leave the last columns of
//     each row, from a multiple of step on, to plan.integerRow and plan.floatRow,
//     which go on with the lanes they are given;
//   - loadBlocks, setRuns, dot, and batchRows (the rows of integerRows for a whole
//     batch), or the fall-backs to the generic code. Those but batchRows are in the
//     files *_asm.go for all architectures that have the functions in assembly whose
//     names end in Vector.
//
// These are plain functions that switch on the implementation rather than
// function values: through a function value, buffers would escape to the heap.
type implementation uint8

const (
	portable implementation = iota
	avx2
	avx512
	neon
	neonDot
)

func (i implementation) String() string {
	return [...]string{"portable", "avx2", "avx512", "neon", "neon-dot"}[i]
}

// best is what everything exported runs. It never changes.
var best = func() implementation {
	is := implementations()
	return is[len(is)-1]
}()

// Implementation returns the name of the inner loops that this process uses,
// such as "avx2" or "portable". They all give the same results.
func Implementation() string { return best.String() }
