//go:build amd64 && !purego

package floats

import (
	"golang.org/x/sys/cpu"
	"gonum.org/v1/gonum/blas/blas32"
)

// available is true where there is all that the assembly needs.
var available = cpu.X86.HasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL

// Fast reports whether there is assembly for this processor.
func Fast() bool { return available }

// multiplyColumns computes the first columns, a multiple of 16, and returns their number.
func multiplyColumns(c, a, b Matrix, m, n, k int) int {
	if n < Lanes {
		return 0
	}
	if !available {
		multiplyAxpy(c, a, b, m, n, k)
		return n
	}
	n -= n % Lanes
	// The last elements are there, or this panics.
	_, _, _ = c.row(m-1, n), a.row(m-1, k), b.row(k-1, n)
	args := MultiplyArgs{StrideC: 4 * c.Stride, StrideA: 4 * a.Stride, StrideB: 4 * b.Stride, K: k}
	for j := 0; j < n; {
		vectors := 1
		switch rest := (n - j) / Lanes; {
		case rest >= 4:
			vectors = 4
		case rest >= 2:
			vectors = 2
		}
		args.B = &b.Data[j]
		for i := 0; i < m; {
			args.A, args.C = &a.Data[i*a.Stride], &c.Data[i*c.Stride+j]
			i += multiplyRows(&args, vectors, m-i)
		}
		j += vectors * Lanes
	}
	return n
}

// multiplyAxpy is multiplyGeneric with gonum's axpy, of which the assembly for amd64 rounds
// products before it adds them.
func multiplyAxpy(c, a, b Matrix, m, n, k int) {
	blas := blas32.Implementation()
	for i := range m {
		sums := c.row(i, n)
		clear(sums)
		for j, v := range a.row(i, k) {
			row := b.row(j, n)
			if v == 0 { // which axpy leaves out, also where the product is not a number
				for l, w := range row {
					sums[l] += float32(v * w)
				}
				continue
			}
			blas.Saxpy(n, v, row, 1, sums, 1)
		}
	}
}

// multiplyRows computes up to rows rows, and returns their number. The functions are
// called directly: through a table, their arguments would escape to the heap.
func multiplyRows(a *MultiplyArgs, vectors, rows int) int {
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

// addRow returns how many of the first elements it has added.
func addRow(x, y []float32) int {
	if !available {
		return 0
	}
	addAVX512(&RowArgs{&x[0], &y[0], len(y)})
	return len(y)
}

func (n *Norm) layer(dst, x []float32) bool {
	if !available {
		return false
	}
	layerAVX512(&NormArgs{&dst[0], &x[0], &n.Weight[0], &n.Bias[:len(x)][0], len(x), float32(len(x)), n.Eps})
	return true
}

func softmax(x []float32) bool {
	if !available {
		return false
	}
	softmaxAVX512(&RowArgs{&x[0], nil, len(x)})
	return true
}

func (f Activation) apply(x, bias []float32) int {
	if !available {
		return 0
	}
	a := RowArgs{&x[0], &bias[0], len(bias)}
	switch f {
	case GELU:
		geluAVX512(&a)
	case GELUTanh:
		geluTanhAVX512(&a)
	case SiLU:
		siluAVX512(&a)
	default:
		reluAVX512(&a)
	}
	return len(bias)
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
func addAVX512(a *RowArgs)

//go:noescape
func softmaxAVX512(a *RowArgs)

//go:noescape
func geluAVX512(a *RowArgs)

//go:noescape
func geluTanhAVX512(a *RowArgs)

//go:noescape
func siluAVX512(a *RowArgs)

//go:noescape
func reluAVX512(a *RowArgs)

//go:noescape
func layerAVX512(a *NormArgs)
