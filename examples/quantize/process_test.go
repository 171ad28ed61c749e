//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/internal/dirtest"
)

// start starts the program as a process of its own.
func start(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "QUANTIZE_IS_MAIN=1")
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, &out
}

// waitFor waits until a file that matches the pattern is there.
func waitFor(t *testing.T, pattern string) {
	t.Helper()
	for range 20000 {
		if m, _ := filepath.Glob(pattern); len(m) > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("no %s after 20 s", pattern)
}

// big generates a model that takes long enough to be interrupted.
func big(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long with the race detector")
	}
	src := filepath.Join(t.TempDir(), "model.safetensors")
	generate(t, src, transformer(4, 512, 1536))
	return src
}

// TestSignals interrupts and kills the program at many moments, and checks that files
// with final names are whole, and that another run finishes.
func TestSignals(t *testing.T) {
	src := big(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		dst := filepath.Join(t.TempDir(), "out")
		args := []string{"-in", src, "-out", dst, "-shard-size", "3M", "-workers", "1"}
		for i, pattern := range []string{".*partial*", "model-00001*", "model-00003*"} {
			cmd, out := start(t, args...)
			// Whole files may be of an earlier round. An unfinished one says that this
			// process is at work, and has a handler.
			waitFor(t, filepath.Join(dst, ".*partial*"))
			waitFor(t, filepath.Join(dst, pattern))
			cmd.Process.Signal(sig)
			err := cmd.Wait()
			if sig != syscall.SIGKILL && (cmd.ProcessState.ExitCode() != 130 || !strings.Contains(out.String(), "interrupted")) {
				t.Fatalf("%v: %v\n%s", sig, err, out)
			}
			for _, n := range dirtest.Names(t, dst) {
				if strings.HasPrefix(n, ".") {
					if sig != syscall.SIGKILL {
						t.Errorf("%v %d: %s is left", sig, i, n)
					}
					continue
				}
				program.Must(t, "verify", filepath.Join(dst, n))
			}
		}
		if out := program.Must(t, args...); !strings.Contains(out, "was finished already") {
			t.Errorf("after %v:\n%s", sig, out)
		}
		for _, n := range dirtest.Names(t, dst) {
			if strings.HasPrefix(n, ".") {
				t.Errorf("%s is left in the end", n)
			}
		}
		program.Must(t, "verify", dst, "-original", src)
	}
}

// TestManyProcesses runs the parts of a plan at the same time, kills one, runs it
// again and merges.
func TestManyProcesses(t *testing.T) {
	src := big(t)
	dst := filepath.Join(t.TempDir(), "out")
	const n = 3
	part := func(i int) []string {
		return []string{"-in", src, "-out", dst, "-shard-size", "3M", "-workers", "1", "-shard", fmt.Sprintf("%d/%d", i, n)}
	}
	var cmds []*exec.Cmd
	var outs []*bytes.Buffer
	for i := range n {
		cmd, out := start(t, part(i)...)
		cmds, outs = append(cmds, cmd), append(outs, out)
	}
	waitFor(t, filepath.Join(dst, ".*partial*"))
	cmds[1].Process.Kill()
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil && i != 1 {
			t.Fatalf("part %d: %v\n%s", i, err, outs[i])
		}
	}
	if code, _, errs := program.Invoke(t, "merge", dst); code != 1 || !strings.Contains(errs, "shards are missing") {
		t.Errorf("merge without a part: exit code %d, %s", code, errs)
	}
	cmd, out := start(t, part(1)...)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("again: %v\n%s", err, out)
	}
	program.Must(t, "merge", dst)
	program.Must(t, "verify", dst, "-original", src)

	// All in one process gives the same tensors.
	whole := filepath.Join(t.TempDir(), "whole.safetensors")
	program.Must(t, "-in", src, "-out", whole)
	if a, b := tensorSums(t, dst), tensorSums(t, whole); a != b {
		t.Errorf("parts differ from the whole:\n%s\n%s", a, b)
	}
}
