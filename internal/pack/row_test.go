package pack

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/internal/loops/coding"
)

// TestLoops compares the loops of this processor with portable code.
func TestLoops(t *testing.T) {
	if coding.Best() == nil {
		t.Skip("the processor has no loops")
	}
	for i, loops := range coding.Sets() {
		t.Run(fmt.Sprint(i), func(t *testing.T) { testLoops(t, loops) })
	}
}

func testLoops(t *testing.T, loops *coding.Set) {
	r := rand.New(rand.NewPCG(3, 4))
	for bits := 2; bits <= 8; bits++ {
		for cols := 1; cols < 2200; cols++ {
			codes := make([]uint8, cols)
			for i := range codes {
				codes[i] = uint8(r.IntN(1 << bits))
			}
			size := RowBytes(cols, bits)
			got, want := bytes.Repeat([]byte{0xa5}, size+64), make([]byte, size)
			row(got[:size:size], codes, bits, loops)
			row(want, codes, bits, nil)
			if !bytes.Equal(got[:size], want) {
				t.Fatalf("%d bits, %d columns:\ngot  %x\nwant %x", bits, cols, got[:size], want)
			}
			if !bytes.Equal(got[size:], bytes.Repeat([]byte{0xa5}, 64)) {
				t.Fatalf("%d bits, %d columns: written behind the row", bits, cols)
			}
		}
	}
}

func BenchmarkRow(b *testing.B) {
	for bits := 2; bits <= 8; bits++ {
		for _, loops := range []*coding.Set{nil, coding.Best()} {
			b.Run(fmt.Sprintf("bits=%d/loops=%v", bits, loops != nil), func(b *testing.B) {
				codes := make([]uint8, 4096)
				dst := make([]byte, RowBytes(4096, bits))
				b.SetBytes(4096)
				for b.Loop() {
					row(dst, codes, bits, loops)
				}
			})
		}
	}
}
