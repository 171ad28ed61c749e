package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
)

// A grid is a table of Markdown, its first row the header.
type grid [][]string

func (g *grid) add(cells ...string) { *g = append(*g, cells) }

func (g grid) String() string {
	var b strings.Builder
	for i, row := range g {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(&b, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	return b.String()
}

// updateFile puts tables between the lines that name them,
//
//	<!-- bench NAME -->
//	<!-- end -->
//
// and leaves the rest alone. All of the tables must have a place.
func updateFile(path string, tables map[string]string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for name, table := range tables {
		begin := []byte("<!-- bench " + name + " -->\n")
		head, rest, ok := bytes.Cut(text, begin)
		_, tail, closed := bytes.Cut(rest, []byte("<!-- end -->\n"))
		if !ok || !closed {
			return fmt.Errorf("%s: no <!-- bench %s --> with an <!-- end --> behind it", path, name)
		}
		text = fmt.Appendf(nil, "%s%s\n%s\n<!-- end -->\n%s", head, begin, strings.TrimRight(table, "\n")+"\n", tail)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Abort())
	}
	return f.Commit()
}
