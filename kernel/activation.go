package kernel

import "math"

// An Activation is a vector to multiply matrices by. It is prepared once for any number
// of matrices, of any type and group size. The zero value is ready for one of the Load
// methods. Each of them replaces what was loaded before and reuses its memory, so that it
// allocates only when the vector is longer than any before.
//
// A loaded Activation is only read, and may be shared by any number of goroutines. A Load
// method must not run at the same time as anything else. An Activation must not be
// copied: a copy would share memory with the original, so that loading one would change
// the other. go vet reports copies. A batch is a slice that is made at its full length.
type Activation struct {
	_ noCopy

	n    int // columns; 0 until something is loaded
	mode mode

	// After Load16, planes has two vectors in the mode of Load, whose sum is the loaded
	// vector; x is scratch memory, and nothing else is set. After LoadFloat, only x is
	// set. After Load, everything but planes is set.
	planes []Activation

	// All slices are padded with zeros to a multiple of step columns.
	q      []int8    // the integers
	d      []float32 // by block: the scale
	corr   []int32   // by block: offset · Σ q
	corr16 []int16   // by 16 columns: offset · Σ q
	prefix []int32   // −offset · Σ q of all columns before 16·i, if hasPrefix
	x      []float32 // the loaded vector, in laneOrder
}

// noCopy has the methods that make go vet report copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A mode tells which method loaded an Activation.
type mode uint8

const (
	int8Mode  mode = iota // Load
	int16Mode             // Load16
	floatMode             // LoadFloat
)

const (
	// block is the number of columns that share an activation scale.
	block = 128
	// step is the number of columns to whose multiple an Activation is padded: four
	// blocks, a chunk of 3-bit codes.
	step = 512
	// lanes is the number of float32 sums of a row in integer mode.
	lanes = 4
	// floatLanes is the number of float32 sums in float mode, where a lane has four
	// columns of each block.
	floatLanes = 32
	// Vector code adds offset to the integers of types of at most 4 bits. No integer of
	// these types is beyond ±16, so the sums are not negative.
	offset = 16

	// minAmax is the least amax of a block. A block with a smaller amax counts as zero,
	// because 127/amax could be infinite.
	minAmax = 0x1p-120
)

// Load prepares x as 8-bit integers with a scale per block of 128: the fast mode. The
// package documentation gives the rounding. If x is empty (ErrShape) or has a NaN or an
// infinity (ErrNotFinite), Load returns an error, and nothing is loaded.
func (a *Activation) Load(x []float32) error { return a.load(x, best) }

func (a *Activation) load(x []float32, impl implementation) error {
	if err := a.start(len(x)); err != nil {
		return err
	}
	a.growIntegers(len(x))
	whole := len(x) / block * block
	done := loadBlocks(a, x[:whole], 0, impl)
	if done == whole && done < len(x) && impl != portable {
		// The columns after the whole blocks are a block whose other columns are 0.
		var end [block]float32
		copy(end[:], x[done:])
		done += loadBlocks(a, end[:], done/block, impl)
	}
	for lo := done; lo < len(x); lo += block {
		if i := loadBlock(a, x[lo:min(lo+block, len(x))], lo/block); i >= 0 {
			return &ActivationError{Index: lo + i, Value: x[lo+i]}
		}
	}
	a.pad(len(x))
	if hasPrefix {
		a.setPrefix()
	}
	a.n, a.mode = len(x), int8Mode
	return nil
}

// setPrefix sets prefix.
func (a *Activation) setPrefix() {
	var sum int32
	for i, c := range a.corr16 {
		a.prefix[i] = sum
		sum -= int32(c)
	}
	a.prefix[len(a.corr16)] = sum
}

// loadBlock loads x as block b. If x has a NaN or an infinity, it returns the index of
// the first.
func loadBlock(a *Activation, x []float32, b int) int {
	var amax float32
	for i, v := range x {
		if v-v != 0 {
			return i
		}
		amax = max(amax, v, -v)
	}
	q := a.q[b*block:]
	if amax < minAmax {
		a.d[b], a.corr[b] = 0, 0
		clear(q[:len(x)])
		clear(a.corr16[b*8 : b*8+8])
		return -1
	}
	d, r := amax/127, 127/amax
	a.d[b] = d
	var sum int32
	var sum16 [8]int16
	for i, v := range x {
		n := math.RoundToEven(float64(float32(v * r)))
		q[i] = int8(n)
		sum16[i/16] += offset * int16(n)
		sum += offset * int32(n)
	}
	a.corr[b] = sum
	copy(a.corr16[b*8:], sum16[:])
	return -1
}

// laneRun is the number of columns within which activations are reordered. A load of
// codes gives words of codes, and shifts then extract four codes from each word, one per
// shift. So x has the first of every four columns, then the second of every four, and so
// on.
const laneRun = 64

// laneOrder returns the index of column c in Activation.x.
func laneOrder(c int) int { return c&^63 | c&3<<4 | c>>2&15 }

// laneOf returns the lane of column c in float mode.
func laneOf(c int) int { return c / 4 % floatLanes }

// LoadFloat keeps x as it is, in float32: the exact mode. If x is empty (ErrShape) or has
// a NaN or an infinity (ErrNotFinite), LoadFloat returns an error, and nothing is loaded.
func (a *Activation) LoadFloat(x []float32) error {
	return a.loadFloat(x, best)
}

func (a *Activation) loadFloat(x []float32, impl implementation) error {
	if err := a.start(len(x)); err != nil {
		return err
	}
	a.x = grow(a.x, len(x))
	if !a.setFloats(x, impl) {
		for i, v := range x {
			if v-v != 0 {
				return &ActivationError{Index: i, Value: v}
			}
		}
	}
	a.n, a.mode = len(x), floatMode
	return nil
}

// setFloats sets x, and reports whether all are finite.
func (a *Activation) setFloats(x []float32, impl implementation) bool {
	whole := len(x) / laneRun * laneRun
	done, finite := setRuns(a.x, x[:whole], impl)
	if done == whole && done < len(x) && impl != portable {
		var end [laneRun]float32
		copy(end[:], x[done:])
		n, ok := setRuns(a.x[done:], end[:], impl)
		done, finite = done+n, finite && ok
	}
	clear(a.x[max(done, whole):])
	for i := done; i < len(x); i++ {
		v := x[i]
		finite = finite && v-v == 0
		a.x[laneOrder(i)] = v
	}
	return finite
}

func (a *Activation) start(n int) error {
	if a == nil {
		return shapeError("number of activations", 0, "1: a is nil")
	}
	a.n = 0
	if n == 0 {
		return shapeError("len(x)", 0, "at least 1")
	}
	return nil
}

func (a *Activation) growIntegers(n int) {
	padded := (n + step - 1) / step * step
	a.q = resize(a.q, padded)
	a.d = resize(a.d, padded/block)
	a.corr = resize(a.corr, padded/block)
	a.corr16 = resize(a.corr16, padded/16)
	if hasPrefix {
		a.prefix = resize(a.prefix, padded/16+1)
	}
}

// pad clears the padding after n columns.
func (a *Activation) pad(n int) {
	clear(a.q[n:])
	b := (n-1)/block + 1
	clear(a.d[b:])
	clear(a.corr[b:])
	clear(a.corr16[b*8:])
}

// grow returns s with the length n rounded up to whole steps.
func grow(s []float32, n int) []float32 { return resize(s, (n+step-1)/step*step) }

func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
