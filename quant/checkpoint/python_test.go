package checkpoint

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// python returns the sorted output of testdata/read.py for a checkpoint.
func python(t *testing.T, path string) []string {
	t.Helper()
	out, err := runPython(t, path)
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	return slices.Sorted(strings.Lines(string(out)))
}

func runPython(t *testing.T, path string) ([]byte, error) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	return exec.Command(python, "testdata/read.py", path).Output()
}

// contents returns the expected output of python.
func contents(t *testing.T, c *Checkpoint) []string {
	t.Helper()
	var lines []string
	for _, x := range c.Tensors() {
		var b []byte
		if x.Quantized {
			b = leBytes(floats(t, c, x.Name))
		} else {
			b, _ = io.ReadAll(c.dataOf(x).(raw).Bytes())
		}
		lines = append(lines, fmt.Sprintf("%s %s %x\n", x.Name, strings.Trim(strings.ReplaceAll(fmt.Sprint(x.Shape), " ", "x"), "[]"), sha256.Sum256(b)))
	}
	slices.Sort(lines)
	return lines
}

// TestPythonReader decodes tensors of every type with testdata/read.py to the same bits.
// That reader was written from FORMAT.md and shares no code with this package.
func TestPythonReader(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	var ws []weight
	var rules Rules
	for _, typ := range datatype.Types() {
		// Widths with chunks of every height and a ragged end.
		for _, cols := range []int{1, 61, 1000 + typ.Bits()} {
			name := fmt.Sprintf("%v.w%d", typ, cols)
			ws = append(ws, random(r, name, "F32", 2, cols))
			rules.Types = append(rules.Types, TypeRule{name, typ, []int{0, 32}[r.IntN(2)]})
		}
	}
	ws = append(ws, random(r, "norm", "BF16", 7), random(r, "ids", "I64", 3, 3))
	c := openSource(t, ws...)
	dst := t.TempDir()
	run(t, plan(t, c, Options{Config: quant.Config{}, Rules: rules, ShardSize: 300_000}), dst, RunOptions{})
	if diff := cmp.Diff(contents(t, open(t, dst)), python(t, dst)); diff != "" {
		t.Errorf("Python (+) differs from Go (−)\n%s", diff)
	}
	// A changed byte is an error.
	damaged := t.TempDir()
	copyDamaged(t, dst, damaged)
	if _, err := runPython(t, damaged); err == nil {
		t.Error("Python read damaged data")
	}
}
