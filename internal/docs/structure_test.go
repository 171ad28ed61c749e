package docs

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of docs/structure.md")

const module = "github.com/bitmod-go/bitmod/"

// listed is what go list says of a package.
type listed struct {
	ImportPath, Doc                    string
	Imports, TestImports, XTestImports []string
}

// packages asks go list about packages, the same for every machine.
func packages(t *testing.T, patterns ...string) map[string]listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Doc,Imports,TestImports,XTestImports"}, patterns...)...)
	cmd.Dir = Root(t)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "GOFLAGS=")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if name, ours := strings.CutPrefix(p.ImportPath, module); ours {
			found[name] = p
		}
	}
}

// TestStructure compares the table of docs/structure.md with what packages import.
func TestStructure(t *testing.T) {
	const begin, end = "<!-- imports -->\n", "<!-- end -->\n"
	path := filepath.Join(Root(t), "docs", "structure.md")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between %q and %q", path, begin, end)
	}
	want := "\n" + importTable(packages(t, "./...")) + "\n"
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("docs/structure.md does not say what packages import: go test -run Structure ./internal/docs -update\nit has\n%s\nand should have\n%s", got, want)
	}
}

// importTable is a table of all packages by level, each above all that it imports.
func importTable(all map[string]listed) string {
	ours := map[string][]string{}
	for name, p := range all {
		for _, path := range p.Imports {
			if to, ok := strings.CutPrefix(path, module); ok {
				ours[name] = append(ours[name], to)
			}
		}
	}
	levels := map[string]int{}
	var level func(name string) int
	level = func(name string) int {
		n, ok := levels[name]
		if !ok {
			for _, to := range ours[name] {
				n = max(n, 1+level(to))
			}
			levels[name] = n
		}
		return n
	}
	// reaches reports whether a package is below another.
	var reaches func(from, to string) bool
	reaches = func(from, to string) bool {
		return slices.ContainsFunc(ours[from], func(next string) bool { return next == to || reaches(next, to) })
	}
	byLevel := map[int][]string{}
	for name, p := range all {
		if p.Doc != "" && !strings.HasSuffix(name, "test") { // not packages of tests alone
			byLevel[level(name)] = append(byLevel[level(name)], name)
		}
	}
	var s strings.Builder
	s.WriteString("| level | package | imports, besides what these import |\n|---|---|---|\n")
	for _, n := range slices.Sorted(maps.Keys(byLevel)) {
		for i, name := range slices.Sorted(slices.Values(byLevel[n])) {
			var direct []string
			for _, to := range ours[name] {
				if !slices.ContainsFunc(ours[name], func(other string) bool { return reaches(other, to) }) {
					direct = append(direct, "`"+to+"`")
				}
			}
			label := ""
			if i == 0 {
				label = fmt.Sprint(n)
			}
			shown := "`" + name + "`"
			if !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "examples/") {
				shown = "**" + shown + "**"
			}
			fmt.Fprintf(&s, "| %s | %s | %s |\n", label, shown, strings.Join(direct, ", "))
		}
	}
	return s.String()
}

// TestLight looks for imports that would be in the go.sum of users: of gonum and go-cmp, in
// packages that quant and kernel import, or in the tests of these.
func TestLight(t *testing.T) {
	for name, p := range packages(t, "-deps", "./quant", "./kernel") {
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if strings.HasPrefix(path, "gonum.org/") || strings.HasPrefix(path, "github.com/google/") {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
