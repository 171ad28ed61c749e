package serial

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/x448/float16"
)

// bound returns the most that a mode may lose on a group, which follows from how it works,
// and Σ|term·activation|.
//
// First, each step loses in its lanes. If e is the largest exponent of the step, lane
// products are below 2M, with M = 2^(e−15), and are cut to multiples of P = 2^−13·M. Lanes
// with bits below P are those more than 3 places under e. Each loses at most P/2 where the
// bits are rounded, and less than P where they are cut off, times 2^bsig in the sum.
//
// Then the accumulator loses. Paper rounds it once to 14 bits, which is at most 2^−14 of
// the accumulator. Truncate cuts up to twice, to align one of the two operands and to
// normalize. Each cut is less than the last place, which is 2^−13 of the largest
// accumulator so far or, if that is larger, of M·2^LowBSig.
func bound(mode Mode, tab *Table, codes []uint8, x []float16.Float16) (lost, magnitude float64) {
	sum, largest := 0., 0.
	for i := 0; i < len(codes); i += Lanes {
		n := min(i+Lanes, len(codes))
		for k := range tab.plan.steps {
			var exp [Lanes]int
			e, cut := 1, 0.
			for j := i; j < n; j++ {
				term, v := tab.Terms(codes[j])[k], float64(x[j].Float32())
				exp[j-i] = max(1, int(x[j]>>10&31)) + int(term.Exp)
				e = max(e, exp[j-i])
				sum += term.Value() * v
				magnitude += math.Abs(term.Value() * v)
			}
			for j := i; j < n; j++ {
				if tab.Terms(codes[j])[k].Man == 1 && e-exp[j-i] > guardBits {
					cut++
				}
			}
			m := math.Ldexp(1, e-15)
			cut *= 0x1p-13 * m * math.Ldexp(1, int(tab.Terms(0)[k].BSig))
			switch mode {
			case Paper:
				lost += cut / 2
				lost += 0x1p-14 * (math.Abs(sum) + lost)
			case Truncate:
				lost += cut
				largest = max(largest, m*math.Ldexp(1, int(tab.LowBSig())), math.Abs(sum)+lost)
				lost += 2 * 0x1p-13 * largest
			}
		}
	}
	return lost, magnitude
}

func (d *deviation) merge(e *deviation) {
	d.groups += e.groups
	d.worst, d.nearest = max(d.worst, e.worst), max(d.nearest, e.nearest)
	d.sum += e.sum
	d.bias += e.bias
	d.errors += e.errors
	d.exact += e.exact
}

// A deviation gathers what a mode loses.
type deviation struct {
	groups           int
	worst, sum, bias float64 // relative to Σ|weight·activation|
	errors, exact    float64 // squares of errors and exact sums
	nearest          float64 // the largest error relative to its bound
}

func (d *deviation) add(t *testing.T, mode Mode, tab *Table, codes []uint8, x []float16.Float16) {
	t.Helper()
	exact, approx := PE{}, PE{Mode: mode}
	want, _, err := exact.Group(tab, codes, x)
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := approx.Group(tab, codes, x)
	if err != nil {
		t.Fatal(err)
	}
	limit, magnitude := bound(mode, tab, codes, x)
	lost := got - want
	if math.Abs(lost) > limit {
		t.Errorf("%v, %s: %v, exactly %v, off by %v, more than %v", mode, tab.name, got, want, lost, limit)
	}
	d.groups++
	if magnitude > 0 {
		d.worst = max(d.worst, math.Abs(lost)/magnitude)
		d.sum += lost * lost / magnitude / magnitude
		d.bias += lost / magnitude
	}
	if limit > 0 {
		d.nearest = max(d.nearest, math.Abs(lost)/limit)
	}
	d.errors += lost * lost
	d.exact += want * want
}

func (d *deviation) String() string {
	n := float64(d.groups)
	return fmt.Sprintf("%6d groups: worst %.1e, typical %.1e, bias %+.1e of Σ|w·x|; error/output %.1e (rms); %.2f of the bound",
		d.groups, d.worst, math.Sqrt(d.sum/n), d.bias/n, math.Sqrt(d.errors/d.exact), d.nearest)
}

// studyTypes are the types that the paper runs.
var studyTypes = []datatype.Type{datatype.BitMoD3, datatype.BitMoD4, datatype.Int6, datatype.Int8}

