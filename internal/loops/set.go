package loops

// The ways in which Meta writes numbers, and Dots adds sums up: see MetaArgs and
// DotArgs.
const (
	MetaTable = iota
	MetaSum
	MetaInt
	MetaFloat
	MetaE8M0
	MetaE4M3
	metas
)

const (
	DotsOne = iota
	DotsInt
	DotsFloat
	dots
)

// A Range is a range of integers for the weights of a panel. The narrower it is, the
// more products fit into 16 bits.
type Range int

const (
	Range16  Range = iota // −16 to 16
	Range32               // −32 to 32
	Range128              // −128 to 127
	ranges
)

// RangeOf returns the narrowest range with all numbers from least to most, and whether
// there is one.
func RangeOf(least, most int) (Range, bool) {
	switch {
	case least >= -16 && most <= 16:
		return Range16, true
	case least >= -32 && most <= 32:
		return Range32, true
	}
	return Range128, least >= -128 && most <= 127
}

// A Set has the functions for one kind of processor. It must not be changed.
type Set struct {
	// Lanes is the number of rows that Table, Sum and Meta take at a time.
	Lanes int
	// Band is the number of rows that Dots take at a time: a divisor of PanelRows.
	Band int
	// Offset is the number that panels add to weights, by range.
	Offset [ranges]int

	// Table is indexed by the bits of a code, and by the bits of a code and its
	// selector less 4, or 0 if that is negative.
	Table [7][3]func(*PanelArgs)
	// Sum is indexed by the bits of a code.
	Sum  [9]func(*PanelArgs)
	Meta [metas]func(*MetaArgs)
	// Dots is indexed by the range of weights, the way of adding up, and the number of
	// vectors. Some numbers have no function: see Vectors.
	Dots [ranges][dots][MaxVectors + 1]func(*DotArgs)

	// The functions for float mode, nil if there are none. FloatRows is the number of
	// rows that they take at a time, a divisor of Band. Widen is indexed by the
	// conversion of bytes to floats, Floats by the number of vectors, and Few, for
	// small numbers of vectors, by both: see FloatVectors.
	FloatRows   int
	Widen       [floats]func(*WidenArgs)
	Floats      [MaxFloats + 1]func(*FloatArgs)
	Few         [floats][MaxFew + 1]func(*FloatArgs)
	FloatFinish func(*FloatFinishArgs)
	Quads       func(*QuadsArgs)

	floats int      // the greatest number of vectors that there is one of Floats for
	few    int      // the same for Few
	take   [9]uint8 // by the number of vectors that are left, from 1 on; the last is for more
}

// Vectors returns the number of vectors for the next call of Dots, if n ≥ 1 are left.
func (s *Set) Vectors(n int) int { return int(s.take[min(n, len(s.take))-1]) }

// FloatVectors returns the number of vectors for the next call of Floats, if n ≥ 1 are
// left. It divides them into about equal parts.
func (s *Set) FloatVectors(n int) int {
	calls := (n-1)/s.floats + 1
	return (n-1)/calls + 1
}

// AreFew reports whether Few take n vectors at a time.
func (s *Set) AreFew(n int) bool { return n <= s.few }
