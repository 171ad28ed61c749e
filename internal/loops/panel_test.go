package loops

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/bitmod-go/bitmod/internal/pack"
)

const canary = 0xa5

// forSets runs a test for all sets that this machine has.
func forSets(t *testing.T, f func(t *testing.T, s *Set)) {
	for name, s := range sets() {
		t.Run(name, func(t *testing.T) { f(t, s) })
	}
}

// guarded returns n bytes between canaries, and a function that checks these.
func guarded(t *testing.T, n int) ([]byte, func()) {
	buf := bytes.Repeat([]byte{canary}, n+128)
	return buf[64 : 64+n : 64+n], func() {
		t.Helper()
		for i, b := range buf {
			if (i < 64 || i >= 64+n) && b != canary {
				t.Fatalf("byte %d of %d is written", i-64, n)
			}
		}
	}
}

// TestPanel compares the functions with the definition of PanelArgs.
func TestPanel(t *testing.T) {
	forSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(1, 2))
		for bits := 2; bits <= 8; bits++ {
			testPanel(t, s, r, s.Sum[bits], bits, 0)
			for selectors := 0; bits+selectors <= 6; selectors++ {
				testPanel(t, s, r, s.Table[bits][max(0, bits+selectors-4)], bits, 1<<(bits+selectors))
			}
		}
	})
}

// testPanel tests a function of Sum or, if entries is not 0, a function of Table whose
// tables have that many entries.
func testPanel(t *testing.T, set *Set, r *rand.Rand, f func(*PanelArgs), bits, entries int) {
	strips, lanes, stride := 8*pack.StripBytes(bits)/bits, set.Lanes, 4*set.Band
	for _, height := range []int{4, 8, 12, 16, 28, 32, 60, 64} {
		for chunks := 1; chunks <= 2; chunks++ {
			cols := chunks * strips * height
			rowBytes := chunks * height * pack.StripBytes(bits)
			var tab [64]byte
			for i := range tab {
				tab[i] = byte(r.Uint32())
			}
			sel := make([]byte, 3*4*lanes)
			for i := range sel {
				switch {
				case i%4 > 0: // the four columns of a row have the same
					sel[i] = sel[i-1]
				case entries > 0:
					sel[i] = byte(r.IntN(entries)) &^ byte(1<<bits-1)
				default:
					sel[i] = byte(r.Uint32())
				}
			}
			selAt := make([]uint16, cols/4)
			even := height%16 == 0 && r.IntN(2) == 0
			for i := range selAt {
				selAt[i] = uint16(r.IntN(3) * 4 * lanes)
				if even && i/strips%4 > 0 {
					selAt[i] = selAt[i-strips]
				}
			}
			args := PanelArgs{Height: height, Chunks: chunks, Table: &tab, Sel: &sel[0], SelAt: &selAt[0], Scratch: new([ScratchBytes]byte), Stride: stride, Even: even}
			rows, all := make([][]byte, lanes), make([]byte, lanes*rowBytes)
			args.From = &all[0]
			for i := range rows {
				rows[i] = all[i*rowBytes:][:rowBytes]
				for j := range rows[i] {
					rows[i][j] = byte(r.Uint32())
				}
				args.Rows[i] = i * rowBytes
			}
			size := (cols/4-1)*stride + 4*lanes
			got, check := guarded(t, size)
			want := bytes.Repeat([]byte{canary}, size)
			args.Dst = &got[0]
			f(&args)
			check()
			for i, row := range rows {
				for c := range chunks {
					chunk := row[c*height*pack.StripBytes(bits):]
					for s, fields := range pack.Layout(bits) {
						for p := range height {
							var code byte
							for _, f := range fields {
								code |= chunk[f.Index*height+p] >> f.From & byte(f.Mask) << f.To
							}
							col := (c*strips+s)*height + p
							v := sel[int(selAt[(c*height/4+p/4)*strips+s])+4*i]
							if entries > 0 {
								code = tab[code|v]
							} else {
								code += v
							}
							want[col/4*stride+4*i+col%4] = code
						}
					}
				}
			}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("%d bits, %d entries, height %d, %d chunks: byte %d is %d, want %d", bits, entries, height, chunks, i, got[i], want[i])
				}
			}
		}
	}
}