// studyActivations are the kinds of activations of the study: random ones, some with
// outliers like those of language models, and some that make the rounding modes lose
// most.
var studyActivations = []struct {
	name string
	make func(r *rand.Rand, x []float16.Float16)
}{
	{"random, normal", func(r *rand.Rand, x []float16.Float16) {
		for i := range x {
			x[i] = half(r.NormFloat64())
		}
	}},
	{"random, outliers", func(r *rand.Rand, x []float16.Float16) {
		for i := range x {
			x[i] = half(r.NormFloat64())
			if r.IntN(64) == 0 {
				x[i] = half(r.NormFloat64() * 100)
			}
		}
	}},
	{"random, any half", func(r *rand.Rand, x []float16.Float16) {
		copy(x, finiteHalves(r, len(x)))
	}},
	// One lane of four is large, so that the others lie below the guard bits.
	{"adversarial, large neighbour", func(r *rand.Rand, x []float16.Float16) {
		for i := range x {
			x[i] = half((1 + r.Float64()) * math.Ldexp(1, -2))
			if i%Lanes == 0 {
				x[i] = half((1 + r.Float64()) * math.Ldexp(1, 10))
			}
		}
	}},
	// The first are large, and every later step is below the accumulator.
	{"adversarial, falling", func(r *rand.Rand, x []float16.Float16) {
		for i := range x {
			x[i] = half((1 + r.Float64()) * math.Ldexp(1, 12-i*16/len(x)))
		}
	}},
	// The second half nearly takes the first half back.
	{"adversarial, cancelling", func(r *rand.Rand, x []float16.Float16) {
		n := len(x) / 2
		for i := range n {
			x[i] = half(1 + r.Float64())
			x[n+i] = half(-float64(x[i].Float32()) * (1 + 0x1p-9))
		}
	}},
	// Full mantissas one or two places below the lanes' last.
	{"adversarial, just cut off", func(r *rand.Rand, x []float16.Float16) {
		for i := range x {
			x[i] = half(2047. / 1024 * math.Ldexp(1, -(i%Lanes)*(4+r.IntN(2))))
		}
	}},
}

// TestErrorStudy checks that the rounding modes never lose more than their bound,
// relative to the exact mode, and that they lose no more than is typical.
func TestErrorStudy(t *testing.T) {
	groups := 100 // of each type
	if testing.Short() {
		groups = 10
	}
	for _, a := range studyActivations {
		var typical [3]float64
		for _, mode := range []Mode{Paper, Truncate} {
			r := rand.New(rand.NewPCG(31, 1))
			var d deviation
			for range groups {
				for _, typ := range studyTypes {
					cbs := typ.Codebooks()
					tab := mustTable(t, cbs[r.IntN(len(cbs))])
					const n = 128
					codes, x := bellCodes(r, n, tab), make([]float16.Float16, n)
					a.make(r, x)
					if a.name == "adversarial, cancelling" {
						copy(codes[n/2:], codes[:n/2])
					}
					d.add(t, mode, tab, codes, x)
				}
			}
			typical[mode] = math.Sqrt(d.sum / float64(d.groups))
			t.Logf("%-30s %-8v %v", a.name, mode, &d)
			if d.worst > 0x1p-6 {
				t.Errorf("%s, %v: loses %.1e of Σ|w·x|", a.name, mode, d.worst)
			}
		}
		if typical[Truncate] < typical[Paper] {
			t.Errorf("%s: truncating loses %.1e, rounding %.1e", a.name, typical[Truncate], typical[Paper])
		}
	}
}

// TestErrorSearch searches for activations and codes that lose most, by changing one
// weight at a time. The losses come near to the bounds and not beyond.
func TestErrorSearch(t *testing.T) {
	if testing.Short() {
		t.Skip("a long search")
	}
	r := rand.New(rand.NewPCG(32, 1))
	for _, mode := range []Mode{Paper, Truncate} {
		for _, typ := range studyTypes {
			const n = 32
			tab := mustTable(t, typ.Codebooks()[0])
			codes, x := randomCodes(r, n, tab), make([]float16.Float16, n)
			var d deviation
			share := func() float64 {
				d = deviation{}
				d.add(t, mode, tab, codes, x)
				return d.nearest
			}
			best := share()
			for range 4000 {
				i := r.IntN(n)
				code, h := codes[i], x[i]
				codes[i] = uint8(r.IntN(tab.codes()))
				x[i] = float16.Float16((1+r.IntN(28))<<10 | r.IntN(1024) | r.IntN(2)<<15)
				if s := share(); s >= best {
					best = s
				} else {
					codes[i], x[i] = code, h
				}
			}
			share()
			t.Logf("%-8v %-8v %v", typ, mode, &d)
			if best < .2 {
				t.Errorf("%v, %v: the bound is %.0f times what can be lost", typ, mode, 1/best)
			}
		}
	}
}

// bellCodes returns codes of normally distributed weights.
func bellCodes(r *rand.Rand, n int, tab *Table) []uint8 {
	values, largest := make([]float64, tab.codes()), 0.
	for c := range values {
		for _, term := range tab.Terms(uint8(c)) {
			values[c] += term.Value()
		}
		largest = max(largest, math.Abs(values[c]))
	}
	codes := make([]uint8, n)
	for i := range codes {
		w := r.NormFloat64() * largest / 3
		for c, v := range values {
			if math.Abs(v-w) < math.Abs(values[codes[i]]-w) {
				codes[i] = uint8(c)
			}
		}
	}
	return codes
}

