//go:build amd64 && !purego

package loops

// RowsAVX512 runs the function for codes of 3 or 4 bits, groups of so many columns
// and a.SelectorBits. Groups of 512 columns are those of any power of two from there on,
// of which StepShift says which, and of whole rows; those of 64 columns and fewer are
// fine.
func RowsAVX512(a *RowArgs, bits, group int) {
	switch {
	case bits == 3 && group < 128 && a.SelectorBits == 0:
		rows3fine0AVX512(a)
	case bits == 3 && group < 128:
		rows3fineAVX512(a)
	case group < 128 && a.SelectorBits == 0:
		rows4fine0AVX512(a)
	case group < 128:
		rows4fineAVX512(a)
	case bits == 3 && group >= 512:
		rows3group512AVX512(a)
	case bits == 3 && group == 256:
		rows3group256AVX512(a)
	case bits == 3 && a.SelectorBits == 0:
		rows3x0AVX512(a)
	case bits == 3 && a.SelectorBits == 2:
		rows3x2AVX512(a)
	case bits == 3 && a.SelectorBits == 4:
		rows3x4AVX512(a)
	case bits == 3:
		rows3group128AVX512(a)
	case group >= 512:
		rows4group512AVX512(a)
	case group == 256:
		rows4group256AVX512(a)
	case a.SelectorBits == 0:
		rows4x0AVX512(a)
	case a.SelectorBits == 2:
		rows4x2AVX512(a)
	case a.SelectorBits == 4:
		rows4x4AVX512(a)
	default:
		rows4group128AVX512(a)
	}
}

//go:noescape
func rows3x0AVX512(a *RowArgs)

//go:noescape
func rows3x2AVX512(a *RowArgs)

//go:noescape
func rows3x4AVX512(a *RowArgs)

//go:noescape
func rows3group128AVX512(a *RowArgs)

//go:noescape
func rows3group256AVX512(a *RowArgs)

//go:noescape
func rows3group512AVX512(a *RowArgs)

//go:noescape
func rows4x0AVX512(a *RowArgs)

//go:noescape
func rows4x2AVX512(a *RowArgs)

//go:noescape
func rows4x4AVX512(a *RowArgs)

//go:noescape
func rows4group128AVX512(a *RowArgs)

//go:noescape
func rows4group256AVX512(a *RowArgs)

//go:noescape
func rows4group512AVX512(a *RowArgs)

//go:noescape
func rows3fine0AVX512(a *RowArgs)

//go:noescape
func rows3fineAVX512(a *RowArgs)

//go:noescape
func rows4fine0AVX512(a *RowArgs)

//go:noescape
func rows4fineAVX512(a *RowArgs)
