package serial

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/x448/float16"
)

func half(v float64) float16.Float16 { return float16.Fromfloat32(float32(v)) }

func mustTable(t testing.TB, cb datatype.Codebook) *Table {
	t.Helper()
	tab, err := NewTable(cb)
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// tables returns a table for each codebook of every type. Of the asymmetric integers, it
// returns tables for the first, middle and last zero-point.
func tables(t testing.TB) []*Table {
	var ts []*Table
	for _, typ := range datatype.Types() {
		cbs := typ.Codebooks()
		if typ.Asymmetric() {
			cbs = []datatype.Codebook{cbs[0], cbs[len(cbs)/2], cbs[len(cbs)-1]}
		}
		for _, cb := range cbs {
			if tab, err := NewTable(cb); err == nil {
				ts = append(ts, tab)
			}
		}
	}
	return ts
}

func randomCodes(r *rand.Rand, n int, tab *Table) []uint8 {
	codes := make([]uint8, n)
	for i := range codes {
		codes[i] = uint8(r.IntN(tab.codes()))
	}
	return codes
}

// finiteHalves returns n halves of any finite bit pattern.
func finiteHalves(r *rand.Rand, n int) []float16.Float16 {
	x := make([]float16.Float16, n)
	for i := range x {
		for x[i] = float16.Float16(r.Uint32()); !x[i].IsFinite(); {
			x[i] = float16.Float16(r.Uint32())
		}
	}
	return x
}

// TestExact compares the exact mode with rational arithmetic, for any finite activations.
func TestExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, tab := range tables(t) {
		for _, n := range []int{0, 1, 3, 4, 5, 128, 131} {
			codes, x := randomCodes(r, n, tab), finiteHalves(r, n)
			want := new(big.Rat)
			for i, c := range codes {
				for _, term := range tab.Terms(c) {
					v := new(big.Rat).SetFloat64(term.Value())
					want.Add(want, v.Mul(v, bigHalf(x[i])))
				}
			}
			var p PE
			sum, cycles, err := p.Group(tab, codes, x)
			if err != nil {
				t.Fatal(err)
			}
			if w := float64(tab.Scale()) * ratFloat(want); sum != w {
				t.Errorf("%s, %d weights: %v, want %v", tab.name, n, sum, w)
			}
			if w := (n + 3) / 4 * tab.plan.steps; cycles != w {
				t.Errorf("%s, %d weights: %d cycles, want %d", tab.name, n, cycles, w)
			}
		}
	}
}

// TestGroupIsSteps checks that a group gives what its steps give, in every mode, for FP16
// and INT8.
func TestGroupIsSteps(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, tab := range tables(t) {
		const n = 22
		codes, x := randomCodes(r, n, tab), finiteHalves(r, n)
		xi := make([]int8, n)
		for i := range xi {
			xi[i] = int8(r.Uint32())
		}
		for _, mode := range []Mode{Exact, Paper, Truncate} {
			group, steps, steps8 := PE{Mode: mode}, PE{Mode: mode, LowBSig: tab.LowBSig()}, PE{Mode: mode, LowBSig: tab.LowBSig()}
			sum, cycles, err := group.Group(tab, codes, x)
			if err != nil {
				t.Fatal(err)
			}
			dot, count := 0., 0
			for i := 0; i < n; i += Lanes {
				for k := range tab.plan.steps {
					var w [Lanes]Term
					var a [Lanes]float16.Float16
					var b [Lanes]int8
					for j := range w {
						w[j].BSig = tab.Terms(0)[k].BSig
						if i+j < n {
							w[j], a[j], b[j] = tab.Terms(codes[i+j])[k], x[i+j], xi[i+j]
						}
						dot += w[j].Value() * float64(b[j])
					}
					if err := steps.Step(&w, &a); err != nil {
						t.Fatal(err)
					}
					count++
					if err := steps8.StepInt8(&w, &b); err != nil {
						t.Fatal(err)
					}
				}
			}
			if got := float64(tab.Scale()) * steps.Sum(); got != sum || count != cycles {
				t.Errorf("%s, %v: %v in %d steps, the group %v in %d", tab.name, mode, got, count, sum, cycles)
			}
			if steps8.Sum() != dot {
				t.Errorf("%s, %v: INT8 steps give %v, want %v", tab.name, mode, steps8.Sum(), dot)
			}
			units, cycles8, err := group.GroupInt8(tab, codes, xi)
			if err != nil {
				t.Fatal(err)
			}
			if want := math.Ldexp(dot, -int(tab.plan.low)-int(tab.shift)); float64(units) != want || cycles8 != cycles || group.Sum() != dot {
				t.Errorf("%s, %v: INT8 group gives %v units (%v) in %d cycles, want %v (%v) in %d",
					tab.name, mode, units, group.Sum(), cycles8, want, dot, cycles)
			}
		}
	}
}

