//go:build amd64 && !purego

package floats

import "golang.org/x/sys/cpu"

// An instructionSet is one that there is assembly for.
type instructionSet int

const (
	none instructionSet = iota
	avx2
	avx512
)

// set is the best instruction set of the processor.
var set = func() instructionSet {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return none
	case cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL:
		return avx512
	}
	return avx2
}()

// Fast reports whether there is assembly for this processor.
func Fast() bool { return set != none }

// multiplyColumns computes the first columns, a multiple of 16, and returns their number.
func multiplyColumns(c, a, b Matrix, m, n, k int) int {
	if n < Lanes || set == none {
		return 0
	}
	n -= n % Lanes
	// The last elements are there, or this panics.
	_, _, _ = c.row(m-1, n), a.row(m-1, k), b.row(k-1, n)
	args := MultiplyArgs{StrideC: 4 * c.Stride, StrideA: 4 * a.Stride, StrideB: 4 * b.Stride, K: k}
	for j := 0; j < n; {
		vectors := 1
		if set == avx512 || m < 3 { // with AVX2, several rows leave registers for only one vector
			switch rest := (n - j) / Lanes; {
			case rest >= 4:
				vectors = 4
			case rest >= 2:
				vectors = 2
			}
		}
		args.B = &b.Data[j]
		for i := 0; i < m; {
			args.A, args.C = &a.Data[i*a.Stride], &c.Data[i*c.Stride+j]
			if set == avx512 {
				i += multiplyRowsAVX512(&args, vectors, m-i)
			} else {
				i += multiplyRowsAVX2(&args, vectors, m-i)
			}
		}
		j += vectors * Lanes
	}
	return n
}

// multiplyRowsAVX512 computes up to rows rows, and returns their number. The functions are
// called directly: through a table, their arguments would escape to the heap.
func multiplyRowsAVX512(a *MultiplyArgs, vectors, rows int) int {
	switch {
	case rows >= 6:
		switch vectors {
		case 4:
			multiply6x4AVX512(a)
		case 2:
			multiply6x2AVX512(a)
		default:
			multiply6x1AVX512(a)
		}
		return 6
	case rows >= 3:
		switch vectors {
		case 4:
			multiply3x4AVX512(a)
		case 2:
			multiply3x2AVX512(a)
		default:
			multiply3x1AVX512(a)
		}
		return 3
	}
	switch vectors {
	case 4:
		multiply1x4AVX512(a)
	case 2:
		multiply1x2AVX512(a)
	default:
		multiply1x1AVX512(a)
	}
	return 1
}

// multiplyRowsAVX2 is multiplyRowsAVX512 for AVX2.
func multiplyRowsAVX2(a *MultiplyArgs, vectors, rows int) int {
	switch {
	case vectors == 4:
		multiply1x4AVX2(a)
	case vectors == 2:
		multiply1x2AVX2(a)
	case rows >= 6:
		multiply6x1AVX2(a)
		return 6
	case rows >= 3:
		multiply3x1AVX2(a)
		return 3
	default:
		multiply1x1AVX2(a)
	}
	return 1
}

// addRow is AddRow for the first elements, and returns their number.
func addRow(x, y []float32) int {
	a := RowArgs{&x[0], &y[0], len(y)}
	switch set {
	case avx512:
		addAVX512(&a)
	case avx2:
		addAVX2(&a)
	default:
		return 0
	}
	return len(y)
}

func (n *Norm) layer(dst, x []float32) bool {
	if set == none {
		return false
	}
	a := NormArgs{&dst[0], &x[0], &n.Weight[0], &n.Bias[:len(x)][0], len(x), float32(len(x)), n.Eps}
	if set == avx512 {
		layerAVX512(&a)
	} else {
		layerAVX2(&a)
	}
	return true
}

func (n *Norm) rms(dst, x []float32) bool {
	if set == none {
		return false
	}
	a := NormArgs{Dst: &dst[0], X: &x[0], Weight: &n.Weight[0], N: len(x), Count: float32(len(x)), Eps: n.Eps}
	if set == avx512 {
		rmsAVX512(&a)
	} else {
		rmsAVX2(&a)
	}
	return true
}

func softmax(x []float32) bool {
	a := RowArgs{X: &x[0], N: len(x)}
	switch set {
	case avx512:
		softmaxAVX512(&a)
	case avx2:
		softmaxAVX2(&a)
	default:
		return false
	}
	return true
}

