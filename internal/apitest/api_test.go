// Package apitest checks the exported names of the importable packages against
// api.txt, so that none appears or changes unnoticed.
package apitest

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write api.txt")

const (
	root   = "../.."
	golden = root + "/api.txt"
)

func TestAPI(t *testing.T) {
	var lines []string
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); dir != root && (name == "internal" || name == "examples" || name == "testdata" || strings.HasPrefix(name, ".")) {
			return fs.SkipDir
		}
		found, err := exported(dir)
		lines = append(lines, found...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	got := strings.Join(slices.Compact(lines), "\n") + "\n"
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("the exported names are not those of api.txt (-api.txt +source); if that is meant,\n"+
			"go test ./internal/apitest -update\n%s", d)
	}
}

// exported lists the exported names of the package in dir, of all its files
// whatever their build constraints.
func exported(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	pkg, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	var lines []string
	add := func(format string, args ...any) {
		lines = append(lines, filepath.ToSlash(pkg)+": "+fmt.Sprintf(format, args...))
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		if f.Name.Name == "main" {
			continue
		}
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) {
					d.Body, d.Doc = nil, nil
					add("%s", source(fset, d))
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						if s.Name.IsExported() {
							add("type %s %s", s.Name, kind(s.Type))
							fields(s, func(name, typ string) { add("type %s: %s %s", s.Name, name, typ) }, fset)
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							if n.IsExported() {
								add("%s %s", d.Tok, n)
							}
						}
					}
				}
			}
		}
	}
	return lines, nil
}

func exportedReceiver(recv *ast.FieldList) bool {
	t := recv.List[0].Type
	if s, ok := t.(*ast.StarExpr); ok {
		t = s.X
	}
	id, ok := t.(*ast.Ident)
	return !ok || id.IsExported()
}

func kind(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.StructType:
		return "struct"
	case *ast.InterfaceType:
		return "interface"
	case *ast.FuncType:
		return "func"
	case *ast.Ident:
		return t.Name
	}
	return "…"
}

func fields(s *ast.TypeSpec, add func(name, typ string), fset *token.FileSet) {
	var list *ast.FieldList
	switch t := s.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, f := range list.List {
		f.Doc, f.Comment = nil, nil
		for _, n := range f.Names {
			if n.IsExported() {
				add(n.Name, source(fset, f.Type))
			}
		}
		if name := source(fset, f.Type); len(f.Names) == 0 && (strings.ContainsAny(name, ".| ") || ast.IsExported(name)) {
			add(name, "(embedded)")
		}
	}
}

func source(fset *token.FileSet, node any) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, fset, node); err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