// TestGroupInt8 compares the integer sum with the dot product of values, which has no
// terms.
func TestGroupInt8(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	for _, typ := range datatype.Types() {
		for _, cb := range typ.Codebooks() {
			tab, err := NewTable(cb)
			if err != nil {
				continue
			}
			for _, n := range []int{1, 4, 7, 128} {
				codes, x := randomCodes(r, n, tab), make([]int8, n)
				var want int64
				for i, c := range codes {
					x[i] = int8(r.Uint32())
					if r.IntN(4) == 0 {
						x[i] = -128
					}
					want += int64(math.Round(float64(cb.Value(c))/float64(typ.Unit()))) * int64(x[i])
				}
				var p PE
				if got, _, err := p.GroupInt8(tab, codes, x); got != want || err != nil {
					t.Errorf("%s: %v, %v, want %v", cb.Name(), got, err, want)
				}
			}
		}
	}
}

// TestRoundingModes compares every step of the rounding modes with their definition, bit
// for bit, for various activations.
func TestRoundingModes(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 1))
	steps := 30
	if testing.Short() {
		steps = 10
	}
	for _, mode := range []Mode{Paper, Truncate} {
		for _, tab := range tables(t) {
			for trial := range 6 {
				p := PE{Mode: mode, LowBSig: tab.LowBSig()}
				ref := reference{mode: mode, low: int(tab.LowBSig()), acc: new(big.Rat)}
				for s := range steps {
					var w [Lanes]Term
					codes, x := randomCodes(r, Lanes, tab), finiteHalves(r, Lanes)
					for j := range w {
						w[j] = tab.Terms(codes[j])[s%tab.plan.steps]
						switch trial {
						case 0: // like numbers
							x[j] = half(r.NormFloat64())
						case 1: // cancellation: each step is undone by the next but one
							x[j] = half(math.Ldexp(1+r.Float64(), s/4%8))
							w[j].Neg = s/tab.plan.steps%2 == 1
						case 2: // large, then small
							x[j] = half(r.NormFloat64() * math.Ldexp(1, 14-s/2))
						case 3: // small, then large
							x[j] = half(r.NormFloat64() * math.Ldexp(1, s/2-8))
						}
					}
					if err := p.Step(&w, (*[Lanes]float16.Float16)(x)); err != nil {
						t.Fatal(err)
					}
					ref.step(&w, (*[Lanes]float16.Float16)(x))
					if got, want := p.Sum(), ratFloat(ref.acc); got != want {
						t.Fatalf("%v, %s, trial %d, step %d: %v, want %v", mode, tab.name, trial, s, got, want)
					}
				}
			}
		}
	}
}

// TestTruncateIsTheVerilog compares Truncate with the Verilog where the Verilog's defects
// have no effect: with normal activations, and no step below the accumulator's exponent.
func TestTruncateIsTheVerilog(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 1))
	tab := mustTable(t, datatype.BitMoD4.Codebooks()[0])
	steps, defect := 0, 0
	for range 2000 {
		p, v := PE{Mode: Truncate, LowBSig: -1}, verilog{}
		for s := range 20 {
			var w [Lanes]Term
			var x [Lanes]float16.Float16
			top := 0
			for j := range w {
				w[j] = tab.Terms(uint8(r.IntN(16)))[s%2]
				x[j] = float16.Float16((1+s+r.IntN(4))<<10 | r.IntN(1024) | r.IntN(2)<<15)
				top = max(top, int(x[j]>>10&31)+int(w[j].Exp))
			}
			if top < v.exp {
				defect++
				break
			}
			if err := p.Step(&w, &x); err != nil {
				t.Fatal(err)
			}
			v.step(&w, &x, uint(w[0].BSig+1))
			steps++
			if want := math.Ldexp(float64(v.man), v.exp-29); p.Sum() != want {
				t.Fatalf("step %d: %v, the Verilog has %v", s, p.Sum(), want)
			}
		}
	}
	if steps < 4000 {
		t.Errorf("only %d steps were compared", steps)
	}
	t.Logf("%d steps compared, %d groups left at a step that the Verilog aligns wrongly", steps, defect)
}

