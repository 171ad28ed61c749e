package group

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// FuzzSelect compares the fast path with the definition on weights made of raw
// bits: as float64, as float32, and as float32 of nearly the same size, where
// ratios come near decision thresholds.
func FuzzSelect(f *testing.F) {
	for _, typ := range datatype.Types() {
		f.Add(uint8(typ), uint8(0), float32(1), []byte("0123456789abcdef0123456789abcdef"))
		f.Add(uint8(typ), uint8(1), float32(1e-3), []byte("\x00\x00\x80\x3f\x00\x00\x00\xc0\x00\x00\xc0\x40"))
		f.Add(uint8(typ), uint8(2), float32(0), []byte{1, 2, 3, 250, 128, 127, 0, 64})
	}
	f.Fuzz(func(t *testing.T, typ, kind uint8, tensorScale float32, data []byte) {
		if !datatype.Type(typ).Valid() || !(tensorScale >= 0) || math.IsInf(float64(tensorScale), 0) || len(data) > 1024 {
			t.Skip()
		}
		var w []float64
		switch kind % 3 {
		case 0:
			for ; len(data) >= 8; data = data[8:] {
				w = append(w, math.Float64frombits(binary.LittleEndian.Uint64(data)))
			}
		case 1:
			for ; len(data) >= 4; data = data[4:] {
				w = append(w, float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
			}
		case 2:
			for _, b := range data {
				w = append(w, float64(int8(b))/16)
			}
		}
		for i, x := range w {
			if !(math.Abs(x) <= math.MaxFloat32) {
				w[i] = 0
			}
		}
		s, err := NewSelector(datatype.Type(typ))
		if err != nil {
			t.Fatal(err)
		}
		compare(t, s, w, tensorScale)
	})
}
