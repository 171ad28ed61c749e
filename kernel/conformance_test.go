package kernel

import (
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/bitmod-go/bitmod/quant"
)

// forImplementations runs a test for every implementation of this machine.
func forImplementations(t *testing.T, f func(t *testing.T, impl implementation)) {
	for _, impl := range implementations() {
		t.Run(impl.String(), func(t *testing.T) { f(t, impl) })
	}
}

// everyShape makes TestConformance and TestBatch try every shape with every group size in
// every mode. By default they try a part, in which every pair of type, group size, shape
// and mode occurs. .ci/run sets it.
var everyShape = os.Getenv("KERNEL_SHAPES") == "all"

// groupSizes are the sizes whose multiples and remainders have paths of their own.
var groupSizes = []int{8, 16, 24, 32, 48, 64, 100, 128, 256, 384, 1 << 20}

// TestConformance compares all implementations with Reference, bit by bit.
func TestConformance(t *testing.T) {
	shapes := []struct{ rows, cols int }{
		{1, 1}, {3, 7}, {2, 16}, {1, 31}, {2, 64}, {3, 100}, {2, 127}, {9, 128}, {2, 129}, {1, 200},
		{3, 256}, {2, 384}, {2, 500}, {5, 512}, {2, 513}, {1, 640}, {2, 896}, {2, 1000}, {17, 1024}, {1, 1100},
		{2, 700}, {1, 1536 + 384}, {2, 2048 + 256}, {2, 2560 + 300}, {1, 4096 + 100}, {1, 17408 + 128},
	}
	taken := newLoopsTaken(1)
	t.Run("types", func(t *testing.T) {
		for _, typ := range datatype.Types() {
			t.Run(typ.String(), func(t *testing.T) {
				t.Parallel()
				r := rand.New(rand.NewPCG(1, uint64(typ)))
				var mem guards
				for i, groupSize := range groupSizes {
					for j, s := range shapes {
						if s.cols > 4096 && groupSize%48 != 0 && groupSize != 16 && groupSize != 128 {
							continue
						}
						usual := groupSize == typ.GroupSize() && s.cols == 1024
						if testing.Short() && (int(typ)+i*len(groupSizes)-j)%len(shapes) != 0 && !usual {
							continue // one shape for each type and group size, and one more
						}
						m := randomMatrix(&mem, r, typ, groupSize, s.rows, s.cols)
						for k, extreme := range []bool{false, true} {
							if everyShape || usual || (int(typ)+i+j)%2 == k {
								compare(t, m, activations(r, s.cols, extreme), taken)
							}
						}
						mem.free()
					}
				}
			})
		}
	})
	r := rand.New(rand.NewPCG(1, 99))
	taken.rest(t, func(typ datatype.Type, groupSize, cols, _ int, _ bool) {
		var mem guards
		defer mem.free()
		compare(t, randomMatrix(&mem, r, typ, groupSize, 5, cols), activations(r, cols, false), taken)
	})
}

// TestConformanceMixed is TestConformance for rows of several types.
func TestConformanceMixed(t *testing.T) {
	shapes := []struct{ rows, cols int }{
		{2, 1}, {7, 100}, {40, 128}, {300, 512}, {90, 700}, {20, 1024}, {33, 4096 + 100}, {700, 16}, {1100, 384},
	}
	r := rand.New(rand.NewPCG(1, 77))
	for i, s := range shapes {
		for _, groupSize := range []int{16, 48, 64, 128, 256} {
			if testing.Short() && s.rows*s.cols > 1e5 && groupSize != 128 {
				continue
			}
			var mem guards
			m := randomMixed(t, &mem, r, groupSize, s.rows, s.cols)
			compare(t, m, activations(r, s.cols, i%2 == 0), newLoopsTaken(1))
			mem.free()
		}
	}
}

// rubbish is loaded into Activations before they are used.
var rubbish = func() []float32 {
	x := make([]float32, 20000)
	for i := range x {
		x[i] = float32(math.Sin(float64(i))) * 1e20
	}
	return x
}()