// TestErrorStudyReal has real activations: the inputs of the first layer's query
// projection in a trained language model. The weights are bitmod4, bitmod3, int6 and
// int8.
func TestErrorStudyReal(t *testing.T) {
	weights, tokens := realQuery(t)
	const dim = 64
	for _, mode := range []Mode{Paper, Truncate} {
		var all deviation
		for _, typ := range studyTypes {
			m, err := quant.Group(weights, dim, quant.Config{Type: typ, GroupSize: dim})
			if err != nil {
				t.Fatal(err)
			}
			var d deviation
			codes := make([]uint8, dim)
			for row := range m.Rows() {
				if err := m.Codes(codes, row); err != nil {
					t.Fatal(err)
				}
				tab := mustTable(t, m.Codebook(row, 0))
				if testing.Short() && row%8 != 0 {
					continue
				}
				for _, x := range tokens[row%8:] {
					d.add(t, mode, tab, codes, x)
				}
			}
			all.merge(&d)
			t.Logf("%-8v %-8v %v", typ, mode, &d)
			if limit := []float64{0, 0x1p-10, 0x1p-9}[mode]; d.worst > limit {
				t.Errorf("%v, %v: loses %.1e of Σ|w·x|, more than %.1e", typ, mode, d.worst, limit)
			}
		}
		t.Logf("%-8v %-8v %v", "all", mode, &all)
	}
}

// realQuery returns the query weights of the first layer of stories260K, 64 × 64,
// and its inputs: the embeddings of 32 tokens after the layer's normalization, as
// halves.
func realQuery(t *testing.T) (weights []float32, tokens [][]float16.Float16) {
	t.Helper()
	data, err := os.ReadFile(dirtest.Data(t, "stories260K.bin"))
	if err != nil {
		t.Fatal(err)
	}
	file := bytes.NewReader(data)
	var head struct{ Dim, Hidden, Layers, Heads, KVHeads, Vocab, Context int32 }
	if err := binary.Read(file, binary.LittleEndian, &head); err != nil {
		t.Fatal(err)
	}
	if head.Dim != 64 || head.Vocab != 512 || head.Layers != 5 {
		t.Fatalf("not stories260K: %+v", head)
	}
	floats := make([]float32, 512*64+5*64+64*64)
	if err := binary.Read(file, binary.LittleEndian, floats); err != nil {
		t.Fatal(err)
	}
	embedding, norm := floats[:512*64], floats[512*64:]
	for token := 0; token < 512; token += 16 {
		row, sum := embedding[token*64:][:64], 0.
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		x := make([]float16.Float16, 64)
		for i, v := range row {
			x[i] = half(float64(v) / math.Sqrt(sum/64+1e-5) * float64(norm[i]))
		}
		tokens = append(tokens, x)
	}
	return floats[512*64+5*64:], tokens
}

// FuzzPE checks that rounding and truncating are within their bounds for any activations
// and codes, and that exact is exact.
func FuzzPE(f *testing.F) {
	f.Add([]byte{0x3c, 0, 1, 0xbc, 1, 3, 0x7b, 0xff, 7, 0, 1, 2}, uint8(0), uint8(1))
	f.Add([]byte{0x7c, 0, 1}, uint8(8), uint8(2))
	all := tables(f)
	f.Fuzz(func(t *testing.T, data []byte, table, m uint8) {
		tab, mode := all[int(table)%len(all)], Mode(m%3)
		n := len(data) / 3
		codes, x := make([]uint8, n), make([]float16.Float16, n)
		finite := true
		for i := range n {
			x[i] = float16.Float16(binary.BigEndian.Uint16(data[3*i:]))
			codes[i] = uint8(int(data[3*i+2]) % tab.codes())
			finite = finite && x[i].IsFinite()
		}
		exact, approx := PE{}, PE{Mode: mode}
		want, cycles, err := exact.Group(tab, codes, x)
		if err != nil {
			t.Fatal(err)
		}
		got, cycles2, err := approx.Group(tab, codes, x)
		if err != nil || cycles != cycles2 {
			t.Fatal(err, cycles, cycles2)
		}
		if !finite {
			if !math.IsNaN(want) || !math.IsNaN(got) {
				t.Fatalf("%v, exactly %v, of infinities or NaN", got, want)
			}
			return
		}
		limit, _ := bound(mode, tab, codes, x)
		limit *= float64(tab.Scale())
		// The exact sum itself is rounded to float64.
		if limit += math.Abs(want) * 0x1p-52; math.Abs(got-want) > limit {
			t.Fatalf("%v, %s: %v, exactly %v, bound %v", mode, tab.name, got, want, limit)
		}
	})
}

func BenchmarkGroup(b *testing.B) {
	r := rand.New(rand.NewPCG(41, 1))
	tab := mustTable(b, datatype.BitMoD4.Codebooks()[0])
	codes, x, x8 := randomCodes(r, 128, tab), make([]float16.Float16, 128), randomInt8(r, 128)
	for i := range x {
		x[i] = half(r.NormFloat64())
	}
	for mode := Exact; mode <= Truncate; mode++ {
		b.Run(mode.String(), func(b *testing.B) {
			p := PE{Mode: mode}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := p.Group(tab, codes, x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("int8", func(b *testing.B) {
		var p PE
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := p.GroupInt8(tab, codes, x8); err != nil {
				b.Fatal(err)
			}
		}
	})
}
