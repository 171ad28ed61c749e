package pack

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

func unpackRow(src []byte, cols, bits int) []uint8 {
	var chunk [MaxChunk]uint8
	var codes []uint8
	for cols > 0 {
		var n int
		src, n = Next(&chunk, src, cols, bits)
		codes = append(codes, chunk[:n]...)
		cols -= n
	}
	return codes
}

func TestRoundTrip(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for bits := 2; bits <= 8; bits++ {
		for cols := 1; cols < 1200; cols++ {
			codes := make([]uint8, cols)
			for i := range codes {
				codes[i] = uint8(r.IntN(1 << bits))
			}
			const canary = 0xa5
			size := RowBytes(cols, bits)
			packed := bytes.Repeat([]byte{canary}, size+1)
			Row(packed[:size], codes, bits)
			if packed[size] != canary {
				t.Fatalf("%d bits, %d columns: written behind the row", bits, cols)
			}
			if got := unpackRow(packed[:size], cols, bits); !slices.Equal(got, codes) {
				t.Fatalf("%d bits, %d columns:\ngot  %v\nwant %v", bits, cols, got, codes)
			}
		}
	}
}

// TestTight checks that no more than 7 codes of padding are stored, and none
// where the columns are a multiple of 16 strips.
func TestTight(t *testing.T) {
	for bits := 2; bits <= 8; bits++ {
		for cols := 1; cols < 3000; cols++ {
			over := 8*RowBytes(cols, bits) - cols*bits
			if over < 0 || over > 7*bits || cols%(16*strips(bits)) == 0 && over != 0 {
				t.Fatalf("%d bits, %d columns: %d bits of padding", bits, cols, over)
			}
		}
	}
}

// TestChunksKeepBlocks checks what kernels rely on: a chunk lies within one block
// of 128 columns, or is made of whole ones.
func TestChunksKeepBlocks(t *testing.T) {
	for bits := 2; bits <= 8; bits++ {
		for cols := 1; cols < 2000; cols++ {
			for at := 0; at < cols; {
				_, n := Chunk(cols-at, bits)
				if at/128 != (at+n-1)/128 && (at%128 != 0 || n%128 != 0) {
					t.Fatalf("%d bits: chunk of columns %d to %d of %d", bits, at, at+n-1, cols)
				}
				at += n
			}
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	for bits := 2; bits <= 8; bits++ {
		b.Run(string(rune('0'+bits)), func(b *testing.B) {
			src := make([]byte, RowBytes(4096, bits))
			var chunk [MaxChunk]uint8
			b.SetBytes(4096)
			for b.Loop() {
				rest := src
				for cols := 4096; cols > 0; {
					var n int
					rest, n = Next(&chunk, rest, cols, bits)
					cols -= n
				}
			}
		})
	}
}