func rotate(x, cos, sin []float32, heads, head int) bool {
	a := RotateArgs{&x[0], &cos[0], &sin[0], len(cos), heads, 4 * head}
	switch set {
	case avx512:
		rotateAVX512(&a)
	case avx2:
		rotateAVX2(&a)
	default:
		return false
	}
	return true
}

// apply is Apply for the first elements, and returns their number.
func (f Activation) apply(x, bias []float32) int {
	if set == none {
		return 0
	}
	a := RowArgs{&x[0], &bias[0], len(bias)}
	switch {
	case f == GELU && set == avx512:
		geluAVX512(&a)
	case f == GELU:
		geluAVX2(&a)
	case f == GELUTanh && set == avx512:
		geluTanhAVX512(&a)
	case f == GELUTanh:
		geluTanhAVX2(&a)
	case f == SiLU && set == avx512:
		siluAVX512(&a)
	case f == SiLU:
		siluAVX2(&a)
	case f == ReLU && set == avx512:
		reluAVX512(&a)
	case f == ReLU:
		reluAVX2(&a)
	}
	return len(bias)
}

// gate is Gate for the first elements, and returns their number.
func (f Activation) gate(x, y []float32) int {
	if set == none {
		return 0
	}
	a := RowArgs{&x[0], &y[0], len(x)}
	switch {
	case f == GELU && set == avx512:
		geluGateAVX512(&a)
	case f == GELU:
		geluGateAVX2(&a)
	case f == GELUTanh && set == avx512:
		geluTanhGateAVX512(&a)
	case f == GELUTanh:
		geluTanhGateAVX2(&a)
	case f == SiLU && set == avx512:
		siluGateAVX512(&a)
	case f == SiLU:
		siluGateAVX2(&a)
	case f == ReLU && set == avx512:
		reluGateAVX512(&a)
	case f == ReLU:
		reluGateAVX2(&a)
	}
	return len(x)
}

//go:noescape
func multiply6x4AVX512(a *MultiplyArgs)

//go:noescape
func multiply6x2AVX512(a *MultiplyArgs)

//go:noescape
func multiply6x1AVX512(a *MultiplyArgs)

//go:noescape
func multiply3x4AVX512(a *MultiplyArgs)

//go:noescape
func multiply3x2AVX512(a *MultiplyArgs)

//go:noescape
func multiply3x1AVX512(a *MultiplyArgs)

//go:noescape
func multiply1x4AVX512(a *MultiplyArgs)

//go:noescape
func multiply1x2AVX512(a *MultiplyArgs)

//go:noescape
func multiply1x1AVX512(a *MultiplyArgs)

//go:noescape
func multiply6x1AVX2(a *MultiplyArgs)

//go:noescape
func multiply3x1AVX2(a *MultiplyArgs)

//go:noescape
func multiply1x4AVX2(a *MultiplyArgs)

//go:noescape
func multiply1x2AVX2(a *MultiplyArgs)

//go:noescape
func multiply1x1AVX2(a *MultiplyArgs)

//go:noescape
func addAVX512(a *RowArgs)

//go:noescape
func addAVX2(a *RowArgs)

//go:noescape
func layerAVX512(a *NormArgs)

//go:noescape
func layerAVX2(a *NormArgs)

//go:noescape
func rmsAVX512(a *NormArgs)

//go:noescape
func rmsAVX2(a *NormArgs)

//go:noescape
func softmaxAVX512(a *RowArgs)

//go:noescape
func softmaxAVX2(a *RowArgs)

//go:noescape
func rotateAVX512(a *RotateArgs)

//go:noescape
func rotateAVX2(a *RotateArgs)

//go:noescape
func geluAVX512(a *RowArgs)

//go:noescape
func geluAVX2(a *RowArgs)

//go:noescape
func geluGateAVX512(a *RowArgs)

//go:noescape
func geluGateAVX2(a *RowArgs)

//go:noescape
func geluTanhAVX512(a *RowArgs)

//go:noescape
func geluTanhAVX2(a *RowArgs)

//go:noescape
func geluTanhGateAVX512(a *RowArgs)

//go:noescape
func geluTanhGateAVX2(a *RowArgs)

//go:noescape
func siluAVX512(a *RowArgs)

//go:noescape
func siluAVX2(a *RowArgs)

//go:noescape
func siluGateAVX512(a *RowArgs)

//go:noescape
func siluGateAVX2(a *RowArgs)

//go:noescape
func reluAVX512(a *RowArgs)

//go:noescape
func reluAVX2(a *RowArgs)

//go:noescape
func reluGateAVX512(a *RowArgs)

//go:noescape
func reluGateAVX2(a *RowArgs)