// TestMeta compares the functions with the definition of MetaArgs.
func TestMeta(t *testing.T) {
	forSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(3, 4))
		for mode := range metas {
			for _, bits := range []int{1, 2, 4, 8} {
				if mode >= MetaInt && bits != 8 {
					continue
				}
				for _, size := range []int{4, 8, 12, 64, 68, 128} {
					testMeta(t, s, r, mode, bits, size)
				}
			}
		}
	})
}

func testMeta(t *testing.T, s *Set, r *rand.Rand, mode, bits, size int) {
	bit := r.IntN(8) / bits * bits
	groups := (8*size-bit)/bits - r.IntN(4)
	lanes := s.Lanes
	stride := 4 * lanes
	if r.IntN(2) == 0 {
		stride = 4 * PanelRows
	}
	args := MetaArgs{Bytes: size, Bit: bit, Bits: bits, Groups: groups, Stride: stride, Scratch: new([ScratchBytes]byte)}
	if mode == MetaTable {
		args.Shift = r.IntN(9 - bits)
	}
	if mode == MetaSum {
		args.Add = r.IntN(256)
	}
	rows, all := make([][]byte, lanes), make([]byte, lanes*size)
	args.From = &all[0]
	for i := range rows {
		rows[i] = all[i*size:][:size]
		for j := range rows[i] {
			rows[i][j] = byte(r.Uint32())
			if mode == MetaE4M3 {
				rows[i][j] %= 0x7f
			}
		}
		args.Rows[i] = i * size
	}
	got, check := guarded(t, (groups-1)*stride+4*lanes)
	args.Dst = &got[0]
	s.Meta[mode](&args)
	check()
	for g := range groups {
		for i, row := range rows {
			at := bit + g*bits
			n := row[at/8] >> (at % 8) & byte(1<<bits-1)
			var want uint32
			switch mode {
			case MetaTable:
				want = uint32(n<<args.Shift) * 0x01010101
			case MetaSum:
				want = uint32(byte(args.Add)-n) * 0x01010101
			case MetaInt:
				want = uint32(n)
			case MetaFloat:
				want = math.Float32bits(float32(n))
			case MetaE8M0:
				want = math.Float32bits(float32(math.Ldexp(1, int(n)-127)))
			case MetaE4M3:
				v := math.Ldexp(float64(n&7), -9)
				if n>>3 > 0 {
					v = math.Ldexp(float64(8+n&7), int(n>>3)-10)
				}
				want = math.Float32bits(float32(v))
			}
			if v := binary.LittleEndian.Uint32(got[stride*g+4*i:]); v != want {
				t.Fatalf("mode %d, %d bits, group %d of %d, row %d: %#x, want %#x", mode, bits, g, groups, i, v, want)
			}
		}
	}
}

// TestDots compares the functions with the definition of DotArgs.
func TestDots(t *testing.T) {
	forSets(t, func(t *testing.T, s *Set) {
		r := rand.New(rand.NewPCG(5, 6))
		for span := range ranges {
			for mode := range dots {
				for n := range s.Dots[span][mode] {
					if s.Dots[span][mode][n] == nil {
						continue
					}
					for _, extreme := range []bool{false, true} {
						testDots(t, s, r, span, mode, n, extreme, false)
						testDots(t, s, r, span, mode, n, extreme, true)
					}
				}
			}
		}
	})
}

