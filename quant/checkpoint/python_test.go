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

// TestPythonReader has a reader that was written from FORMAT.md, and shares
// nothing with this package, decode tensors of every type to the same bits.
func TestPythonReader(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	r := rand.New(rand.NewPCG(8, 8))
	var ws []weight
	var rules Rules
	for _, typ := range datatype.Types() {
		// Widths with chunks of every height and a ragged end.
		for _, cols := range []int{1, 61, 1000 + typ.Bits()} {
			name := fmt.Sprintf("%v.w%d", typ, cols)
			ws = append(ws, random(r, name, "F32", 2, cols))
			rules.Types = append(rules.Types, TypeRule{patterns(t, name)[0], typ, []int{0, 32}[r.IntN(2)]})
		}
	}
	ws = append(ws, random(r, "norm", "BF16", 7), random(r, "ids", "I64", 3, 3))
	c := openSource(t, ws...)
	dst := t.TempDir()
	run(t, plan(t, c, Options{Config: quant.Config{}, Rules: rules, ShardSize: 300_000}), dst, RunOptions{})
	out, err := exec.Command(python, "testdata/read.py", dst).Output()
	if err != nil {
		if e, ok := err.(*exec.ExitError); ok {
			t.Fatalf("%v\n%s", err, e.Stderr)
		}
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(out)), "\n")
	q := open(t, dst)
	var want []string
	for _, x := range q.Tensors() {
		var b []byte
		if x.Quantized {
			b = leBytes(floats(t, q, x.Name))
		} else {
			b, _ = io.ReadAll(q.dataOf(x).(raw).Bytes())
		}
		want = append(want, fmt.Sprintf("%s %s %x", x.Name, strings.Trim(strings.ReplaceAll(fmt.Sprint(x.Shape), " ", "x"), "[]"), sha256.Sum256(b)))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Python (+) differs from Go (−)\n%s", diff)
	}
	// A byte of difference is noticed.
	damaged := t.TempDir()
	copyDamaged(t, dst, damaged)
	if err := exec.Command(python, "testdata/read.py", damaged).Run(); err == nil {
		t.Error("Python read damaged data")
	}
}
