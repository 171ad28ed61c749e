//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestLargeCheckpoint quantizes a checkpoint of QUANTIZE_LARGE bytes, such as
// 2200M, and compares the rate with that of quant.Group on the same tensors as
// float32 in memory, with as many goroutines, in rounds that take turns. The
// peak of memory is that of a process of its own. It takes minutes, and so runs
// only when asked for; TMPDIR says on which disk:
//
//	QUANTIZE_LARGE=2200M go test -run LargeCheckpoint -v ./examples/quantize
func TestLargeCheckpoint(t *testing.T) {
	s := os.Getenv("QUANTIZE_LARGE")
	if s == "" {
		t.Skip("QUANTIZE_LARGE is not set")
	}
	bytes, err := parseSize(s)
	if err != nil {
		t.Fatal(err)
	}
	const hidden, inner = 2048, 5632
	perLayer := int64(2 * (4*hidden*hidden + 3*hidden*inner))
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "out")
	generate(t, src, transformer(int((bytes+perLayer-1)/perLayer), hidden, inner))

	cmd, out := start(t, "-in", src, "-out", dst)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	t.Logf("%s", strings.Join(lines[max(0, len(lines)-6):], "\n"))
	peak := int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10

	c, err := checkpoint.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var streamed, inMemory, ratio, ratioCPU []float64
	for range 5 {
		memory := groupAll(t, c)
		if err := os.RemoveAll(dst); err != nil {
			t.Fatal(err)
		}
		file := take(t, func() { program.Must(t, "-in", src, "-out", dst) })
		file.bytes = memory.bytes
		inMemory, streamed = append(inMemory, memory.rate()), append(streamed, file.rate())
		ratio = append(ratio, 100*file.rate()/memory.rate())
		ratioCPU = append(ratioCPU, 100*memory.cpu.Seconds()/file.cpu.Seconds())
	}
	for _, x := range []struct {
		what string
		vs   []float64
	}{{"streamed, MB/s of the source", streamed}, {"in memory, MB/s of the source", inMemory}, {"ratio, %", ratio}, {"ratio of processor time, %", ratioCPU}} {
		slices.Sort(x.vs)
		t.Logf("%-30s min %.0f, median %.0f, max %.0f", x.what, x.vs[0], x.vs[len(x.vs)/2], x.vs[len(x.vs)-1])
	}
	t.Logf("peak memory %s", cli.Size(peak))
	if peak > 300e6 {
		t.Errorf("peak memory is %s, want at most 300 MB", cli.Size(peak))
	}
}

// A taking is how long something took.
type taking struct {
	wall, cpu time.Duration
	bytes     int64
}

func (x taking) rate() float64 { return float64(x.bytes) / 1e6 / x.wall.Seconds() }

func take(t *testing.T, f func()) taking {
	begin, used := time.Now(), cpuTime(t)
	f()
	return taking{wall: time.Since(begin), cpu: cpuTime(t) - used}
}

// groupAll quantizes in memory the tensors that the program would quantize. Their
// bytes are those of the file.
func groupAll(t *testing.T, c *checkpoint.Checkpoint) (sum taking) {
	p, err := checkpoint.NewPlan(c, checkpoint.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var w []float32
	for _, it := range p.Items() {
		if !it.To.Quantized {
			continue
		}
		x := it.From
		w = slices.Grow(w[:0], int(x.Elements()))[:x.Elements()]
		if err := c.ReadRows(w, x.Name, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		one := take(t, func() {
			if _, err := quant.Group(w, x.Cols(), quant.Config{}); err != nil {
				t.Fatal(err)
			}
		})
		sum.wall += one.wall
		sum.cpu += one.cpu
		sum.bytes += x.Bytes
	}
	return sum
}

// cpuTime returns the processor time of this process.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
