package docs

import (
	"flag"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	text := "# Title\n\nSay `go vet ./...` or `x`, or\n`A=1 go test\n-run 'A\\|B' ./a`.\n\n" +
		"    go run . -t \"a b\" \\\n        -f   # comment\n    ls\n\n" +
		"```go\ngo f()\n```\n```\n$ cd a && go run ./b\nout\n\nput\n$ ls\nc\n```\nand `go version`\n"
	got := ""
	for _, c := range commands(text) {
		got += c.Dir + " " + strings.Join(c.Words, "·") + " " + c.Output + "\n"
	}
	want := ". go·vet·./... \n. go·test·-run·A|B·./a \n. go·run·.·-t·a b·-f \na go·run·./b out\n\nput\n\n. go·version \n"
	if got != want {
		t.Errorf("found\n%s, want\n%s", got, want)
	}
}

// Programs and packages that documents run are there, and each pattern of tests
// means some. Their flags are tested where they are.
func TestNames(t *testing.T) {
	count := 0
	for _, c := range Commands(t) {
		if problem := check(t, c); problem != "" {
			t.Errorf("%s: %s: %s", c.File, c.Text, problem)
		}
		count++
	}
	if count < 50 {
		t.Errorf("only %d commands are found", count)
	}
}

func check(t *testing.T, c Command) string {
	fset := flag.NewFlagSet("go", flag.ContinueOnError)
	fset.SetOutput(new(strings.Builder))
	dir := fset.String("C", ".", "")
	patterns := map[string]*string{}
	for _, name := range []string{"run", "bench", "fuzz"} {
		patterns[name] = fset.String(name, "", "")
	}
	for _, name := range []string{"tags", "exec", "fuzztime", "benchtime", "count", "parallel", "timeout"} {
		fset.String(name, "", "")
	}
	for _, name := range []string{"v", "race", "short"} {
		fset.Bool(name, false, "")
	}
	switch c.Words[1] {
	case "run":
		if err := fset.Parse(c.Words[2:]); err != nil {
			return err.Error()
		}
		at := filepath.Join(Root(t), c.Dir, *dir, fset.Arg(0))
		if src, err := os.ReadFile(filepath.Join(at, "main.go")); err != nil || !strings.Contains(string(src), "\npackage main\n") {
			return "no program"
		}
	case "test":
		if err := fset.Parse(c.Words[2:]); err != nil {
			return err.Error()
		}
		names := map[string]bool{}
		for _, pkg := range fset.Args() {
			if strings.HasPrefix(pkg, "-") {
				break // flags of the tests themselves
			}
			found := functions(t, path.Join(c.Dir, pkg))
			if len(found) == 0 {
				return "no tests in " + pkg
			}
			for _, name := range found {
				names[name] = true
			}
		}
		for kind, pattern := range patterns {
			if problem := match(kind, *pattern, names); problem != "" {
				return problem
			}
		}
	}
	return ""
}

// match says which alternative of a pattern means none of the functions.
func match(kind, pattern string, names map[string]bool) string {
	pattern, _, _ = strings.Cut(pattern, "/")
	if pattern == "" || pattern == "^$" {
		return ""
	}
	alternatives := []string{pattern}
	if !strings.ContainsAny(pattern, "([") {
		alternatives = strings.Split(pattern, "|")
	}
	for _, a := range alternatives {
		re, err := regexp.Compile(a)
		if err != nil {
			return err.Error()
		}
		if !slices.ContainsFunc(sorted(names), func(name string) bool {
			is := strings.HasPrefix(name, "Fuzz")
			switch kind {
			case "bench":
				is = strings.HasPrefix(name, "Benchmark")
			case "run":
				is = !strings.HasPrefix(name, "Benchmark")
			}
			return is && re.MatchString(name)
		}) {
			return "-" + kind + " " + a + " means nothing"
		}
	}
	return ""
}

func sorted(names map[string]bool) []string {
	var s []string
	for name := range names {
		s = append(s, name)
	}
	slices.Sort(s)
	return s
}

var function = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz|Example)\w*)\(`)

// functions returns the tests of a package, or with /... of those below, too.
func functions(t *testing.T, pkg string) []string {
	t.Helper()
	dir, below := strings.CutSuffix(pkg, "...")
	var found []string
	top := filepath.Join(Root(t), dir)
	err := filepath.WalkDir(top, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != top && (!below || strings.HasPrefix(d.Name(), ".")) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(file)
		for _, m := range function.FindAllSubmatch(src, -1) {
			found = append(found, string(m[1]))
		}
		return err
	})
	if err != nil {
		t.Log(err)
		return nil
	}
	return found
}

// Tests that documents name are somewhere, and in the package that is named with
// them, as in "`FuzzA`, `FuzzB` in `a`".
func TestTests(t *testing.T) {
	names := functions(t, "./...")
	named := regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz|Example)[A-Z]\w+`)
	placed := regexp.MustCompile("((?:`\\w+`, )*`(?:Test|Fuzz)\\w+`) in `([a-z/]+)`")
	for file, text := range Texts(t) {
		for _, m := range placed.FindAllStringSubmatch(text, -1) {
			for _, name := range named.FindAllString(m[1], -1) {
				if !slices.Contains(functions(t, m[2]), name) {
					t.Errorf("%s: there is no %s in %s", file, name, m[2])
				}
			}
		}
		for _, name := range named.FindAllString(text, -1) {
			if !slices.Contains(names, name) {
				t.Errorf("%s: there is no %s", file, name)
			}
		}
	}
}

// The links of documents between each other, and to folders, lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#:\s]+)(#[^)]*)?\)`)
	for name, text := range Texts(t) {
		if !strings.HasSuffix(name, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(Root(t), filepath.Dir(name), m[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
