//go:build arm64 && !purego

package floats

// Fast reports whether there is assembly for this processor.
func Fast() bool { return true }

// multiplyColumns computes the first columns, a multiple of 16, and returns their number.
func multiplyColumns(c, a, b Matrix, m, n, k int) int {
	n -= n % Lanes
	if n <= 0 {
		return 0
	}
	// The last elements are there, or this panics.
	_, _, _ = c.row(m-1, n), a.row(m-1, k), b.row(k-1, n)
	args := MultiplyArgs{StrideC: 4 * c.Stride, StrideA: 4 * a.Stride, StrideB: 4 * b.Stride, K: k}
	for j := 0; j < n; {
		vectors := 1
		if m < 3 { // several rows leave registers for only one vector
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
			i += multiplyRows(&args, vectors, m-i)
		}
		j += vectors * Lanes
	}
	return n
}

// multiplyRows computes up to rows rows, and returns their number. The functions are
// called directly: through a table, their arguments would escape to the heap.
func multiplyRows(a *MultiplyArgs, vectors, rows int) int {
	switch {
	case vectors == 4:
		multiply1x4NEON(a)
	case vectors == 2:
		multiply1x2NEON(a)
	case rows >= 6:
		multiply6x1NEON(a)
		return 6
	case rows >= 3:
		multiply3x1NEON(a)
		return 3
	default:
		multiply1x1NEON(a)
	}
	return 1
}

// addRow is AddRow for the first elements, and returns their number.
func addRow(x, y []float32) int {
	addNEON(&RowArgs{&x[0], &y[0], len(y)})
	return len(y)
}

func (n *Norm) layer(dst, x []float32) bool {
	layerNEON(&NormArgs{&dst[0], &x[0], &n.Weight[0], &n.Bias[:len(x)][0], len(x), float32(len(x)), n.Eps})
	return true
}

func (n *Norm) rms(dst, x []float32) bool {
	rmsNEON(&NormArgs{Dst: &dst[0], X: &x[0], Weight: &n.Weight[0], N: len(x), Count: float32(len(x)), Eps: n.Eps})
	return true
}

func softmax(x []float32) bool {
	softmaxNEON(&RowArgs{X: &x[0], N: len(x)})
	return true
}

func rotate(x, cos, sin []float32, heads, head int) bool {
	rotateNEON(&RotateArgs{&x[0], &cos[0], &sin[0], len(cos), heads, 4 * head})
	return true
}

// apply is Apply for the first elements, and returns their number.
func (f Activation) apply(x, bias []float32) int {
	a := RowArgs{&x[0], &bias[0], len(bias)}
	switch f {
	case GELU:
		geluNEON(&a)
	case GELUTanh:
		geluTanhNEON(&a)
	case SiLU:
		siluNEON(&a)
	case ReLU:
		reluNEON(&a)
	}
	return len(bias)
}

// gate is Gate for the first elements, and returns their number.
func (f Activation) gate(x, y []float32) int {
	a := RowArgs{&x[0], &y[0], len(x)}
	switch f {
	case GELU:
		geluGateNEON(&a)
	case GELUTanh:
		geluTanhGateNEON(&a)
	case SiLU:
		siluGateNEON(&a)
	case ReLU:
		reluGateNEON(&a)
	}
	return len(x)
}

//go:noescape
func multiply6x1NEON(a *MultiplyArgs)

//go:noescape
func multiply3x1NEON(a *MultiplyArgs)

//go:noescape
func multiply1x4NEON(a *MultiplyArgs)

//go:noescape
func multiply1x2NEON(a *MultiplyArgs)

//go:noescape
func multiply1x1NEON(a *MultiplyArgs)

//go:noescape
func addNEON(a *RowArgs)

//go:noescape
func layerNEON(a *NormArgs)

//go:noescape
func rmsNEON(a *NormArgs)

//go:noescape
func softmaxNEON(a *RowArgs)

//go:noescape
func rotateNEON(a *RotateArgs)

//go:noescape
func geluNEON(a *RowArgs)

//go:noescape
func geluGateNEON(a *RowArgs)

//go:noescape
func geluTanhNEON(a *RowArgs)

//go:noescape
func geluTanhGateNEON(a *RowArgs)

//go:noescape
func siluNEON(a *RowArgs)

//go:noescape
func siluGateNEON(a *RowArgs)

//go:noescape
func reluNEON(a *RowArgs)

//go:noescape
func reluGateNEON(a *RowArgs)
