package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The plot of the documentation is that of its table.
func TestDocs(t *testing.T) {
	docs := filepath.Join("..", "..", "..", "docs")
	table, err := os.ReadFile(filepath.Join(docs, "quality.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := draw(string(table))
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(docs, "quality.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("docs/quality.svg is another plot: go run ./internal/models/plot docs/quality.tsv docs/quality.svg")
	}
}

func TestErrors(t *testing.T) {
	for table, want := range map[string]string{
		"":                     "no points",
		"# a comment\na\tb\t1": "line 2 has 3 columns",
		"a\tb\t4\t0\t1":        "want a positive number",
		"a\tb\tfour\t1\t1":     `"four"`,
	} {
		if _, err := draw(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", table, err, want)
		}
	}
}