// TestStepByHand adds activations, each times a weight of 1. They show each place where
// bits are lost.
func TestStepByHand(t *testing.T) {
	one := Term{Man: 1}
	for _, c := range []struct {
		name                   string
		x                      [Lanes]float64
		exact, paper, truncate float64
	}{
		{"small integers", [4]float64{1, 2, 3, -4}, 2, 2, 2},
		// 2^−14 is half a step of the lanes' place 2^−13: even is 0.
		{"tie to even", [4]float64{1, 0x1p-14, 0, 0}, 1 + 0x1p-14, 1, 1},
		{"tie to even, upwards", [4]float64{1, 3 * 0x1p-14, 0, 0}, 1 + 3*0x1p-14, 1 + 2*0x1p-13, 1 + 0x1p-13},
		{"towards zero", [4]float64{-1, -3 * 0x1p-15, 0, 0}, -1 - 3*0x1p-15, -1 - 0x1p-13, -1},
		// The sum 6141/1024 + 2^−13 needs 16 bits, two more than the accumulator has.
		{"normalize", [4]float64{2047. / 1024, 2047. / 1024, 2047. / 1024, 0x1p-13}, 6141./1024 + 0x1p-13, 6141. / 1024, 6141. / 1024},
		{"subnormal", [4]float64{0x1p-24, 0x1p-24, -0x1p-24, 0x1p-23}, 3 * 0x1p-24, 3 * 0x1p-24, 3 * 0x1p-24},
		{"negative zero", [4]float64{math.Copysign(0, -1), 0, 0, 0}, 0, 0, 0},
	} {
		var x [Lanes]float16.Float16
		for i, v := range c.x {
			x[i] = half(v)
			if v == 0 && math.Signbit(v) {
				x[i] = 0x8000
			}
		}
		for mode, want := range []float64{c.exact, c.paper, c.truncate} {
			p := PE{Mode: Mode(mode)}
			if err := p.Step(&[Lanes]Term{one, one, one, one}, &x); err != nil {
				t.Fatal(err)
			}
			if got := p.Sum(); got != want || math.Signbit(got) != math.Signbit(want) {
				t.Errorf("%s, %v: %v, want %v", c.name, Mode(mode), got, want)
			}
		}
	}
}

// TestZeroTermCostsPrecision checks that a zero term against a large activation takes
// part in the search for the largest exponent, and so hides what is far below it.
func TestZeroTermCostsPrecision(t *testing.T) {
	w := [Lanes]Term{{Man: 0}, {Man: 1}}
	x := [Lanes]float16.Float16{half(32768), half(1)}
	for mode, want := range []float64{1, 0, 0} {
		p := PE{Mode: Mode(mode)}
		if err := p.Step(&w, &x); err != nil || p.Sum() != want {
			t.Errorf("%v: %v, %v, want %v", p.Mode, p.Sum(), err, want)
		}
	}
}

// TestSumBelowTheAccumulator has the defect of the Verilog that changes ordinary results:
// a large step, and then a small one.
func TestSumBelowTheAccumulator(t *testing.T) {
	one := [Lanes]Term{{Man: 1}, {}, {}, {}}
	p, v := PE{Mode: Truncate}, verilog{}
	for _, x := range []float64{1024, 1} {
		// Every lane has the exponent of the first, as the Verilog gives a zero
		// a hidden bit.
		a := [Lanes]float16.Float16{half(x), half(x), half(x), half(x)}
		if err := p.Step(&one, &a); err != nil {
			t.Fatal(err)
		}
		v.step(&one, &a, 0)
	}
	if p.Sum() != 1025 {
		t.Errorf("1024 + 1 = %v", p.Sum())
	}
	if got := math.Ldexp(float64(v.man), v.exp-28); got == 1025 {
		t.Errorf("the Verilog gives %v: the model of its defect has gone", got)
	}
}

