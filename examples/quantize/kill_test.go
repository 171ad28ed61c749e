//go:build unix

package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestKills kills the program with SIGKILL at random moments, QUANTIZE_KILLS
// times, each time going on in the same directory or beginning in a new one. At
// every moment, of which some are looked at while it runs, what has a final name
// must be what an uninterrupted run writes there, and so must all in the end:
//
//	QUANTIZE_KILLS=250 go test -run Kills -v ./examples/quantize
func TestKills(t *testing.T) {
	kills := 8
	if s := os.Getenv("QUANTIZE_KILLS"); s != "" {
		var err error
		if kills, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		t.Skip("takes long with the race detector")
	}
	src := filepath.Join(t.TempDir(), "source")
	os.Mkdir(src, 0o777)
	generate(t, filepath.Join(src, "model.safetensors"), transformer(6, 256, 768))
	os.WriteFile(filepath.Join(src, "config.json"), []byte("{}"), 0o666)
	command := func(dst string, workers int) []string {
		return []string{"-in", src, "-out", dst, "-shard-size", "1M", "-workers", fmt.Sprint(workers)}
	}
	whole := filepath.Join(t.TempDir(), "whole")
	begin := time.Now()
	cmd, out := start(t, command(whole, 1)...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	length := time.Since(begin)
	want := contents(t, whole)

	r := rand.New(rand.NewPCG(1, 250))
	var counts struct{ killed, tooLate, first, partial, resumed, finished, looks int }
	dst := filepath.Join(t.TempDir(), "out")
	check := func() (whole, partial int) {
		counts.looks++
		for name, b := range contents(t, dst) {
			switch {
			case strings.Contains(name, ".partial-"):
				partial++
			case !bytes.Equal(b, want[name]):
				t.Fatalf("%s has %d bytes that are not those of an uninterrupted run", name, len(b))
			default:
				whole++
			}
		}
		return whole, partial
	}
	for counts.killed < kills {
		before, _ := check()
		cmd, out := start(t, command(dst, 1+r.IntN(3))...)
		time.AfterFunc(time.Duration(r.Float64()*1.1*float64(length)), func() { cmd.Process.Kill() })
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		var err error
		for running := true; running; {
			select {
			case err = <-ended:
				running = false
			default:
				check()
				time.Sleep(time.Millisecond)
			}
		}
		after, partial := check()
		if after < before {
			t.Fatalf("%d files were whole, and %d are now", before, after)
		}
		switch {
		case err == nil:
			counts.tooLate++
		case cmd.ProcessState.ExitCode() != -1:
			t.Fatalf("%v\n%s", err, out)
		default:
			counts.killed++
			counts.partial += partial
			if after == 0 {
				counts.first++
			}
			if before > 0 {
				counts.resumed++
			}
		}
		if after == len(want) || r.IntN(4) == 0 || counts.killed == kills {
			program.Must(t, command(dst, 2)...)
			if n, partial := check(); n != len(want) || partial > 0 {
				t.Fatalf("in the end there are %d files of %d and %d partial ones", n, len(want), partial)
			}
			counts.finished++
			if err := os.RemoveAll(dst); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d runs killed (%d more had ended): %d before any file was whole, %d that went on after others; %d partial files left, all removed by the next run; %d results finished, each bit for bit that of a run of %v; %d looks at the directory",
		counts.killed, counts.tooLate, counts.first, counts.resumed, counts.partial, counts.finished, length.Round(time.Millisecond), counts.looks)
}

// contents reads the files of a directory, if it is there and as long as they
// are.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if err == nil {
			files[e.Name()] = b
		}
	}
	return files
}

// TestKillsReplacing kills the program while it replaces a result by another.
// What is left is opened as a whole result of one of the two runs, or not at all.
func TestKillsReplacing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long with the race detector")
	}
	src := filepath.Join(t.TempDir(), "source")
	os.Mkdir(src, 0o777)
	generate(t, filepath.Join(src, "model.safetensors"), transformer(4, 256, 768))
	os.WriteFile(filepath.Join(src, "config.json"), []byte("{}"), 0o666)
	runs := [][]string{
		{"-type", "bitmod3", "-shard-size", "1M"}, {"-type", "bitmod4", "-shard-size", "1M"}, {"-type", "int8"}, {"-type", "bitmod4", "-shard-size", "3M"},
	}
	command := func(dst string, i int) []string {
		return append([]string{"-in", src, "-out", dst, "-overwrite", "-workers", "1"}, runs[i]...)
	}
	begin := time.Now()
	dst := filepath.Join(t.TempDir(), "out")
	program.Must(t, command(dst, 0)...)
	length := time.Since(begin)
	r := rand.New(rand.NewPCG(1, 7))
	var opened, refused, finished int
	for range 12 {
		i := r.IntN(len(runs))
		cmd, out := start(t, command(dst, i)...)
		timer := time.AfterFunc(time.Duration(r.Float64()*1.2*float64(length)), func() { cmd.Process.Kill() })
		if err := cmd.Wait(); err == nil {
			finished++
		} else if cmd.ProcessState.ExitCode() != -1 {
			t.Fatalf("%v\n%s", err, out)
		}
		timer.Stop()
		if code, out, _ := program.Invoke(t, "inspect", dst); code != 0 {
			refused++
		} else {
			opened++
			program.Must(t, "verify", dst, "-original", src)
			kinds := 0
			for _, typ := range []string{" bitmod3 ", " bitmod4 ", " int8 "} {
				if strings.Contains(out, typ) {
					kinds++
				}
			}
			if kinds != 1 {
				t.Fatalf("a mixture of %d:\n%s", kinds, out)
			}
		}
		if r.IntN(3) == 0 {
			program.Must(t, command(dst, i)...)
			program.Must(t, "verify", dst, "-original", src)
			fresh := filepath.Join(t.TempDir(), "fresh")
			program.Must(t, command(fresh, i)...)
			if want, got := contents(t, fresh), contents(t, dst); !maps.EqualFunc(want, got, bytes.Equal) {
				t.Fatalf("%v in the end, and %v in a new directory", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
		}
	}
	t.Logf("%d opened, %d refused; %d runs had ended", opened, refused, finished)
}