// testDots multiplies random numbers, or numbers at the ends of their ranges. It adds the
// products to sums or, if all is set, has one call compute complete results.
func testDots(t *testing.T, s *Set, r *rand.Rand, span Range, mode, n int, extreme, all bool) {
	least, most := [ranges]int{-16, -32, -128}[span], [ranges]int{16, 32, 127}[span]
	pick := func(least, most int) int {
		if extreme {
			return []int{least, most}[r.IntN(20)/19]
		}
		return least + r.IntN(most-least+1)
	}
	const blocks, cols, first = 5, 5 * 128, 48
	rows, stride := s.Band, 4*s.Band
	panel := make([]byte, cols/4*stride)
	weight := func(row, col int) int {
		v := panel[col/4*stride+4*row+col%4]
		if s.Offset[span] == 0 {
			return int(int8(v))
		}
		return int(v) - s.Offset[span]
	}
	for i := range panel {
		panel[i] = byte(pick(least, most) + s.Offset[span])
	}
	var segs []Segment
	for b := range blocks {
		for at := 0; at < 128; {
			quads := 32
			if mode != DotsOne {
				quads = min(4*(1+r.IntN(8)), 32-at/4)
			}
			s := Segment{
				Quads: int32(quads), Begin: int32((b*128 + at) / 4), End: int32((b*128 + at + 4*quads) / 4),
				K: int32(r.IntN(7) * 4 * PanelRows), D: int32(4 * b), Lane: int32(b % SumLanes * 4 * rows),
			}
			if at += 4 * quads; at == 128 {
				s.Last = 1
			}
			if b < SumLanes && all {
				s.First = 1
			}
			segs = append(segs, s)
		}
	}
	segs = append(segs, Segment{})
	k := make([]float32, 7*PanelRows)
	for i := range k {
		k[i] = float32(r.IntN(256))
		if mode == DotsInt {
			k[i] = math.Float32frombits(uint32(k[i]))
		}
	}
	acc := make([]float32, n*SumLanes*rows)
	want := make([]float32, len(acc))
	block := make([]float32, n*PanelRows)
	for i := range acc {
		acc[i] = r.Float32()
		if !all {
			want[i] = acc[i]
		}
	}
	args := DotArgs{Panel: &panel[0], Segments: &segs[0], K: &k[0], Acc: &acc[0], Block: &block[0], Col: first}
	for o := s.Offset[span]; o > 16; o /= 2 {
		args.Shift++
	}
	for v := range n {
		q, prefix, d := make([]int8, cols), make([]int32, cols/16+1), make([]float32, blocks)
		for i := range q {
			q[i] = int8(pick(-127, 127))
			if i%16 == 15 {
				var sum int32
				for _, q := range q[i-15 : i+1] {
					sum += int32(q)
				}
				prefix[i/16+1] = prefix[i/16] - 16*sum
			}
		}
		for i := range d {
			d[i] = r.Float32()
		}
		all := append(make([]int8, first), q...)
		args.Q[v], args.D[v] = &all[0], &d[0]
		if s.Offset[span] != 0 {
			args.Prefix[v] = &prefix[0]
		}
		for row := range rows {
			var sum int32
			var fsum float32
			col := 0
			for _, s := range segs[:len(segs)-1] {
				var dot int32
				for range 4 * s.Quads {
					dot += int32(weight(row, col)) * int32(q[col])
					col++
				}
				scale := k[int(s.K)/4+row]
				if mode == DotsInt {
					sum += dot * int32(math.Float32bits(scale))
					fsum = float32(sum)
				} else {
					fsum += float32(float32(dot) * scale)
				}
				if s.Last == 1 {
					want[v*SumLanes*rows+int(s.Lane)/4+row] += float32(fsum * d[s.D/4])
					sum, fsum = 0, 0
				}
			}
		}
	}
	outer := make([]float32, rows)
	for i := range outer {
		outer[i] = r.Float32()
	}
	dst, check := guarded(t, 4*((n-1)*PanelRows+rows))
	if all {
		args.Outer, args.Dst = &outer[0], (*float32)(unsafe.Pointer(&dst[0]))
	}
	s.Dots[span][mode][n](&args)
	check()
	for v := 0; v < n && all; v++ {
		for row := range rows {
			lane := func(l int) float32 { return acc[(v*SumLanes+l)*rows+row] }
			sum := float32((float32(lane(0)+lane(2)) + float32(lane(1)+lane(3))) * outer[row])
			if got := math.Float32frombits(binary.LittleEndian.Uint32(dst[4*(v*PanelRows+row):])); got != sum {
				t.Fatalf("range %d, mode %d, %d vectors: row %d of vector %d is %v, want %v", span, mode, n, row, v, got, sum)
			}
		}
	}
	for i, v := range acc {
		if v != want[i] {
			t.Fatalf("range %d, mode %d, %d vectors, extreme %v: sum %d is %v, want %v", span, mode, n, extreme, i, v, want[i])
		}
	}
	for i, v := range block {
		if v != 0 {
			t.Fatalf("range %d, mode %d, %d vectors: Block[%d] is %v, want 0", span, mode, n, i, v)
		}
	}
}