func TestNonFinite(t *testing.T) {
	one := [Lanes]Term{{Man: 1}, {Man: 1}, {Man: 1}, {Man: 1}}
	for mode := Exact; mode <= Truncate; mode++ {
		for _, bad := range []float16.Float16{0x7c00, 0xfc00, 0x7e00, 0x7c01, 0xffff} {
			for _, man := range []uint8{0, 1} {
				p := PE{Mode: mode}
				w, x := one, [Lanes]float16.Float16{half(1), half(2), half(3), bad}
				w[3].Man = man
				for range 2 {
					if err := p.Step(&w, &x); err != nil {
						t.Fatal(err)
					}
					if !math.IsNaN(p.Sum()) {
						t.Errorf("%v, %#04x against Man %d: %v", mode, uint16(bad), man, p.Sum())
					}
					x[3] = half(1) // the next step is good, the sum is not
				}
				p.Reset()
				if p.Sum() != 0 {
					t.Errorf("after Reset: %v", p.Sum())
				}
			}
		}
	}
}

func TestStepErrors(t *testing.T) {
	x := [Lanes]float16.Float16{half(1), half(1), half(1), half(1)}
	for _, c := range []struct {
		name string
		pe   PE
		w    [Lanes]Term
		want error
	}{
		{"mantissa", PE{}, [Lanes]Term{{}, {Man: 2}}, ErrConfig},
		{"exponent", PE{}, [Lanes]Term{{}, {}, {Exp: 4}}, ErrConfig},
		{"unequal significance", PE{}, [Lanes]Term{{}, {BSig: 2}}, ErrConfig},
		{"below LowBSig", PE{}, [Lanes]Term{{BSig: -1}, {BSig: -1}, {BSig: -1}, {BSig: -1}}, ErrConfig},
		{"above the shifter", PE{}, [Lanes]Term{{BSig: 9}, {BSig: 9}, {BSig: 9}, {BSig: 9}}, ErrConfig},
		{"beyond the shifter", PE{LowBSig: -4}, [Lanes]Term{{BSig: 5}, {BSig: 5}, {BSig: 5}, {BSig: 5}}, ErrConfig},
		{"LowBSig", PE{LowBSig: -5}, [Lanes]Term{}, ErrConfig},
		{"mode", PE{Mode: 3}, [Lanes]Term{}, ErrConfig},
	} {
		p := c.pe
		if err := p.Step(&c.w, &x); !errors.Is(err, c.want) || p != c.pe {
			t.Errorf("%s: %v", c.name, err)
		}
		if err := p.StepInt8(&c.w, &[Lanes]int8{}); !errors.Is(err, c.want) || p != c.pe {
			t.Errorf("%s: INT8: %v", c.name, err)
		}
	}
	tab := mustTable(t, datatype.Int4.Codebooks()[0])
	var p PE
	if _, _, err := p.Group(tab, make([]uint8, 3), x[:]); !errors.Is(err, ErrShape) {
		t.Errorf("lengths: %v", err)
	}
	var code *ConfigError
	if _, _, err := p.GroupInt8(tab, []uint8{0, 1, 15}, make([]int8, 3)); !errors.As(err, &code) || code.Field != "codes[2]" {
		t.Errorf("code: %v", err)
	}
	for _, none := range []*Table{nil, {}} {
		if _, _, err := p.Group(none, nil, nil); !errors.Is(err, ErrConfig) {
			t.Errorf("table %v: %v", none, err)
		}
	}
	p.Mode = 7
	if _, _, err := p.Group(tab, nil, nil); !errors.Is(err, ErrConfig) {
		t.Errorf("mode: %v", err)
	}
	if s := fmt.Sprint(Exact, Paper, Truncate, Mode(9)); s != "exact paper truncate serial.Mode(9)" {
		t.Error(s)
	}
}

// TestFixed computes at the ends of the range of the exact mode's accumulator.
func TestFixed(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	toBig := func(f fixed) *big.Int {
		v := new(big.Int).Lsh(big.NewInt(f.hi), 64)
		return v.Add(v, new(big.Int).SetUint64(f.lo))
	}
	for range 20000 {
		v := int64(r.Uint64()) >> r.IntN(64)
		n := r.IntN(127)
		f := shifted(v, n)
		want := new(big.Int).Lsh(big.NewInt(v), uint(n))
		if want.BitLen() > 126 {
			continue
		}
		g := fixed{int64(r.Uint64()) >> (2 + r.IntN(62)), r.Uint64()}
		f, want = f.add(g), want.Add(want, toBig(g))
		if toBig(f).Cmp(want) != 0 {
			t.Fatalf("%d·2^%d + %v = %v, want %v", v, n, g, f, want)
		}
		if w := ratFloat(new(big.Rat).Mul(new(big.Rat).SetInt(want), pow2(-fixedPoint))); f.float() != w {
			t.Fatalf("%v reads %v, want %v", f, f.float(), w)
		}
	}
}
