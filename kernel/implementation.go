package kernel

// An implementation is one way to run the inner loops. All give the same bits:
// the package documentation defines every sum and its order, the portable one is
// that definition in Go, and TestConformance runs one body over all that this
// machine has.
//
// To be added, an implementation needs
//
//   - a constant here, a line in implementations (implementation_amd64.go, …) with the
//     CPU features that it needs, and a name;
//   - panelSet (implementation_amd64.go, …): the set of loops for panels, from
//     package internal/loops, which serve all types, groups, widths and batches. An
//     implementation may also have loops that are faster for some matrices:
//     integerRows (gemv_amd64.go, …) runs them, routes in loop.go has a line for each
//     that says for which matrices, and heads lets panels do only the last columns of
//     rows;
//   - floatRows (float_amd64.go, …), which computes the first of the rows lo to hi−1
//     into dst[lo:hi] and returns the first row that it leaves. It returns lo if it
//     has no loop for the type or group size. It may leave the last columns of each
//     row, from a multiple of step on, to plan.floatRow, which continues with the lanes
//     that it is given;
//   - loadBlocks, setRuns, remainders and dot, or calls of the generic code in their
//     place. Architectures with assembly share the files *_asm.go, and have the
//     functions whose names end in Vector.
//
// These are plain functions that switch on the implementation rather than function
// values: through a function value, buffers would escape to the heap. A set consists of
// function values, so panels take their buffers from a pool.
type implementation uint8

const (
	portable implementation = iota
	avx2
	avxVNNI
	avx512
	neon
	neonDot
	neonMatrix
	implementationCount
)

func (i implementation) String() string {
	return [...]string{"portable", "avx2", "avx-vnni", "avx512", "neon", "neon-dot", "neon-i8mm"}[i]
}

// best is the implementation that all exported functions use. It never changes.
var best = func() implementation {
	is := implementations()
	return is[len(is)-1]
}()

// Implementation returns the name of the inner loops that this process uses,
// such as "avx2" or "portable". They all give the same results.
func Implementation() string { return best.String() }
