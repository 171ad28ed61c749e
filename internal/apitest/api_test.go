// Package apitest checks the exported names of the importable packages against
// api.txt, so that none appears or changes unnoticed.
package apitest

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	difference "github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write api.txt")

const (
	root   = "../.."
	golden = root + "/api.txt"
)

func TestAPI(t *testing.T) {
	var packages []string
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != root && (name == "internal" || name == "examples" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		text, err := exported(dir)
		if text != "" {
			packages = append(packages, text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(packages, "\n")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := difference.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("the exported names are not those of api.txt (-api.txt +source); if that is meant,\n"+
			"go test ./internal/apitest -update\n%s", d)
	}
}

// exported lists the exported names of the package in dir, of all its files
// whatever their build constraints: constants and variables by their types,
// functions, and types with their fields and, behind them, their methods. It is
// empty for a command, and where there is no Go.
func exported(dir string) (string, error) {
	path, err := filepath.Rel(root, dir)
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return "", err
	}
	p := api{values: map[string][]string{}, types: map[string]*typeLines{}}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		p.fset = token.NewFileSet()
		f, err := parser.ParseFile(p.fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		if f.Name.Name == "main" {
			return "", nil
		}
		for _, decl := range f.Decls {
			p.declaration(decl)
		}
	}
	lines := p.lines()
	if len(lines) == 0 {
		return "", nil
	}
	return "package " + filepath.ToSlash(path) + "\n\n" + strings.Join(lines, "\n") + "\n", nil
}

// api is what a package exports.
type api struct {
	fset   *token.FileSet
	values map[string][]string // names, by "const" or "var" and type
	funcs  []string
	types  map[string]*typeLines
}

type typeLines struct {
	decl    string
	plain   []string // of the methods of everyday interfaces, the names
	methods []string
}

func (p *api) typ(name string) *typeLines {
	if p.types[name] == nil {
		p.types[name] = &typeLines{}
	}
	return p.types[name]
}

func (p *api) declaration(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		p.function(d)
	case *ast.GenDecl:
		var of string // what an implicit repetition in a const declaration repeats
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					p.typ(s.Name.Name).decl = fmt.Sprintf("type %s %s", s.Name, p.shape(s.Type))
				}
			case *ast.ValueSpec:
				if s.Type != nil || len(s.Values) > 0 {
					of = p.source(s.Type)
				}
				for _, n := range s.Names {
					if n.IsExported() {
						key := d.Tok.String() + " " + of
						p.values[key] = append(p.values[key], n.Name)
					}
				}
			}
		}
	}
}

func (p *api) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	d.Body, d.Doc = nil, nil
	text := p.source(d)
	if d.Recv == nil {
		p.funcs = append(p.funcs, text)
		return
	}
	of := d.Recv.List[0].Type
	if s, ok := of.(*ast.StarExpr); ok {
		of = s.X
	}
	if !ast.IsExported(p.source(of)) {
		return
	}
	t := p.typ(p.source(of))
	_, signature, _ := strings.Cut(text, ") ")
	switch signature {
	case "Error() string", "Unwrap() error", "String() string",
		"AppendBinary(b []byte) ([]byte, error)", "MarshalBinary() ([]byte, error)", "UnmarshalBinary(data []byte) error",
		"MarshalText() ([]byte, error)", "UnmarshalText(text []byte) error", "MarshalJSON() ([]byte, error)":
		t.plain = append(t.plain, d.Name.Name)
	default:
		t.methods = append(t.methods, "\t"+strings.TrimPrefix(text, "func "))
	}
}

func (p *api) lines() []string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(p.values)) {
		names := slices.Sorted(slices.Values(p.values[key]))
		kind, of, _ := strings.Cut(key, " ")
		lines = append(lines, strings.TrimSpace(kind+" "+strings.Join(slices.Compact(names), ", ")+" "+of))
	}
	slices.Sort(p.funcs)
	lines = append(lines, slices.Compact(p.funcs)...)
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		t := p.types[name]
		line := t.decl
		if slices.Sort(t.plain); len(t.plain) > 0 {
			line += " // has " + strings.Join(slices.Compact(t.plain), ", ")
		}
		// By name: the receiver's comes first in the line.
		slices.SortFunc(t.methods, func(a, b string) int {
			_, a, _ = strings.Cut(a, ") ")
			_, b, _ = strings.Cut(b, ") ")
			return cmp.Compare(a, b)
		})
		lines = append(lines, line)
		lines = append(lines, slices.Compact(t.methods)...)
	}
	return lines
}

// shape is the source of a type without what is not exported.
func (p *api) shape(t ast.Expr) string {
	s, ok := t.(*ast.StructType)
	if !ok {
		return p.source(t)
	}
	var fields []string
	for _, f := range s.Fields.List {
		var names []string
		for _, n := range f.Names {
			if n.IsExported() {
				names = append(names, n.Name)
			}
		}
		typ := p.source(f.Type)
		switch {
		case len(names) > 0:
			fields = append(fields, strings.Join(names, ", ")+" "+typ)
		case len(f.Names) == 0 && ast.IsExported(typ[strings.LastIndex(typ, ".")+1:]):
			fields = append(fields, typ)
		}
	}
	if len(fields) == 0 {
		return "struct"
	}
	return "struct { " + strings.Join(fields, "; ") + " }"
}

// source is the text of a node in one line.
func (p *api) source(node any) string {
	if node == nil || node == ast.Expr(nil) {
		return ""
	}
	var b bytes.Buffer
	if err := printer.Fprint(&b, p.fset, node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
