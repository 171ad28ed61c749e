package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/google/go-cmp/cmp"
)

func TestParseBenchmarks(t *testing.T) {
	bs, err := parseBenchmarks([]byte(`goos: linux
BenchmarkGroup/type=int4/workers=1-2   	     100	   123.5 ns/op	 90.5 Mweights/s
BenchmarkGroup/type=int4/workers=1-2   	     100	   100.0 ns/op	 70.5 Mweights/s
BenchmarkGroup/type=int4/workers=1-2   	     100	   110.0 ns/op	 80.5 Mweights/s
BenchmarkGroup/type=int4/workers=all-2 	     100	    50.0 ns/op
PASS
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"BenchmarkGroup/type=int4/workers=1", "BenchmarkGroup/type=int4/workers=all"}
	if d := cmp.Diff(want, bs.names); d != "" {
		t.Error(d)
	}
	if v, err := bs.median(want[0], "Mweights/s"); v != 80.5 || err != nil {
		t.Errorf("median is %v, %v; want 80.5", v, err)
	}
	for _, unit := range []string{"Mweights/s", "B/op"} {
		if v, err := bs.median(want[1], unit); err == nil {
			t.Errorf("median of %s is %v, want an error", unit, v)
		}
	}
}

func TestGrid(t *testing.T) {
	g := grid{{"a", "b"}}
	g.add("1", "2")
	if d := cmp.Diff("| a | b |\n|---|---|\n| 1 | 2 |\n", g.String()); d != "" {
		t.Error(d)
	}
}

func TestUpdateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	write := func(s string) {
		if err := os.WriteFile(path, []byte(s), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const before = "Text.\n\n<!-- bench a -->\nold\n<!-- end -->\nMore.\n<!-- bench b -->\n<!-- end -->\n"
	const after = "Text.\n\n<!-- bench a -->\n\nnew\n\n<!-- end -->\nMore.\n<!-- bench b -->\n<!-- end -->\n"
	write(before)
	for range 2 { // the second time changes nothing
		if err := updateFile(path, map[string]string{"a": "new\n"}); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(after, string(got)); d != "" {
			t.Error(d)
		}
	}
	for _, bad := range []string{"nothing", "<!-- bench a -->\n", "<!-- end -->\n<!-- bench a -->\n"} {
		write(bad)
		if err := updateFile(path, map[string]string{"a": "new"}); err == nil {
			t.Errorf("%q: no error", bad)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != bad {
			t.Errorf("%q became %q, %v", bad, got, err)
		}
	}
}

// docs/speed.md has a place for every table.
func TestMarks(t *testing.T) {
	text, err := os.ReadFile("../../docs/speed.md")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	tables := map[string]string{"machine": "a machine"}
	for _, s := range sections {
		tables[s.name] = "a table"
	}
	if err := updateFile(path, tables); err != nil {
		t.Error(err)
	}
}

var program = clitest.Program{Name: "bench", Run: run}

func TestFlags(t *testing.T) { program.Flags(t) }

func TestErrors(t *testing.T) {
	program.Errors(t, []clitest.Case{
		{"-only gemv,nothing", 2, `no table "nothing"`},
		{"-quick -update speed.md", 2, "-quick"},
		{"", 1, "root folder"}, // which a test isn't in
	})
}
