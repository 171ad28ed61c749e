//go:build unix

package main

import (
	"fmt"
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
	program.Must(t, "verify", dst, "-original", src)
}

// TestKubernetes runs the workers and the merge with the arguments of the
// manifests: on a shared volume, and with a volume for each, from which the
// files are brought together.
func TestKubernetes(t *testing.T) {
	src := source(t)
	workers := arguments(t, "deploy/kubernetes.yaml", "args:")
	merge := arguments(t, "deploy/kubernetes-merge.yaml", "command:")
	if len(merge) != 3 || merge[0] != "/quantize" {
		t.Fatalf("the merge is %q", merge)
	}
	on := func(volume string, index int, args []string) []string {
		r := strings.NewReplacer("/models/source", src, "/models", volume, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(index))
		var out []string
		for _, a := range args {
			out = append(out, r.Replace(a))
		}
		return out
	}
	for _, shared := range []bool{true, false} {
		models := t.TempDir()
		for i := range 8 {
			volume := models
			if !shared {
				volume = t.TempDir()
			}
			program.Must(t, on(volume, i, workers)...)
			if !shared {
				copyFinished(t, filepath.Join(volume, "bitmod4"), filepath.Join(models, "bitmod4"))
			}
		}
		program.Must(t, on(models, 0, merge[1:])...)
		program.Must(t, "verify", filepath.Join(models, "bitmod4"), "-original", src)
		if _, err := os.Stat(filepath.Join(models, "bitmod4", "config.json")); err != nil {
			t.Error(err)
		}
	}
}

// arguments returns the list of a manifest that follows key, of one to a line or
// in brackets.
func arguments(t *testing.T, path, key string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(path, "merge") && !strings.Contains(string(b), "completions: 8") {
		t.Errorf("%s is not for 8 workers", path)
	}
	_, after, _ := strings.Cut(string(b), key)
	var args []string
	for line := range strings.Lines(after) {
		line = strings.TrimSpace(line)
		if list, ok := strings.CutPrefix(line, "["); ok {
			for a := range strings.SplitSeq(strings.TrimSuffix(list, "]"), ", ") {
				args = append(args, strings.Trim(a, `"`))
			}
			break
		}
		arg, ok := strings.CutPrefix(line, "- ")
		if !ok && line != "" {
			break
		}
		if ok {
			args = append(args, arg)
		}
	}
	if len(args) == 0 {
		t.Fatalf("%s has no %s", path, key)
	}
	return args
}

// copyFinished copies the files that a worker has finished, which may be none.
func copyFinished(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, b := range contents(t, from) {
		if strings.HasPrefix(name, ".") {
			continue
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
