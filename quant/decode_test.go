package quant_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// decode reads the binary form of a matrix bit by bit, as the package documentation
// describes it, with values and scales from package datatype. It shares no code with the
// package.
func decode(t *testing.T, data []byte) (w []float32, rows, cols int) {
	t.Helper()
	if string(data[:8]) != "BITMOD\r\n" || binary.LittleEndian.Uint32(data[8:]) != 1 {
		t.Fatal("bad magic or version")
	}
	groupSize := int(binary.LittleEndian.Uint32(data[12:]))
	typ, err := datatype.Parse(strings.Trim(string(data[16:32]), "\x00"))
	if err != nil {
		t.Fatal(err)
	}
	rows, cols = int(binary.LittleEndian.Uint64(data[32:])), int(binary.LittleEndian.Uint64(data[40:]))
	data = data[48 : len(data)-4]
	take := func(n int) []byte {
		b := data[:n]
		data = data[n:]
		return b
	}

	groups := (cols + groupSize - 1) / groupSize
	rowScale := make([]float32, rows)
	switch typ.Scale() {
	case datatype.RowStep:
		for r := range rowScale {
			rowScale[r] = math.Float32frombits(binary.LittleEndian.Uint32(take(4)))
		}
	case datatype.E4M3:
		s := math.Float32frombits(binary.LittleEndian.Uint32(take(4)))
		for r := range rowScale {
			rowScale[r] = s
		}
	case datatype.E8M0:
		for r := range rowScale {
			rowScale[r] = 1
		}
	}
	scales := take(rows * groups)
	sb := typ.SelectorBits()
	selectorRow := (groups*sb + 7) / 8
	selectors := take(rows * selectorRow)

	bits := typ.Bits()
	S := map[int]int{2: 4, 3: 8, 4: 2, 5: 8, 6: 4, 7: 8, 8: 1}[bits]
	N := S * bits / 8
	cbs := typ.Codebooks()
	for r := range rows {
		for at := 0; at < cols; {
			n := cols - at
			h := (n + S - 1) / S
			for _, full := range []int{16, 32, 64} {
				if n >= full*S {
					h = full
				}
			}
			n = min(n, S*h)
			chunk := take(N * h)
			for c := range n {
				s, p := c/h, c%h
				// bit returns bit i of byte Bk at this position.
				bit := func(k, i int) int { return int(chunk[k*h+p]) >> i & 1 }
				code := 0
				for i := range bits {
					code |= bit(place(bits, s, i)) << i
				}
				g := (at + c) / groupSize
				sel := 0
				for i := range sb {
					j := g*sb + i
					sel |= int(selectors[r*selectorRow+j/8]) >> (j % 8) & 1 << i
				}
				q, k := cbs[sel].Values()[code], typ.Scale().Value(scales[r*groups+g])
				w = append(w, float32(q*k)*rowScale[r])
			}
			at += n
		}
	}
	if len(data) != 0 {
		t.Fatalf("%d bytes left over", len(data))
	}
	return w, rows, cols
}

// place returns the byte, and the bit in it, of bit i of the code of strip s, as the
// package documentation draws them.
func place(bits, s, i int) (byteIndex, bit int) {
	switch bits {
	case 2:
		return 0, 2*s + i
	case 4:
		return 0, 4*s + i
	case 8:
		return 0, i
	case 3:
		switch {
		case s < 6:
			return s / 2, s%2*3 + i
		case i < 2:
			return s - 6, 6 + i
		default:
			return 2, s
		}
	}
	// 5, 6 and 7 bits
	S := map[int]int{5: 8, 6: 4, 7: 8}[bits]
	switch {
	case i < 4:
		return s / 2, s%2*4 + i
	case i < 6 && bits != 5:
		return S/2 + s/4, s%4*2 + i - 4
	default:
		return S*bits/8 - 1, s
	}
}

func TestDecodeFromDescription(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, typ := range datatype.Types() {
		for _, cols := range []int{1, 7, 8, 64, 129, 172, 700} {
			for _, groupSize := range []int{0, 8, 24, 1000} {
				w := normals(r, 3*cols)
				m, err := quant.Group(w, cols, quant.Config{Type: typ, GroupSize: groupSize})
				if err != nil {
					t.Fatal(err)
				}
				data, err := m.AppendBinary(nil)
				if err != nil {
					t.Fatal(err)
				}
				got, rows, c := decode(t, data)
				want := make([]float32, len(w))
				if err := m.Dequantize(want); err != nil {
					t.Fatal(err)
				}
				if rows != 3 || c != cols {
					t.Fatalf("decoded %d×%d", rows, c)
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%v, weight %d of %d columns: decoded %v, want %v", m, i, cols, got[i], want[i])
					}
				}
			}
		}
	}
}

func normals(r *rand.Rand, n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	return w
}
