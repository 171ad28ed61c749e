package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/bitmod-go/bitmod/internal/loops"
	nn "github.com/bitmod-go/bitmod/internal/loops/floats"
)

// TestFiles checks that the files of assembly are those that the generator writes.
func TestFiles(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the generator writes: go generate ./internal/loops", name)
		}
	}
}

// TestRowArgs checks the offsets of arguments in the functions for rows.
func TestRowArgs(t *testing.T) {
	var (
		a loops.RowArgs
		p loops.RowPart
	)
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"Dst", rowDst, unsafe.Offsetof(a.Dst)},
		{"Codes", rowCodes, unsafe.Offsetof(a.Codes)},
		{"Scales", rowScales, unsafe.Offsetof(a.Scales)},
		{"Selectors", rowSelectors, unsafe.Offsetof(a.Selectors)},
		{"RowScales", rowRowScales, unsafe.Offsetof(a.RowScales)},
		{"Fours", rowFours, unsafe.Offsetof(a.Fours)},
		{"CodeStride", rowCodeStride, unsafe.Offsetof(a.CodeStride)},
		{"ScaleStride", rowScaleStride, unsafe.Offsetof(a.ScaleStride)},
		{"SelectorStride", rowSelectorStride, unsafe.Offsetof(a.SelectorStride)},
		{"RowScaleStride", rowRowScaleStride, unsafe.Offsetof(a.RowScaleStride)},
		{"CodeBack", rowCodeBack, unsafe.Offsetof(a.CodeBack)},
		{"ScaleBack", rowScaleBack, unsafe.Offsetof(a.ScaleBack)},
		{"SelectorBack", rowSelectorBack, unsafe.Offsetof(a.SelectorBack)},
		{"Table", rowTable, unsafe.Offsetof(a.Table)},
		{"Unit", rowUnit, unsafe.Offsetof(a.Unit)},
		{"Offset", rowOffset, unsafe.Offsetof(a.Offset)},
		{"Q", rowQ, unsafe.Offsetof(a.Q)},
		{"Sums", rowSums, unsafe.Offsetof(a.Sums)},
		{"D", rowD, unsafe.Offsetof(a.D)},
		{"Steps", rowSteps, unsafe.Offsetof(a.Steps)},
		{"Ahead", rowAhead, unsafe.Offsetof(a.Ahead)},
		{"BlockShift", rowBlockShift, unsafe.Offsetof(a.BlockShift)},
		{"SelectorBits", rowSelectorBits, unsafe.Offsetof(a.SelectorBits)},
		{"SelectorMask", rowSelectorMask, unsafe.Offsetof(a.SelectorMask)},
		{"SelectorAt", rowSelectorAt, unsafe.Offsetof(a.SelectorAt)},
		{"Spread", rowSpread, unsafe.Offsetof(a.Spread)},
		{"StepScales", rowStepScales, unsafe.Offsetof(a.StepScales)},
		{"TailScales", rowTailScales, unsafe.Offsetof(a.TailScales)},
		{"StepSelectors", rowStepSelectors, unsafe.Offsetof(a.StepSelectors)},
		{"TailSelectors", rowTailSelectors, unsafe.Offsetof(a.TailSelectors)},
		{"TailHalves", rowTailHalves, unsafe.Offsetof(a.TailHalves)},
		{"TailWide", rowTailWide, unsafe.Offsetof(a.TailWide)},
		{"TailWhole", rowTailWhole, unsafe.Offsetof(a.TailWhole)},
		{"TailLast", rowTailLast, unsafe.Offsetof(a.TailLast)},
		{"TailParts", rowTailParts, unsafe.Offsetof(a.TailParts)},
		{"Scales", spreadScales, unsafe.Offsetof(a.Spread.Scales)},
		{"Mask", partMask, unsafe.Offsetof(p.Mask)},
		{"Offset", partOffset, unsafe.Offsetof(p.Offset)},
		{"Index", partIndex, unsafe.Offsetof(p.Index)},
		{"Shift", partShift, unsafe.Offsetof(p.Shift)},
		{"Keep", partKeep, unsafe.Offsetof(p.Keep)},
		{"RowPart", partSize, unsafe.Sizeof(p)},
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, the generator has %d", c.name, c.want, c.got)
		}
	}
}

// TestFloatArgs is TestRowArgs for the functions of package floats.
func TestFloatArgs(t *testing.T) {
	var (
		m nn.MultiplyArgs
		r nn.RowArgs
		n nn.NormArgs
		h nn.RotateArgs
	)
	for _, c := range []struct {
		name      string
		got, want uintptr
	}{
		{"C", mulC, unsafe.Offsetof(m.C)},
		{"A", mulA, unsafe.Offsetof(m.A)},
		{"B", mulB, unsafe.Offsetof(m.B)},
		{"StrideC", mulStrideC, unsafe.Offsetof(m.StrideC)},
		{"StrideA", mulStrideA, unsafe.Offsetof(m.StrideA)},
		{"StrideB", mulStrideB, unsafe.Offsetof(m.StrideB)},
		{"K", mulK, unsafe.Offsetof(m.K)},
		{"X", rowArgX, unsafe.Offsetof(r.X)},
		{"Y", rowArgY, unsafe.Offsetof(r.Y)},
		{"N", rowArgN, unsafe.Offsetof(r.N)},
		{"Dst", normDst, unsafe.Offsetof(n.Dst)},
		{"X", normX, unsafe.Offsetof(n.X)},
		{"Weight", normWeight, unsafe.Offsetof(n.Weight)},
		{"Bias", normBias, unsafe.Offsetof(n.Bias)},
		{"N", normN, unsafe.Offsetof(n.N)},
		{"Count", normCount, unsafe.Offsetof(n.Count)},
		{"Eps", normEps, unsafe.Offsetof(n.Eps)},
		{"X", rotateX, unsafe.Offsetof(h.X)},
		{"Cos", rotateCos, unsafe.Offsetof(h.Cos)},
		{"Sin", rotateSin, unsafe.Offsetof(h.Sin)},
		{"Half", rotateHalf, unsafe.Offsetof(h.Half)},
		{"Heads", rotateHeads, unsafe.Offsetof(h.Heads)},
		{"Stride", rotateStride, unsafe.Offsetof(h.Stride)},
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, the generator has %d", c.name, c.want, c.got)
		}
	}
}
