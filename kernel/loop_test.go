package kernel

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/pack"
	"github.com/bitmod-go/bitmod/quant"
)

var update = flag.Bool("update", false, "write testdata/loops.txt; wants a processor with AVX-512")

// loopLetters are the letters of loops in testdata/loops.txt.
const loopLetters = "-2fsgpSG"

// emptyPlan returns the plan of a matrix of zeros, of one row.
func emptyPlan(t *testing.T, typ datatype.Type, groupSize, cols int) plan {
	groups := (cols-1)/groupSize + 1
	s := quant.Storage{
		Scales:    make([]byte, groups),
		Selectors: make([]byte, (groups*typ.SelectorBits()+7)/8),
		Codes:     make([]byte, pack.RowBytes(cols, typ.Bits())),
	}
	if typ.Scale() != datatype.E8M0 {
		s.RowScales = make([]float32, 1)
	}
	m, err := quant.New(typ, groupSize, 1, cols, s)
	if err != nil {
		t.Fatal(err)
	}
	return newPlan(m)
}

// The matrices and activations for which there are loops to choose.
var loopBatches = []int{1, 2, 3, 4, 5, 6, 8, 16}

func loopWidths() []int {
	var widths []int
	for w := 32; w <= 1024; w += 32 {
		widths = append(widths, w)
	}
	return append(widths, 1152, 2880, 4096, 4864, 33, 100, 500, 1000, 1100)
}

func loopGroupSizes(typ datatype.Type) []int {
	sizes := []int{16, 32, 64, 100, 128, 256, typ.GroupSize()}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// loopsTaken notes the loops that a test has run, for each type, mode and implementation.
type loopsTaken struct {
	least int // activations
	mu    sync.Mutex
	have  map[loopTaken]bool
}

type loopTaken struct {
	typ   datatype.Type
	float bool
	impl  implementation
	loop  loop
}

// newLoopsTaken notes loops for one activation, or for at least the given number.
func newLoopsTaken(least int) *loopsTaken {
	return &loopsTaken{least: least, have: map[loopTaken]bool{}}
}

// add notes the loops of a product of m and n activations.
func (lt *loopsTaken) add(m *quant.Matrix, n int, float bool, impl implementation) {
	if n < lt.least {
		return
	}
	for i := range m.Parts() {
		p := newPlan(m.Part(i))
		lt.mu.Lock()
		lt.have[lt.of(&p, m.Part(i).Type(), n, float, impl)] = true
		lt.mu.Unlock()
	}
}

func (lt *loopsTaken) of(p *plan, typ datatype.Type, n int, float bool, impl implementation) loopTaken {
	if float || p.ints == nil {
		return loopTaken{typ, true, impl, p.floatLoop(n, impl)}
	}
	return loopTaken{typ, false, impl, p.loop(n, impl)}
}

// rest calls f for a matrix of each loop that TestLoops finds for this machine and that
// this test has not run yet; f has to run the loop. A short test skips this.
func (lt *loopsTaken) rest(t *testing.T, f func(typ datatype.Type, groupSize, cols, n int, float bool)) {
	if testing.Short() {
		return
	}
	for _, typ := range datatype.Types() {
		for _, groupSize := range loopGroupSizes(typ) {
			for _, cols := range loopWidths() {
				p := emptyPlan(t, typ, groupSize, cols)
				for _, n := range loopBatches {
					if n < lt.least || lt.least == 1 && n > 1 {
						continue
					}
					for _, impl := range implementations() {
						for _, float := range []bool{false, true} {
							l := lt.of(&p, typ, n, float, impl)
							if lt.have[l] {
								continue
							}
							if f(typ, groupSize, cols, n, float); !lt.have[l] {
								t.Errorf("%v, %v, float mode %v: no matrix went by %v, as group %d, %d columns, %d activations do",
									typ, impl, float, l.loop, groupSize, cols, n)
							}
						}
					}
				}
			}
		}
	}
}

// TestLoops compares the loops for matrices of all types, in both modes, with
// testdata/loops.txt. It fails if a matrix unexpectedly has no vector loop.
func TestLoops(t *testing.T) {
	widths, batches := loopWidths(), loopBatches
	here := implementations()
	types := map[string][]string{} // by their loops
	for _, typ := range datatype.Types() {
		var of strings.Builder
		for _, groupSize := range loopGroupSizes(typ) {
			plans := make([]plan, len(widths))
			for i, cols := range widths {
				plans[i] = emptyPlan(t, typ, groupSize, cols)
			}
			for _, mode := range []string{"int8", "float32"} {
				last := ""
				for _, n := range batches {
					line := ""
					for lo, hi := 0, 0; lo < len(plans); lo = hi {
						loops := loopsOf(&plans[lo], n, mode)
						for hi = lo + 1; hi < len(plans) && widths[hi] > widths[hi-1] && loopsOf(&plans[hi], n, mode) == loops; hi++ {
						}
						line += fmt.Sprintf(" %d", widths[lo])
						if hi > lo+1 {
							line += fmt.Sprintf("–%d", widths[hi-1])
						}
						line += " " + loops
						for impl := range implementationCount {
							if p := &plans[lo]; loops[impl] == '-' && impl != portable && slices.Contains(here, impl) && !slow(p, mode) {
								t.Errorf("%v, group %d, %d columns, %s, %v: one weight at a time", typ, groupSize, p.cols, mode, impl)
							}
						}
					}
					if line != last {
						fmt.Fprintf(&of, "\tgroup %3d, %-7s from %2d:%s\n", groupSize, mode, n, line)
					}
					last = line
				}
			}
		}
		types[of.String()] = append(types[of.String()], typ.String())
	}
	var text strings.Builder
	fmt.Fprintln(&text, "# Written by go test -run TestLoops -update ./kernel. For groups of so many columns, a mode,")
	fmt.Fprintln(&text, "# and from so many activations on there are, behind a range of columns, the loops of")
	fmt.Fprintf(&text, "# %s:\n#\n", implementationNames())
	for l := range loop(len(loopLetters)) {
		fmt.Fprintf(&text, "#\t%c\t%v\n", loopLetters[l], l)
	}
	all := slices.Collect(maps.Keys(types))
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(types[a][0], types[b][0]) })
	for _, of := range all {
		fmt.Fprintf(&text, "\n%s\n%s", strings.Join(types[of], " "), of)
	}
	const name = "testdata/loops.txt"
	if *update {
		if err := os.WriteFile(name, []byte(text.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Contains(here, avx512) {
		t.Skip("the file is compared where AVX-512 is")
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != text.String() {
		t.Errorf("%s is not what matrices take: look at the difference after go test -run TestLoops -update ./kernel", name)
	}
}

// slow reports whether no vector loop is expected for p in a mode.
func slow(p *plan, mode string) bool {
	of := 4 // columns
	if mode == "int8" {
		of = granule
	}
	return p.groupSize%of != 0 && p.groupSize < p.cols
}

func implementationNames() string {
	var all []string
	for impl := range implementationCount {
		all = append(all, impl.String())
	}
	return strings.Join(all, ", ")
}

// loopsOf returns the letters of the loops of all implementations.
func loopsOf(p *plan, n int, mode string) string {
	var all strings.Builder
	for impl := range implementationCount {
		l := p.floatLoop(n, impl)
		if mode == "int8" {
			l = p.loop(n, impl)
		}
		all.WriteByte(loopLetters[l])
	}
	return all.String()
}
