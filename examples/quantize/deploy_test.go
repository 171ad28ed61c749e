//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSlurm runs the tasks of the array, in any order, and the merge.
func TestSlurm(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	src, dst := source(t), filepath.Join(t.TempDir(), "out")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	task := func(id int, args ...string) {
		cmd := exec.Command(bash, append([]string{"deploy/slurm.sh"}, args...)...)
		cmd.Env = append(os.Environ(), "QUANTIZE_IS_MAIN=1", "QUANTIZE="+exe, "SLURM_CPUS_PER_TASK=1",
			"SLURM_ARRAY_TASK_MIN=0", fmt.Sprintf("SLURM_ARRAY_TASK_ID=%d", id))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("task %d %v: %v\n%s", id, args, err, out)
		}
	}
	for _, id := range []int{5, 0, 7, 3, 1, 2, 6, 4} {
		task(id, "quantize", src, dst)
	}
	task(0, "merge", dst)
	task(3, "merge", dst)
	must(t, "verify", dst, "-original", src)
}

// TestKubernetes checks that the program takes the arguments of the manifest.
func TestKubernetes(t *testing.T) {
	b, err := os.ReadFile("deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	for line := range strings.Lines(string(b)) {
		if arg, ok := strings.CutPrefix(strings.TrimSpace(line), "- -"); ok {
			args = append(args, "-"+strings.ReplaceAll(arg, "$(JOB_COMPLETION_INDEX)", "7"))
		}
	}
	o, err := parse(args, io.Discard)
	if err != nil || o.part != 7 || o.parts != 8 || !strings.Contains(string(b), "completions: 8") {
		t.Errorf("%v: %+v, %v", args, o, err)
	}
}
