//go:build amd64 && !purego

package loops

// RowsAVX512 runs the function for codes of bits bits and a.SelectorBits. HasRows must
// be true.
func RowsAVX512(a *RowArgs, bits, scale int) {
	any := a.SelectorBits > 0
	two := a.SelectorBits == 2 && a.BlockShift == 0
	switch scale {
	case RowsE8M0:
		if any {
			rows4E8M0AnyAVX512(a)
		} else {
			rows4E8M0AVX512(a)
		}
	case RowsE4M3:
		if any {
			rows4E4M3AnyAVX512(a)
		} else {
			rows4E4M3AVX512(a)
		}
	case RowsFine:
		switch {
		case bits == 3 && a.SelectorBits == 4:
			rows3FineZeroAVX512(a)
		case bits == 4 && a.SelectorBits == 4:
			rows4FineZeroAVX512(a)
		case bits == 3 && a.SelectorBits == 2 && a.BlockShift == -2:
			rows3FinePairAVX512(a)
		case bits == 4 && a.SelectorBits == 2 && a.BlockShift == -2:
			rows4FinePairAVX512(a)
		case bits == 3 && a.SelectorBits == 2 && a.BlockShift < 0:
			rows3FineHalfAVX512(a)
		case bits == 4 && a.SelectorBits == 2 && a.BlockShift < 0:
			rows4FineHalfAVX512(a)
		case bits == 3 && any:
			rows3FineAnyAVX512(a)
		case bits == 3:
			rows3FineAVX512(a)
		case bits == 4 && any:
			rows4FineAnyAVX512(a)
		case bits == 4:
			rows4FineAVX512(a)
		case bits == 5:
			rows5FineAVX512(a)
		case bits == 6:
			rows6FineAVX512(a)
		case bits == 7:
			rows7FineAVX512(a)
		default:
			rows8FineAVX512(a)
		}
	default:
		switch {
		case bits == 3 && two:
			rows3TwoAVX512(a)
		case bits == 3 && any:
			rows3AnyAVX512(a)
		case bits == 3:
			rows3AVX512(a)
		case bits == 4 && two:
			rows4TwoAVX512(a)
		case bits == 4 && any:
			rows4AnyAVX512(a)
		case bits == 4:
			rows4AVX512(a)
		case bits == 5:
			rows5AVX512(a)
		case bits == 6:
			rows6AVX512(a)
		case bits == 7:
			rows7AVX512(a)
		default:
			rows8AVX512(a)
		}
	}
}

//go:noescape
func rows3AVX512(a *RowArgs)

//go:noescape
func rows3TwoAVX512(a *RowArgs)

//go:noescape
func rows3AnyAVX512(a *RowArgs)

//go:noescape
func rows4AVX512(a *RowArgs)

//go:noescape
func rows4TwoAVX512(a *RowArgs)

//go:noescape
func rows4AnyAVX512(a *RowArgs)

//go:noescape
func rows5AVX512(a *RowArgs)

//go:noescape
func rows6AVX512(a *RowArgs)

//go:noescape
func rows7AVX512(a *RowArgs)

//go:noescape
func rows8AVX512(a *RowArgs)

//go:noescape
func rows3FineAVX512(a *RowArgs)

//go:noescape
func rows3FineAnyAVX512(a *RowArgs)

//go:noescape
func rows4FineAVX512(a *RowArgs)

//go:noescape
func rows4FineAnyAVX512(a *RowArgs)

//go:noescape
func rows3FinePairAVX512(a *RowArgs)

//go:noescape
func rows4FinePairAVX512(a *RowArgs)

//go:noescape
func rows3FineHalfAVX512(a *RowArgs)

//go:noescape
func rows4FineHalfAVX512(a *RowArgs)

//go:noescape
func rows3FineZeroAVX512(a *RowArgs)

//go:noescape
func rows4FineZeroAVX512(a *RowArgs)

//go:noescape
func rows5FineAVX512(a *RowArgs)

//go:noescape
func rows6FineAVX512(a *RowArgs)

//go:noescape
func rows7FineAVX512(a *RowArgs)

//go:noescape
func rows8FineAVX512(a *RowArgs)

//go:noescape
func rows4E8M0AVX512(a *RowArgs)

//go:noescape
func rows4E8M0AnyAVX512(a *RowArgs)

//go:noescape
func rows4E4M3AVX512(a *RowArgs)

//go:noescape
func rows4E4M3AnyAVX512(a *RowArgs)
