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

// FuzzSelectFloat32 compares rows of float32 with the definition: weights of raw bits,
// of bits of the 16-bit formats, and of nearly the same size.
func FuzzSelectFloat32(f *testing.F) {
	var all [][]*Selector
	for _, typ := range datatype.Types() {
		all = append(all, selectors(typ))
	}
	for _, typ := range datatype.Types() {
		f.Add(uint8(typ), uint8(0), uint8(16), float32(1), []byte("0123456789abcdef0123456789abcdef"))
		f.Add(uint8(typ), uint8(1), uint8(8), float32(1e-3), []byte("\x00\x3f\x80\x3f\x00\xc0\x00\xbf\x00\xc0\xc0\x40\x10\x3f\x11\x3f"))
		f.Add(uint8(typ), uint8(2), uint8(32), float32(0), []byte{1, 2, 3, 250, 128, 127, 0, 64, 96, 32, 48})
		f.Add(uint8(typ), uint8(3), uint8(9), float32(1e-2), []byte{1, 2, 3, 250, 128, 127, 0, 64, 96, 32, 48})
		f.Add(uint8(typ), uint8(131), uint8(9), float32(1e-2), []byte{1, 2, 3, 250, 128, 127, 0, 64, 96, 32, 48})
		f.Add(uint8(typ), uint8(176), uint8(16), float32(1), []byte("0123456789abcdef0123456789abcdef"))
	}
	f.Fuzz(func(t *testing.T, typ, kind, groupSize uint8, tensorScale float32, data []byte) {
		if !datatype.Type(typ).Valid() || !(tensorScale >= 0) || math.IsInf(float64(tensorScale), 0) || len(data) > 1024 {
			t.Skip()
		}
		var w []float32
		switch kind % 4 {
		case 0:
			for ; len(data) >= 4; data = data[4:] {
				w = append(w, math.Float32frombits(binary.LittleEndian.Uint32(data)))
			}
		case 1:
			for ; len(data) >= 2; data = data[2:] {
				w = append(w, math.Float32frombits(uint32(binary.LittleEndian.Uint16(data))<<16))
			}
		case 2:
			for _, b := range data {
				w = append(w, float32(int8(b))/16)
			}
		case 3: // within a factor of 2^8, with many bits
			for ; len(data) >= 3; data = data[3:] {
				m := int32(binary.LittleEndian.Uint16(data)) - 1<<15
				w = append(w, float32(math.Ldexp(float64(m), -int(data[2]%8)))*(1+float32(data[2])*0x1p-23))
			}
		}
		if len(w) == 0 {
			t.Skip()
		}
		for i, x := range w {
			if !(math.Abs(float64(x)) <= math.MaxFloat32) {
				w[i] = 0
			}
		}
		var importance []float64
		if kind >= 128 { // far apart, or not
			for i := range w {
				b := math.Float32bits(w[len(w)-1-i]) >> 16
				importance = append(importance, math.Ldexp(float64(b%16), int(b/16%16)*int(kind>>4&7)*4))
			}
		}
		compareRow(t, all[typ], w, 1+int(groupSize), importance, tensorScale)
	})
}

// FuzzEncodeFloat32 compares rows with Encode, for weights and scales of raw bits, and
// for weights of few bits.
func FuzzEncodeFloat32(f *testing.F) {
	var all [][]*Selector
	for _, typ := range datatype.Types() {
		all = append(all, selectors(typ))
		f.Add(uint8(typ), false, uint8(16), uint8(0), float32(.25), []byte("0123456789abcdef0123456789abcdef"))
		f.Add(uint8(typ), true, uint8(9), uint8(1), float32(.3), []byte{1, 2, 3, 250, 128, 127, 0, 64, 96, 32, 48})
	}
	f.Fuzz(func(t *testing.T, typ uint8, few bool, groupSize, codebook uint8, delta float32, data []byte) {
		if !datatype.Type(typ).Valid() || !(delta >= 0) || math.IsInf(float64(delta), 0) || len(data) > 1024 {
			t.Skip()
		}
		var w []float32
		if few {
			for _, b := range data {
				w = append(w, float32(int8(b))/16)
			}
		} else {
			for ; len(data) >= 4; data = data[4:] {
				w = append(w, math.Float32frombits(binary.LittleEndian.Uint32(data)))
			}
		}
		if len(w) == 0 {
			t.Skip()
		}
		for i, x := range w {
			if !(math.Abs(float64(x)) <= math.MaxFloat32) {
				w[i] = 0
			}
		}
		size := 1 + int(groupSize)
		choices := make([]Choice, (len(w)-1)/size+1)
		for g := range choices {
			choices[g] = Choice{Codebook: (int(codebook) + g) % len(datatype.Type(typ).Codebooks()), Delta: float64(delta) * float64(1+g)}
		}
		compareEncode(t, all[typ], w, size, choices)
	})
}
