// Package clitest tests the example programs, and what documents say of them.
package clitest

import (
	"bytes"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/docs"
)

// A Program is one to test.
type Program struct {
	Name string // of its folder
	Run  cli.Run
	Any  bool // it takes any number of arguments
}

// Invoke runs the program in this process.
func (p Program) Invoke(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cli.Execute(t.Context(), p.Name, p.Run, args, &out, &errs)
	return status, out.String(), errs.String()
}

// Must runs the program, which should succeed, and returns what it prints.
func (p Program) Must(t testing.TB, args ...string) string {
	t.Helper()
	status, out, errs := p.Invoke(t, args...)
	if status != 0 {
		t.Fatalf("%s %q: exit status %d\n%s%s", p.Name, args, status, out, errs)
	}
	return out
}

// A Case is a command line that does not go well.
type Case = struct {
	Args   string // separated by spaces
	Status int
	Want   string // a part of standard error
}

// Errors tests such cases, and what is the same for all programs.
func (p Program) Errors(t *testing.T, cases []Case) {
	t.Helper()
	for _, c := range append(cases,
		Case{"-h", 0, "usage:"},
		Case{"-h", 0, "go run ./examples/" + p.Name},
		Case{"-nonsense", 2, "flag provided but not defined: -nonsense; see -h for usage"},
		Case{"stray", 2, `unexpected argument "stray"; see -h for usage`},
	) {
		if p.Any && c.Args == "stray" {
			continue
		}
		status, out, errs := p.Invoke(t, strings.Fields(c.Args)...)
		if status != c.Status || !strings.Contains(errs, c.Want) {
			t.Errorf("%s %s: exit status %d, %q; want %d, with %q", p.Name, c.Args, status, errs, c.Status, c.Want)
		}
		if c.Status == 2 && out != "" || c.Status != 0 && !strings.HasPrefix(errs, p.Name+": ") {
			t.Errorf("%s %s: standard output %q, standard error %q", p.Name, c.Args, out, errs)
		}
	}
}

// commands returns the commands in the documents that run the program, with its
// arguments.
func (p Program) commands(t *testing.T) (found []docs.Command, args [][]string) {
	t.Helper()
	for _, c := range docs.Commands(t) {
		at := slices.IndexFunc(c.Words, func(w string) bool { return path.Clean(w) == "examples/"+p.Name })
		if at > 0 && c.Words[1] == "run" {
			found, args = append(found, c), append(args, c.Words[at+1:])
		}
	}
	return found, args
}

// Flags tests that the program has the flags of all commands in the documents.
func (p Program) Flags(t *testing.T) {
	t.Helper()
	found, args := p.commands(t)
	for i, c := range found {
		if status, _, errs := p.Invoke(t, append(slices.Clone(args[i]), "-h")...); status != 0 {
			t.Errorf("%s: %s: exit status %d: %s", c.File, c.Text, status, errs)
		}
	}
}

// Docs tests the flags, and that where a document shows what a command prints, it
// does. Words of a line that are different each time, such as times, are left out by
// the function stable, which may be nil. Arguments more go to the program, too.
func (p Program) Docs(t *testing.T, stable func(words []string) []string, more ...string) {
	t.Helper()
	p.Flags(t)
	if testing.Short() {
		return // the programs' defaults take seconds
	}
	shown := false
	found, args := p.commands(t)
	for i, c := range found {
		if c.Output == "" {
			continue
		}
		shown = true
		got, want := lines(p.Must(t, append(args[i], more...)...), stable), lines(c.Output, stable)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s prints\n%s\nwhich is not what is there:\n%s", c.File, c.Text, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if !shown {
		t.Errorf("no document shows what go run ./examples/%s prints", p.Name)
	}
}

// lines takes text apart in lines of words with one space between.
func lines(text string, stable func([]string) []string) []string {
	var ls []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		words := strings.Fields(line)
		if stable != nil {
			words = stable(words)
		}
		ls = append(ls, strings.Join(words, " "))
	}
	return ls
}
