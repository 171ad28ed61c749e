package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/kernel"
)

// machine returns a line of Markdown about the machine, the version of Go and the
// commit.
func (r *runner) machine() string {
	return fmt.Sprintf("Measured on %s (%s/%s, %d CPUs, kernel %s), %s, at commit %s, on %s.\n",
		processor(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), kernel.Implementation(), runtime.Version(),
		r.commit(), time.Now().Format(time.DateOnly))
}

// processor returns Linux's name of the first processor, with family and model, as
// names of virtual processors say little.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "a processor without a name"
	}
	first, _, _ := bytes.Cut(text, []byte("\n\n"))
	about := map[string]string{}
	for line := range strings.Lines(string(first)) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			about[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	name := about["model name"]
	if name == "" {
		name = "a processor without a name"
	}
	if about["cpu family"] != "" {
		name += fmt.Sprintf(", family %s, model %s", about["cpu family"], about["model"])
	}
	return name
}

// commit returns the short name of the commit, and whether files differ from it.
func (r *runner) commit() string {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(r.ctx, "git", args...).Output()
		return strings.TrimSpace(string(out)), err
	}
	name, err := git("rev-parse", "--short", "HEAD")
	if err != nil {
		return "unknown"
	}
	// Changes of documents do not change the figures.
	if changed, err := git("status", "--porcelain", "--", ".", ":!*.md"); err != nil || changed != "" {
		name += " with changes"
	}
	return name
}
