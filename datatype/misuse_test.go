package datatype_test

import (
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/misuse"
)

func TestMisuse(t *testing.T) {
	misuse.Test(t, "datatype", map[string]any{
		"Parse": datatype.Parse,
		"Types": datatype.Types,
	}, datatype.Type(255), datatype.BitMoD3.Codebooks()[0], datatype.ScaleFormat(9))
}
