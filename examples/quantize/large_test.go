//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestLargeCheckpoint quantizes a checkpoint of QUANTIZE_LARGE bytes, such as
// 2200M, and compares the rate with that of quantizing in memory, and the memory
// with what is promised. It takes minutes, and so runs only when asked for:
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
	st, err := os.Stat(src)
	if err != nil {
		t.Fatal(err)
	}

	wallBefore, cpuBefore := memoryRate(t, src)
	begin := time.Now()
	cmd, out := start(t, "-in", src, "-out", dst)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	rate := float64(st.Size()) / time.Since(begin).Seconds()
	cpu := float64(st.Size()) / (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	peak := int64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10
	// Before and after, as the machine may be busy.
	wallAfter, cpuAfter := memoryRate(t, src)
	inMemory, inMemoryCPU := (wallBefore+wallAfter)/2, (cpuBefore+cpuAfter)/2
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	t.Logf("%s", strings.Join(lines[max(0, len(lines)-6):], "\n"))
	t.Logf("%s: %s/s, in memory %s/s: %.0f%%; peak memory %s", size(st.Size()), size(int64(rate)), size(int64(inMemory)), 100*rate/inMemory, size(peak))
	t.Logf("a second of processor time: %s, in memory %s: %.0f%%", size(int64(cpu)), size(int64(inMemoryCPU)), 100*cpu/inMemoryCPU)
	if peak > 300e6 {
		t.Errorf("peak memory is %s, want at most 300 MB", size(peak))
	}
}

// memoryRate returns the bytes of bfloat16 a second, and a second of processor
// time, that quant.Group takes when the weights are in memory already, as float32.
func memoryRate(t *testing.T, src string) (wall, cpu float64) {
	c, err := checkpoint.Open(src)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const name = "model.layers.0.mlp.up_proj.weight"
	x, _ := c.Tensor(name)
	w := make([]float32, x.Elements())
	if err := c.ReadRows(w, name, 0, x.Rows()); err != nil {
		t.Fatal(err)
	}
	begin, used, n := time.Now(), cpuTime(t), 0
	for time.Since(begin) < 4*time.Second {
		if _, err := quant.Group(w, x.Cols(), quant.Config{}); err != nil {
			t.Fatal(err)
		}
		n++
	}
	bytes := float64(n) * float64(x.Bytes)
	return bytes / time.Since(begin).Seconds(), bytes / (cpuTime(t) - used).Seconds()
}

// cpuTime returns the processor time of this process.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
