package group_test

import (
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// TestCounts logs how many groups in a million were decided by adding up errors again,
// and how many were left to Select. The weights are the matrices of the safetensors files
// in GROUP_WEIGHTS, separated by colons, as they are and rounded to bfloat16, and weights
// made of ties.
//
//	GROUP_WEIGHTS=model.safetensors go test -run Counts -v ./group
func TestCounts(t *testing.T) {
	names := os.Getenv("GROUP_WEIGHTS")
	if names == "" {
		t.Skip("GROUP_WEIGHTS is not set")
	}
	type source struct {
		name string
		rows [][]float32
	}
	sources := []source{{"ties", ties()}}
	for _, name := range strings.Split(names, ":") {
		f, err := safetensors.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		exact, rounded := source{name: name}, source{name: name + " in bfloat16"}
		for _, tensor := range f.Tensors() {
			if len(tensor.Shape) != 2 || tensor.Cols() < 128 || !strings.Contains("F32 F16 BF16", string(tensor.DType)) {
				continue
			}
			for lo := 0; lo < tensor.Rows(); lo += 37 { // some of them
				row := make([]float32, tensor.Cols())
				if err := f.ReadRows(row, tensor, lo, lo+1); err != nil {
					t.Fatal(err)
				}
				exact.rows = append(exact.rows, row)
				brain := make([]float32, len(row))
				for i, x := range row {
					u := math.Float32bits(x)
					brain[i] = math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff)
				}
				rounded.rows = append(rounded.rows, brain)
			}
		}
		sources = append(sources, exact, rounded)
	}
	for _, src := range sources {
		for _, typ := range datatype.Types() {
			s, err := group.NewSelector(typ)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, _, ok := s.Counts(); !ok {
				continue
			}
			var amax float64
			for _, row := range src.rows {
				for _, x := range row {
					amax = max(amax, math.Abs(float64(x)))
				}
			}
			for _, row := range src.rows {
				choices, codes := make([]group.Choice, len(row)), make([]uint8, len(row))
				if err := s.SelectFloat32(choices, codes, row, typ.GroupSize(), nil, group.TensorScale(typ, amax)); err != nil {
					t.Fatal(err)
				}
			}
			groups, recounts, rest, _ := s.Counts()
			million := func(n int) float64 { return 1e6 * float64(n) / float64(groups) }
			t.Logf("%s: %-12v %8d groups, in a million of them %6.0f added up again, %6.0f left", src.name, typ, groups, million(recounts), million(rest))
		}
	}
}

// ties returns rows of multiples of 1/4 up to 8, in which most ratios are at thresholds
// of some type and many errors are equal.
func ties() [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([][]float32, 200)
	for i := range rows {
		rows[i] = make([]float32, 1024)
		for j := range rows[i] {
			rows[i][j] = float32(r.IntN(65)-32) / 4
		}
	}
	return rows
}
