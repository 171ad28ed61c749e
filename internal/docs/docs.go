// Package docs reads the documents of the repository for the commands in them, and
// for what they print, so that tests find out what has become wrong.
package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Root returns the folder of the repository, from any folder below.
func Root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "CHANGELOG.md")); err == nil {
			return dir
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("these tests run in the repository")
		}
		dir = up
	}
}

// Texts returns the documents by name: all Markdown of the repository's root and of
// docs, and what the example programs say of themselves.
func Texts(t testing.TB) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "examples/*/main.go"} {
		paths, err := filepath.Glob(filepath.Join(Root(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			t.Fatalf("there is no %s", pattern)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			name := filepath.ToSlash(path[len(Root(t))+1:])
			text := string(b)
			if strings.HasSuffix(name, ".go") {
				text, _, _ = strings.Cut(text, "\npackage ")
				text = comment.ReplaceAllString(text, "")
			}
			texts[name] = text
		}
	}
	return texts
}

var comment = regexp.MustCompile(`(?m)^// ?`)

// A Command is a command of a document that begins with the word go.
type Command struct {
	File, Text string
	Words      []string // as a shell sees them; ["go", …]
	Dir        string   // of a "cd" before it; "." without
	Output     string   // what the document shows behind "$ COMMAND"
}

// Commands returns those of all documents: in code spans, in indented lines, and in
// fenced lines that begin with "$ ".
func Commands(t testing.TB) []Command {
	t.Helper()
	var found []Command
	for name, text := range Texts(t) {
		for _, c := range commands(text) {
			c.File = name
			found = append(found, c)
		}
	}
	return found
}

var (
	span      = regexp.MustCompile("`([^`]+)`")
	separator = regexp.MustCompile(`\s+`)
	variables = regexp.MustCompile(`^(\w+=\S* )*`)
	change    = regexp.MustCompile(`^cd (\S+) && `)
)

func commands(text string) []Command {
	var found []Command
	add := func(s string) bool {
		c := Command{Text: separator.ReplaceAllString(strings.TrimSpace(s), " "), Dir: "."}
		rest := c.Text
		if m := change.FindStringSubmatch(rest); m != nil {
			c.Dir, rest = m[1], rest[len(m[0]):]
		}
		rest = rest[len(variables.FindString(rest)):]
		if !strings.HasPrefix(rest, "go ") {
			return false
		}
		c.Words = words(rest)
		found = append(found, c)
		return true
	}
	prose, fenced, shown := "", false, false
	flush := func() {
		for _, m := range span.FindAllStringSubmatch(prose, -1) {
			add(strings.ReplaceAll(m[1], `\|`, "|")) // a cell of a table
		}
		prose = ""
	}
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		switch {
		case strings.HasPrefix(line, "```"):
			flush()
			fenced, shown = !fenced, false
		case fenced && strings.HasPrefix(line, "$ "):
			shown = add(line[2:])
		case fenced && shown:
			found[len(found)-1].Output += line
		case fenced:
		case strings.HasPrefix(line, "    "), strings.HasPrefix(line, "\t"):
			flush()
			add(line)
		default:
			prose += line
		}
	}
	flush()
	return found
}

// words takes a command apart at spaces outside of quotes, up to a comment, a pipe
// or the next command.
func words(s string) []string {
	var found []string
	word, in, quote := "", false, rune(0)
	for _, r := range s + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case quote == 0 && r == ' ':
			if in {
				found = append(found, word)
			}
			word, in = "", false
		case quote == 0 && !in && strings.ContainsRune("#|&>", r):
			return found
		default:
			word, in = word+string(r), true
		}
	}
	return found
}
