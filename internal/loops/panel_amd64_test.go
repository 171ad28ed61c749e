//go:build amd64 && !purego

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

func needAVX512(t *testing.T) {
	if !HasAVX512() {
		t.Skip("the processor has no AVX-512 with VBMI and VNNI")
	}
}

const canary = 0xa5

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
	needAVX512(t)
	r := rand.New(rand.NewPCG(1, 2))
	for bits := 2; bits <= 8; bits++ {
		strips := 8 * pack.StripBytes(bits) / bits
		for _, height := range []int{4, 8, 12, 16, 32, 60, 64} {
			for chunks := 1; chunks <= 2; chunks++ {
				for _, table := range []bool{false, true} {
					if table && bits > 6 {
						continue
					}
					cols := chunks * strips * height
					rowBytes := chunks * height * pack.StripBytes(bits)
					var tab [64]byte
					for i := range tab {
						tab[i] = byte(r.Uint32())
					}
					sel := make([]byte, 3*64)
					for i := range sel {
						switch {
						case i%4 > 0: // the four columns of a row have the same
							sel[i] = sel[i-1]
						case table:
							sel[i] = byte(r.Uint32()) & byte(63&^(1<<bits-1))
						default:
							sel[i] = byte(r.Uint32())
						}
					}
					selAt := make([]uint16, cols/4)
					for i := range selAt {
						selAt[i] = uint16(r.IntN(3) * 64)
					}
					args := PanelArgs{Height: height, Chunks: chunks, Table: &tab, Sel: &sel[0], SelAt: &selAt[0], Scratch: new([ScratchBytes]byte)}
					rows := make([][]byte, Lanes)
					for i := range rows {
						rows[i] = make([]byte, rowBytes)
						for j := range rows[i] {
							rows[i][j] = byte(r.Uint32())
						}
						args.Rows[i] = &rows[i][0]
					}
					size := (cols/4-1)*QuadBytes + 4*Lanes
					got, check := guarded(t, size)
					want := bytes.Repeat([]byte{canary}, size)
					args.Dst = &got[0]
					PanelAVX512(&args, bits, table)
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
									if table {
										code = tab[code|v]
									} else {
										code += v
									}
									want[col/4*QuadBytes+4*i+col%4] = code
								}
							}
						}
					}
					for i := range got {
						if got[i] != want[i] {
							t.Fatalf("%d bits, height %d, %d chunks, table %v: byte %d is %d, want %d", bits, height, chunks, table, i, got[i], want[i])
						}
					}
				}
			}
		}
	}
}

// TestMeta compares the functions with the definition of MetaArgs.
func TestMeta(t *testing.T) {
	needAVX512(t)
	r := rand.New(rand.NewPCG(3, 4))
	for mode := MetaTable; mode <= MetaE4M3; mode++ {
		for _, bits := range []int{1, 2, 4, 8} {
			if mode >= MetaInt && bits != 8 {
				continue
			}
			for _, size := range []int{1, 2, 7, 64, 65, 128} {
				bit := r.IntN(8) / bits * bits
				groups := (8*size - bit) / bits
				args := MetaArgs{Bytes: size, Bit: bit, Bits: bits, Groups: groups, Stride: 64, Scratch: new([ScratchBytes]byte)}
				if mode == MetaTable {
					args.Shift = r.IntN(9 - bits)
				}
				if mode == MetaSum {
					args.Add = r.IntN(256)
				}
				rows := make([][]byte, Lanes)
				for i := range rows {
					rows[i] = make([]byte, size)
					for j := range rows[i] {
						rows[i][j] = byte(r.Uint32())
						if mode == MetaE4M3 {
							rows[i][j] %= 0x7f
						}
					}
					args.Rows[i] = &rows[i][0]
				}
				got, check := guarded(t, 64*groups)
				args.Dst = &got[0]
				MetaAVX512(&args, mode)
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
						if v := binary.LittleEndian.Uint32(got[64*g+4*i:]); v != want {
							t.Fatalf("mode %d, %d bits, group %d of %d, row %d: %#x, want %#x", mode, bits, g, groups, i, v, want)
						}
					}
				}
			}
		}
	}
}

