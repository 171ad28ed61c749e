package group_test

import (
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/group"
	"github.com/bitmod-go/bitmod/internal/misuse"
)

func TestMisuse(t *testing.T) {
	s, err := group.NewSelector(datatype.BitMoD3)
	if err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "group", map[string]any{
		"NewSelector": group.NewSelector,
		"Reference":   group.Reference,
		"RowScales":   group.RowScales,
		"TensorScale": group.TensorScale,
		"ZeroScale":   group.ZeroScale,
	}, s, datatype.NVFP4, datatype.Int4Asym, datatype.Type(255), datatype.BitMoD3.Codebooks()[0],
		group.Choice{Codebook: 3, Delta: -1}, group.Choice{Codebook: -1}, []float64{1, -2, 3, 0, 5, 6, 7, 1e300})
}