// compare multiplies m by x in all modes with all implementations, and fails the test
// unless the results are those of Reference. dst and x are at odd addresses, dst between
// canaries.
func compare(t *testing.T, m *quant.Matrix, x []float32, taken *loopsTaken) {
	t.Helper()
	shifted := append(make([]float32, 1, len(x)+1), x...)[1:]
	for mode := range floatMode + 1 {
		var want []float32 // the same for all
		for _, impl := range implementations() {
			// A longer vector first leaves rubbish in the memory that is reused.
			var a Activation
			if err := a.load(rubbish[:len(x)+700], impl); err != nil {
				t.Fatal(err)
			}
			if err := a.loadMode(shifted, mode, impl); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = make([]float32, m.Rows())
				if err := Reference(want, m, &a); err != nil {
					t.Fatal(err)
				}
			}
			if mode != int16Mode {
				taken.add(m, 1, mode == floatMode, impl)
			}
			compareProduct(t, m, &a, impl, want)
		}
	}
}

func (m mode) String() string { return [...]string{"int8", "int16", "float32"}[m] }

// loadMode loads x by the method of a mode.
func (a *Activation) loadMode(x []float32, m mode, impl implementation) error {
	switch m {
	case int16Mode:
		return a.load16(x, impl)
	case floatMode:
		return a.loadFloat(x, impl)
	}
	return a.load(x, impl)
}

// compareProduct multiplies m by a, whole and in ranges of rows.
func compareProduct(t *testing.T, m *quant.Matrix, a *Activation, impl implementation, want []float32) {
	t.Helper()
	const canary = 123.5
	const margin = 17
	buf := slices.Repeat([]float32{canary}, m.Rows()+2*margin)
	dst := buf[margin : margin+m.Rows()]
	multiply(dst, m, a, 0, m.Rows(), impl)
	for i, v := range buf {
		if inside := i >= margin && i < margin+m.Rows(); !inside && v != canary {
			t.Fatalf("%v, %v, %v mode: element %d of dst was written to", m, impl, a.mode, i-margin)
		}
	}
	for i := range want {
		if !sameBits(dst[i], want[i]) {
			t.Fatalf("%v, %v, %v mode, row %d: %v (%#08x), want %v (%#08x)", m, impl, a.mode, i,
				dst[i], math.Float32bits(dst[i]), want[i], math.Float32bits(want[i]))
		}
	}
	// Any division into ranges of rows.
	got := slices.Repeat([]float32{canary}, m.Rows())
	for lo := 0; lo < m.Rows(); {
		hi := min(m.Rows(), lo+1+lo%3)
		multiply(got, m, a, lo, hi, impl)
		if hi < m.Rows() && got[hi] != canary {
			t.Fatalf("%v, %v, %v mode: rows %d to %d wrote to the next", m, impl, a.mode, lo, hi-1)
		}
		lo = hi
	}
	for i := range want {
		if !sameBits(got[i], want[i]) {
			t.Fatalf("%v, %v, %v mode, row %d in ranges: %v, want %v", m, impl, a.mode, i, got[i], want[i])
		}
	}
}

