package checkpoint

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"
)

// TestTimes checks which stages a run has. A tensor that is copied is read, hashed and
// written, and a plan that is measured writes nothing.
func TestTimes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the clock may stand still for milliseconds")
	}
	r := rand.New(rand.NewPCG(81, 82))
	c := openSource(t, random(r, "up.weight", "BF16", 64, 256), random(r, "norm.weight", "F32", 1<<16))
	p := plan(t, c, Options{})
	res, err := p.Run(context.Background(), filepath.Join(t.TempDir(), "q.safetensors"), RunOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if x := res.Times; !(x.Reading > 0 && x.Quantizing > 0 && x.Hashing > 0 && x.Writing > 0 && x.Syncing > 0) {
		t.Errorf("a run has %v", x)
	}
	if res, err = p.Measure(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	if x := res.Times; !(x.Reading > 0 && x.Quantizing > 0) || x.Hashing+x.Writing+x.Syncing > 0 {
		t.Errorf("measuring has %v", x)
	}
	x := Times{Reading: 1294e6, Hashing: 4e6}
	if got, want := x.String(), "reading 1.29s, quantizing 0s, hashing 0s, writing 0s, syncing 0s"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
