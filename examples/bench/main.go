// Bench prints the tables between marks of docs/speed.md, as Markdown, with the machine,
// the version of Go and the commit that they are for:
//
//	go run ./examples/bench                        # takes minutes, and 10 GB of memory
//	go run ./examples/bench -only gemv,quantize
//	go run ./examples/bench -quick                 # takes seconds; shows that everything runs
//	go run ./examples/bench -update docs/speed.md   # also writes the tables into the page
//
// It runs programs and benchmarks one after another, and prints each table with the
// commands that gave it. Run it in the root folder of the repository, with nothing else
// running.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
)

func main() { cli.Main("bench", run) }

const usage = `usage: go run ./examples/bench [flags]

Prints the tables between marks of docs/speed.md.
`

// A section is one table of docs/speed.md, or a few that belong together.
type section struct {
	name    string
	measure func(*runner) (string, error)
}

var sections = []section{
	{"gemv", gemv},
	{"kernels", kernels},
	{"types", types},
	{"widths", widths},
	{"batches", batches},
	{"llama", llama},
	{"checkpoint", checkpoints},
	{"quantize", quantization},
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	only := flags.String("only", strings.Join(names, ","), "comma-separated `TABLES` to print")
	quick := flags.Bool("quick", false, "measure as little as possible, to see that everything runs")
	update := flags.String("update", "", "also write the tables into `FILE`, between its marks")
	if _, err := cli.Parse(flags, usage, args, stderr); err != nil {
		return err
	}
	if *quick && *update != "" {
		return cli.Usagef("-quick has no figures for -update")
	}
	wanted := strings.Split(*only, ",")
	for _, name := range wanted {
		if !slices.Contains(names, name) {
			return cli.Usagef("-only: there is no table %q; the tables are %s", name, strings.Join(names, ", "))
		}
	}
	if _, err := os.Stat("examples/bench/main.go"); err != nil {
		return fmt.Errorf("run bench in the root folder of the repository: %w", err)
	}

	r := &runner{ctx: ctx, quick: *quick, progress: stderr}
	tables := map[string]string{"machine": r.machine()}
	fmt.Fprintln(stdout, tables["machine"])
	for _, sec := range sections {
		if !slices.Contains(wanted, sec.name) {
			continue
		}
		r.commands = nil
		table, err := sec.measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", sec.name, err)
		}
		tables[sec.name] = strings.Join(r.commands, "\n") + "\n\n" + table
		fmt.Fprintf(stdout, "%s\n", tables[sec.name])
	}
	if *update != "" {
		return updateFile(*update, tables)
	}
	return nil
}

// A runner runs commands.
type runner struct {
	ctx      context.Context
	quick    bool
	progress io.Writer
	commands []string // that ran for the present table, as Markdown's code
}

// limit is longer than any of the commands takes.
const limit = 20 * time.Minute

// output runs a command, with variables set in its environment, and returns what
// it prints.
func (r *runner) output(env []string, command ...string) ([]byte, error) {
	line := strings.Join(append(slices.Clone(env), quoted(command)...), " ")
	r.commands = append(r.commands, "    "+line)
	fmt.Fprintln(r.progress, line)
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	c := exec.CommandContext(ctx, command[0], command[1:]...)
	c.Env = append(os.Environ(), env...)
	c.Stderr = r.progress
	out, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	return out, nil
}

// quoted joins a command with quotes where a shell needs them.
func quoted(command []string) []string {
	words := slices.Clone(command)
	for i, w := range words {
		if strings.ContainsAny(w, "^$()|[]*") {
			words[i] = "'" + w + "'"
		}
	}
	return words
}