// sameBits takes all NaNs for equal, because their bits depend on the architecture.
func sameBits(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// randomMatrix has random codes, selectors and scales, every one of them valid,
// in guarded memory.
func randomMatrix(mem *guards, r *rand.Rand, typ datatype.Type, groupSize, rows, cols int) *quant.Matrix {
	groups := (cols-1)/groupSize + 1
	bits, sb := typ.Bits(), typ.SelectorBits()
	rowBytes, selBytes := pack.RowBytes(cols, bits), (groups*sb+7)/8
	s := quant.Storage{
		Scales:    mem.bytes(rows * groups),
		Selectors: mem.bytes(rows * selBytes),
		Codes:     mem.bytes(rows * rowBytes),
	}
	cbs := typ.Codebooks()
	largest := make([]uint8, len(cbs)) // the code of the largest magnitude
	for i, cb := range cbs {
		most := cb.MaxAbs()
		for c := range cb.Len() {
			if v := cb.Value(uint8(c)); max(v, -v) == most {
				largest[i] = uint8(c)
			}
		}
	}
	codes := make([]uint8, cols)
	for row := range rows {
		least := r.IntN(4) == 0 // without larger scales beside it
		for g := range groups {
			sel := r.IntN(len(cbs))
			k := uint8(r.IntN(256))
			if r.IntN(4) == 0 {
				k = 255
			}
			switch typ.Scale() {
			case datatype.E4M3:
				k = uint8(r.IntN(0x7f))
				if least {
					k = uint8(r.IntN(9)) // E4M3 below 8 is subnormal
				}
			case datatype.E8M0:
				k = uint8(100 + r.IntN(50))
				if least || r.IntN(10) == 0 {
					k = uint8(r.IntN(3)) // 2^−127 is subnormal
				}
			}
			s.Scales[row*groups+g] = k
			if sb > 0 {
				s.Selectors[row*selBytes+g*sb/8] |= uint8(sel << (g * sb % 8))
			}
			same := r.IntN(3) == 0
			for c := g * groupSize; c < min(cols, (g+1)*groupSize); c++ {
				codes[c] = uint8(r.IntN(cbs[sel].Len()))
				if same {
					codes[c] = largest[sel]
				}
			}
		}
		pack.Row(s.Codes[row*rowBytes:(row+1)*rowBytes], codes, bits)
	}
	switch typ.Scale() {
	case datatype.RowStep:
		s.RowScales = make([]float32, rows)
	case datatype.E4M3:
		s.RowScales = make([]float32, 1)
	}
	for i := range s.RowScales {
		s.RowScales[i] = float32(0.001 + r.Float64())
	}
	m, err := quant.New(typ, groupSize, rows, cols, s)
	if err != nil {
		panic(err)
	}
	return m
}

// activations returns normal activations with outliers. If extreme is set, all are at the
// ends of their range, so that sums are largest.
func activations(r *rand.Rand, n int, extreme bool) []float32 {
	x := make([]float32, n)
	sign := float32(1)
	for i := range x {
		if i%block == 0 && r.IntN(2) == 0 {
			sign = -sign
		}
		switch {
		case extreme:
			x[i] = sign * 3e5
			if i%7 == 0 && n%2 == 0 {
				x[i] = -x[i]
			}
		case r.IntN(100) == 0:
			x[i] = 50 * float32(r.NormFloat64())
		default:
			x[i] = float32(r.NormFloat64())
		}
	}
	if !extreme && n > 2*block && r.IntN(2) == 0 {
		clear(x[block : 2*block])
	}
	return x
}

// TestImplementations fails, in CI, if the other tests leave out an implementation that
// the CPU supports.
func TestImplementations(t *testing.T) {
	have := implementations()
	t.Logf("%v, of which %v is used", have, best)
	if have[0] != portable || have[len(have)-1] != best {
		t.Errorf("implementations() = %v, best is %v", have, best)
	}
	if os.Getenv("CI") != "true" || !assembly {
		return
	}
	// The features of the CPU, from the system rather than from the package that
	// implementations uses.
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip(err)
	}
	for _, want := range wanted[runtime.GOARCH] {
		if hasFeatures(string(info), want.features) && !slices.Contains(have, want.impl) {
			t.Errorf("the CPU has %s, but %v was not run", want.features, want.impl)
		}
	}
}

// wanted lists, by architecture, every implementation and Linux's names of the CPU
// features that it needs.
var wanted = map[string][]struct {
	impl     implementation
	features string
}{
	"amd64": {
		{avx2, "avx2 fma"},
		{avxVNNI, "avx2 fma avx_vnni"},
		{avx512, "avx2 fma bmi2 avx512f avx512bw avx512dq avx512vl avx512vbmi avx512_vnni"},
	},
	"arm64": {{neon, "asimd"}, {neonDot, "asimddp"}, {neonMatrix, "asimddp i8mm"}},
}

func hasFeatures(cpuinfo, features string) bool {
	for line := range strings.Lines(cpuinfo) {
		name, list, _ := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); name != "flags" && name != "Features" {
			continue
		}
		have := strings.Fields(list)
		for _, f := range strings.Fields(features) {
			if !slices.Contains(have, f) {
				return false
			}
		}
		return true
	}
	return false
}
