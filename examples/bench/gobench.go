package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
)

// benchmarks are the results of go test -bench.
type benchmarks struct {
	names  []string                        // without the number of processors, in the order of their runs
	values map[string]map[string][]float64 // of all runs, by name, then by unit
}

func parseBenchmarks(out []byte) (benchmarks, error) {
	bs := benchmarks{values: map[string]map[string][]float64{}}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") || len(f)%2 != 0 {
			continue
		}
		name := processors.ReplaceAllString(f[0], "")
		if bs.values[name] == nil {
			bs.names = append(bs.names, name)
			bs.values[name] = map[string][]float64{}
		}
		for i := 2; i < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return benchmarks{}, fmt.Errorf("benchmark %s: %w", name, err)
			}
			bs.values[name][f[i+1]] = append(bs.values[name][f[i+1]], v)
		}
	}
	return bs, nil
}

var processors = regexp.MustCompile(`-\d+$`)

// namedParts returns the values by key of the parts of a benchmark's name that have the
// form key=value.
func namedParts(name string) map[string]string {
	of := map[string]string{}
	for part := range strings.SplitSeq(name, "/") {
		key, value, _ := strings.Cut(part, "=")
		of[key] = value
	}
	return of
}

// median returns the middle of a benchmark's values of a unit.
func (bs benchmarks) median(name, unit string) (float64, error) {
	vs := bs.values[name][unit]
	if len(vs) == 0 {
		return 0, fmt.Errorf("no %s of %s among the results", unit, name)
	}
	return cli.Median(vs), nil
}

// bench runs benchmarks with more flags of go test. With -quick it runs them once and
// shortened.
func (r *runner) bench(pattern, pkg string, flags ...string) (benchmarks, error) {
	if r.quick {
		flags = []string{"-short", "-benchtime", "1x"}
	}
	command := append([]string{"go", "test", "-run", "^$", "-bench", pattern, "-timeout", limit.String()}, flags...)
	command = append(command, pkg)
	out, err := r.output(nil, command...)
	if err != nil {
		return benchmarks{}, err
	}
	return parseBenchmarks(out)
}
