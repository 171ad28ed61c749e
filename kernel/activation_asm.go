//go:build (amd64 || arm64) && !purego

package kernel

// Functions whose names end in Vector are in assembly for each architecture, in files
// named for the instructions that they need: AVX2 or NEON.

// loadArgs point at blocks of an Activation.
type loadArgs struct {
	x      *float32
	q      *int8
	d      *float32
	corr   *int32
	corr16 *int16
	blocks int // at least 1
}

// loadBlocksVector loads blocks, and returns the number of blocks before the first with
// a NaN or an infinity.
//
//go:noescape
func loadBlocksVector(a *loadArgs) int

// setRunsVector writes n times 64 floats of x to dst in laneOrder, and returns the
// largest of their bits without the sign.
//
//go:noescape
func setRunsVector(dst, x *float32, n int) uint32

// remaindersVector sets r to x − q·d, the remainders of 128·blocks columns. Each
// remainder is rounded once.
//
//go:noescape
func remaindersVector(r, x *float32, q *int8, d *float32, blocks int)

// remainders sets r to the remainders of whole blocks of x from block b on, and returns
// the number of columns that are done.
func remainders(r, x []float32, a *Activation, b int, impl implementation) int {
	if impl == portable || len(x) < block {
		return 0
	}
	n := len(x) / block
	remaindersVector(&r[0], &x[0], &a.q[b*block], &a.d[b], n)
	return n * block
}

// loadBlocks loads whole blocks from block b on, and returns the number of columns that
// are done. It stops before a block with a NaN or an infinity.
func loadBlocks(a *Activation, x []float32, b int, impl implementation) int {
	if impl == portable || len(x) < block {
		return 0
	}
	args := loadArgs{
		x: &x[0], q: &a.q[b*block], d: &a.d[b],
		corr: &a.corr[b], corr16: &a.corr16[b*8], blocks: len(x) / block,
	}
	return block * loadBlocksVector(&args)
}

// setRuns sets dst to whole runs of x, and returns the number of columns that are done
// and whether all of them are finite.
func setRuns(dst, x []float32, impl implementation) (int, bool) {
	const infinity = 0x7f800000
	n := len(x) / laneRun
	if impl == portable || n == 0 {
		return 0, true
	}
	return n * laneRun, setRunsVector(&dst[0], &x[0], n) < infinity
}
