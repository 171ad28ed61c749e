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

// TestFiles fails if a file of assembly is not what the generator writes.
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

// TestRowArgs fails if arguments of the functions for rows are not where these look.
func TestRowArgs(t *testing.T) {
	var a loops.RowArgs
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
		{"CodeBack", rowCodeBack, unsafe.Offsetof(a.CodeBack)},
		{"ScaleBack", rowScaleBack, unsafe.Offsetof(a.ScaleBack)},
		{"SelectorBack", rowSelectorBack, unsafe.Offsetof(a.SelectorBack)},
		{"Table", rowTable, unsafe.Offsetof(a.Table)},
		{"Unit", rowUnit, unsafe.Offsetof(a.Unit)},
		{"Q", rowQ, unsafe.Offsetof(a.Q)},
		{"Corr", rowCorr, unsafe.Offsetof(a.Corr)},
		{"D", rowD, unsafe.Offsetof(a.D)},
		{"Steps", rowSteps, unsafe.Offsetof(a.Steps)},
		{"Ahead", rowAhead, unsafe.Offsetof(a.Ahead)},
		{"SelectorBits", rowSelectorBits, unsafe.Offsetof(a.SelectorBits)},
		{"SelectorMask", rowSelectorMask, unsafe.Offsetof(a.SelectorMask)},
		{"StepShift", rowStepShift, unsafe.Offsetof(a.StepShift)},
		{"StepScales", rowStepScales, unsafe.Offsetof(a.StepScales)},
		{"TailQ", rowTailQ, unsafe.Offsetof(a.TailQ)},
		{"TailScales", rowTailScales, unsafe.Offsetof(a.TailScales)},
		{"TailBlocks", rowTailBlocks, unsafe.Offsetof(a.TailBlocks)},
		{"TailMask", rowTailMask, unsafe.Offsetof(a.TailMask)},
		{"TailWide", rowTailWide, unsafe.Offsetof(a.TailWide)},
		{"TailNarrow", rowTailNarrow, unsafe.Offsetof(a.TailNarrow)},
		{"NarrowHeight", rowNarrowHeight, unsafe.Offsetof(a.NarrowHeight)},
		{"NarrowMask", rowNarrowMask, unsafe.Offsetof(a.NarrowMask)},
		{"NarrowQ", rowNarrowQ, unsafe.Offsetof(a.NarrowQ)},
		{"Corr4", rowCorr4, unsafe.Offsetof(a.Corr4)},
		{"TailCorr4", rowTailCorr4, unsafe.Offsetof(a.TailCorr4)},
		{"Spread", rowSpread, unsafe.Offsetof(a.Spread)},
		{"TailSpread", rowTailSpread, unsafe.Offsetof(a.TailSpread)},
		{"StepSelectors", rowStepSelectors, unsafe.Offsetof(a.StepSelectors)},
		{"TailSelectors", rowTailSelectors, unsafe.Offsetof(a.TailSelectors)},
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, the generator has %d", c.name, c.want, c.got)
		}
	}
}

// TestFloatArgs is that for the functions of package floats.
func TestFloatArgs(t *testing.T) {
	var (
		m nn.MultiplyArgs
		r nn.RowArgs
		n nn.NormArgs
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
	} {
		if c.got != c.want {
			t.Errorf("%s is at %d, the generator has %d", c.name, c.want, c.got)
		}
	}
}