// TestVectors checks that Vectors returns numbers that there are functions for.
func TestVectors(t *testing.T) {
	forSets(t, func(t *testing.T, s *Set) {
		for n := 1; n < 20; n++ {
			v := s.Vectors(n)
			if v < 1 || v > n {
				t.Errorf("Vectors(%d) is %d", n, v)
			}
			for span := range ranges {
				for mode := range dots {
					if s.Dots[span][mode][v] == nil {
						t.Errorf("range %d, mode %d: no function for %d vectors", span, mode, v)
					}
				}
			}
		}
	})
}

// TestOffsets checks the offsets of fields that the generator uses.
func TestOffsets(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("no assembly for processors of fewer than 64 bits")
	}
	var p PanelArgs
	var m MetaArgs
	var d DotArgs
	var s Segment
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"PanelArgs.Dst", unsafe.Offsetof(p.Dst), 128}, {"PanelArgs.Height", unsafe.Offsetof(p.Height), 136},
		{"PanelArgs.Chunks", unsafe.Offsetof(p.Chunks), 144}, {"PanelArgs.Table", unsafe.Offsetof(p.Table), 152},
		{"PanelArgs.Sel", unsafe.Offsetof(p.Sel), 160}, {"PanelArgs.SelAt", unsafe.Offsetof(p.SelAt), 168},
		{"PanelArgs.Scratch", unsafe.Offsetof(p.Scratch), 176}, {"PanelArgs.Stride", unsafe.Offsetof(p.Stride), 184},
		{"PanelArgs.Ahead", unsafe.Offsetof(p.Ahead), 192},
		{"PanelArgs.From", unsafe.Offsetof(p.From), 200}, {"PanelArgs.Even", unsafe.Offsetof(p.Even), 208},
		{"MetaArgs.From", unsafe.Offsetof(m.From), 200},
		{"MetaArgs.Bytes", unsafe.Offsetof(m.Bytes), 128}, {"MetaArgs.Bit", unsafe.Offsetof(m.Bit), 136},
		{"MetaArgs.Bits", unsafe.Offsetof(m.Bits), 144}, {"MetaArgs.Groups", unsafe.Offsetof(m.Groups), 152},
		{"MetaArgs.Dst", unsafe.Offsetof(m.Dst), 160}, {"MetaArgs.Stride", unsafe.Offsetof(m.Stride), 168},
		{"MetaArgs.Shift", unsafe.Offsetof(m.Shift), 176}, {"MetaArgs.Add", unsafe.Offsetof(m.Add), 184},
		{"MetaArgs.Scratch", unsafe.Offsetof(m.Scratch), 192},
		{"DotArgs.Segments", unsafe.Offsetof(d.Segments), 8}, {"DotArgs.K", unsafe.Offsetof(d.K), 16},
		{"DotArgs.Acc", unsafe.Offsetof(d.Acc), 24}, {"DotArgs.Block", unsafe.Offsetof(d.Block), 32},
		{"DotArgs.Shift", unsafe.Offsetof(d.Shift), 40}, {"DotArgs.Q", unsafe.Offsetof(d.Q), 48},
		{"DotArgs.Prefix", unsafe.Offsetof(d.Prefix), 96}, {"DotArgs.D", unsafe.Offsetof(d.D), 144},
		{"DotArgs.Outer", unsafe.Offsetof(d.Outer), 192}, {"DotArgs.Dst", unsafe.Offsetof(d.Dst), 200}, {"DotArgs.Col", unsafe.Offsetof(d.Col), 208},
		{"Segment.Begin", unsafe.Offsetof(s.Begin), 4}, {"Segment.End", unsafe.Offsetof(s.End), 8},
		{"Segment.K", unsafe.Offsetof(s.K), 12}, {"Segment.D", unsafe.Offsetof(s.D), 16},
		{"Segment.Lane", unsafe.Offsetof(s.Lane), 20}, {"Segment.Last", unsafe.Offsetof(s.Last), 24},
		{"Segment.First", unsafe.Offsetof(s.First), 28},
		{"a Segment's size", unsafe.Sizeof(s), 32},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the generator takes %d", f.name, f.got, f.want)
		}
	}
}
