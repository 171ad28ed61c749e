package quant_test

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// TestDigest checks that the same weights give the same bytes on every
// architecture: no fused multiply-add, no byte order, no library function whose
// last bit differs.
func TestDigest(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	w := make([]float32, 16*1000)
	for i := range w {
		// Roughly normal, in arithmetic that is exact up to the conversion.
		w[i] = float32((r.Float64() + r.Float64() + r.Float64() + r.Float64() - 2) / 64)
	}
	for typ, want := range map[datatype.Type]uint32{
		datatype.BitMoD4:    0x3fc2b199,
		datatype.BitMoD3:    0x97754159,
		datatype.Int4Asym:   0xc9fcbd70,
		datatype.Int8:       0x65196fad,
		datatype.ANT4:       0x59606443,
		datatype.NF4:        0x914b513b,
		datatype.MXFP4RaZeR: 0xf8b8a15e,
		datatype.NVFP4RaZeR: 0x1f6dff3d,
	} {
		m, err := quant.Group(w, 1000, quant.Config{Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(encode(t, m)); got != want {
			t.Errorf("%v: digest %#x, want %#x", typ, got, want)
		}
	}
}
