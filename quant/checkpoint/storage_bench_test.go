package checkpoint

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
)

// BenchmarkStorage compares places for the 256 MiB of codes of a model: ordinary slices,
// the large pages that Matrix asks the system for, and the mapped file in the system's
// cache. It reports the milliseconds from Open to the end of the first product with each
// matrix, the growth of the process in MiB, and, measured by turns, the median of
// thousand million weights a second on one thread.
func BenchmarkStorage(b *testing.B) {
	const matrices, rows, cols = 32, 4096, 4096
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(math.Sin(float64(i)))
	}
	m, err := quant.Group(w, cols, quant.Config{})
	if err != nil {
		b.Fatal(err)
	}
	var a kernel.Activation
	if err := a.Load(w[:cols]); err != nil {
		b.Fatal(err)
	}
	var entries []Entry
	for i := range matrices {
		entries = append(entries, Entry{Name: fmt.Sprint("w", i), Matrix: m})
	}
	path := filepath.Join(b.TempDir(), "m.safetensors")
	if err := Save(context.Background(), path, entries, SaveOptions{}); err != nil {
		b.Fatal(err)
	}
	w, m, entries = nil, nil, nil
	debug.FreeOSMemory() // so that the next read gets new pages from the system

	dst := make([]float32, rows)
	all := func(ms []*quant.Matrix) {
		for _, m := range ms {
			if err := kernel.GEMV(dst, m, &a); err != nil {
				b.Fatal(err)
			}
		}
	}
	kinds := []struct {
		name   string
		open   func(string) (*Checkpoint, error)
		matrix func(*Checkpoint, string) (*quant.Matrix, error)
	}{
		// Slices come first: reused memory keeps its advice.
		{"small", Open, smallPages}, {"large", Open, (*Checkpoint).Matrix}, {"mapped", OpenMapped, (*Checkpoint).Matrix},
	}
	loaded := make([][]*quant.Matrix, len(kinds))
	var first, more [3]float64
	for i, k := range kinds {
		before, start := resident(), time.Now()
		c, err := k.open(path)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		for j := range matrices {
			m, err := k.matrix(c, fmt.Sprint("w", j))
			if err != nil {
				b.Fatal(err)
			}
			loaded[i] = append(loaded[i], m)
			all(loaded[i][j:])
		}
		first[i], more[i] = float64(time.Since(start).Milliseconds()), resident()-before
	}
	speeds := make([][]float64, len(kinds))
	for b.Loop() {
		for i := range kinds {
			start := time.Now()
			all(loaded[i])
			speeds[i] = append(speeds[i], matrices*rows*cols/time.Since(start).Seconds()/1e9)
		}
	}
	for i, k := range kinds {
		slices.Sort(speeds[i])
		b.ReportMetric(first[i], k.name+"-ms")
		b.ReportMetric(more[i], k.name+"-MiB")
		b.ReportMetric(speeds[i][len(speeds[i])/2], k.name+"-Gweights/s")
	}
}

// smallPages reads a matrix of one type into ordinary slices.
func smallPages(c *Checkpoint, name string) (*quant.Matrix, error) {
	sections, err := c.Sections(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(sections[0].File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	parts := make([][]byte, len(sections))
	for i, s := range sections {
		parts[i] = make([]byte, s.Length)
		if _, err := f.ReadAt(parts[i], s.Offset); err != nil {
			return nil, err
		}
	}
	t, _ := c.Tensor(name)
	scales := make([]float32, t.Rows())
	if err := binary.Read(bytes.NewReader(parts[2]), binary.LittleEndian, scales); err != nil {
		return nil, err
	}
	return quant.New(t.Type, t.GroupSize, t.Rows(), t.Cols(), quant.Storage{Codes: parts[0], Scales: parts[1], RowScales: scales, Selectors: parts[3]})
}

// resident returns the resident memory of the process in MiB, or 0 if unknown.
func resident() float64 {
	var size, pages float64
	if b, err := os.ReadFile("/proc/self/statm"); err == nil {
		fmt.Sscan(string(b), &size, &pages)
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