// TestDots compares the functions with the definition of DotArgs.
func TestDots(t *testing.T) {
	needAVX512(t)
	r := rand.New(rand.NewPCG(5, 6))
	for mode := DotsOne; mode <= DotsFloat; mode++ {
		for _, n := range []int{1, 2, 3, 4, 6} {
			const blocks, cols = 5, 5 * 128
			panel := make([]byte, cols/4*QuadBytes)
			for i := range panel {
				panel[i] = byte(r.Uint32())
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
						K: int32(r.IntN(7) * 4 * PanelRows), D: int32(4 * b), Lane: int32(b % SumLanes * 4 * PanelRows),
					}
					if at += 4 * quads; at == 128 {
						s.Last = 1
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
			acc := make([]float32, n*SumLanes*PanelRows)
			want := make([]float32, len(acc))
			block := make([]float32, n*PanelRows)
			args := DotArgs{Panel: &panel[0], Segments: &segs[0], K: &k[0], Acc: &acc[0], Block: &block[0], Shift: r.IntN(4)}
			for v := range n {
				q, prefix, d := make([]int8, cols), make([]int32, cols/16+1), make([]float32, blocks)
				for i := range q {
					q[i] = int8(r.Uint32())
				}
				for i := range prefix {
					prefix[i] = int32(r.Uint32() >> 16)
				}
				for i := range d {
					d[i] = r.Float32()
				}
				args.Q[v], args.Prefix[v], args.D[v] = &q[0], &prefix[0], &d[0]
				for row := range PanelRows {
					var sum int32
					var fsum float32
					col := 0
					for _, s := range segs[:len(segs)-1] {
						dot := (prefix[s.End/4] - prefix[s.Begin/4]) << args.Shift
						for range 4 * s.Quads {
							dot += int32(panel[col/4*QuadBytes+4*row+col%4]) * int32(q[col])
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
							want[v*SumLanes*PanelRows+int(s.Lane)/4+row] += float32(fsum * d[s.D/4])
							sum, fsum = 0, 0
						}
					}
				}
			}
			DotsAVX512(&args, n, mode)
			for i, v := range acc {
				if v != want[i] {
					t.Fatalf("mode %d, %d vectors: sum %d is %v, want %v", mode, n, i, v, want[i])
				}
			}
			for i, v := range block {
				if v != 0 {
					t.Fatalf("mode %d, %d vectors: Block[%d] is %v, want 0", mode, n, i, v)
				}
			}
		}
	}
}

// TestOffsets checks what the generator takes for the offsets of fields.
func TestOffsets(t *testing.T) {
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
		{"PanelArgs.Scratch", unsafe.Offsetof(p.Scratch), 176},
		{"MetaArgs.Bytes", unsafe.Offsetof(m.Bytes), 128}, {"MetaArgs.Bit", unsafe.Offsetof(m.Bit), 136},
		{"MetaArgs.Bits", unsafe.Offsetof(m.Bits), 144}, {"MetaArgs.Groups", unsafe.Offsetof(m.Groups), 152},
		{"MetaArgs.Dst", unsafe.Offsetof(m.Dst), 160}, {"MetaArgs.Stride", unsafe.Offsetof(m.Stride), 168},
		{"MetaArgs.Shift", unsafe.Offsetof(m.Shift), 176}, {"MetaArgs.Add", unsafe.Offsetof(m.Add), 184},
		{"MetaArgs.Scratch", unsafe.Offsetof(m.Scratch), 192},
		{"DotArgs.Segments", unsafe.Offsetof(d.Segments), 8}, {"DotArgs.K", unsafe.Offsetof(d.K), 16},
		{"DotArgs.Acc", unsafe.Offsetof(d.Acc), 24}, {"DotArgs.Block", unsafe.Offsetof(d.Block), 32},
		{"DotArgs.Shift", unsafe.Offsetof(d.Shift), 40}, {"DotArgs.Q", unsafe.Offsetof(d.Q), 48},
		{"DotArgs.Prefix", unsafe.Offsetof(d.Prefix), 96}, {"DotArgs.D", unsafe.Offsetof(d.D), 144},
		{"Segment.Begin", unsafe.Offsetof(s.Begin), 4}, {"Segment.End", unsafe.Offsetof(s.End), 8},
		{"Segment.K", unsafe.Offsetof(s.K), 12}, {"Segment.D", unsafe.Offsetof(s.D), 16},
		{"Segment.Lane", unsafe.Offsetof(s.Lane), 20}, {"Segment.Last", unsafe.Offsetof(s.Last), 24},
		{"a Segment's size", unsafe.Sizeof(s), 32},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, the generator takes %d", f.name, f.got, f.want)
		}
	}
}
