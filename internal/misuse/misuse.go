// Package misuse calls everything that a package exports with bad arguments, to show
// that it does not panic.
package misuse

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/docs"
)

// Test calls each of funcs, and each method of the package's types among values, on a
// nil pointer, on the zero value, and on the value given. Each argument is in turn the
// zero value of its type, something small or negative, and each of values that has its
// type. No call may panic. A method that can return an error must return one for a nil
// receiver, except that Close must return nil.
//
// The test fails if api.txt has a function of the package that is not in funcs, or a
// type with methods that none of values has.
func Test(t *testing.T, pkg string, funcs map[string]any, values ...any) {
	t.Helper()
	known := map[string]bool{}
	for _, v := range values {
		if own(pkg, reflect.TypeOf(v)) {
			known[typeName(reflect.TypeOf(v))] = true
		}
	}
	for _, name := range exported(t, pkg, regexp.MustCompile(`^func (\w+)`)) {
		if funcs[name] == nil {
			t.Errorf("%s.%s is not called", pkg, name)
		}
	}
	for _, name := range exported(t, pkg, regexp.MustCompile(`^\t\(\w+ \*?(\w+)\)`)) {
		if !known[name] {
			t.Errorf("the methods of %s.%s are not called", pkg, name)
		}
	}
	t.Chdir(t.TempDir()) // for what writes files
	pool := map[reflect.Type][]reflect.Value{}
	for _, v := range values {
		pool[reflect.TypeOf(v)] = append(pool[reflect.TypeOf(v)], reflect.ValueOf(v))
	}
	for name, f := range funcs {
		call(t, pkg+"."+name, reflect.ValueOf(f), pool)
	}
	for _, v := range values {
		typ := reflect.TypeOf(v)
		if !own(pkg, typ) {
			continue
		}
		if typ.Kind() != reflect.Pointer {
			typ = reflect.PointerTo(typ)
		}
		given := reflect.New(typ.Elem())
		if reflect.TypeOf(v).Kind() == reflect.Pointer {
			given = reflect.ValueOf(v)
		} else {
			given.Elem().Set(reflect.ValueOf(v))
		}
		for what, receiver := range map[string]reflect.Value{"nil": reflect.Zero(typ), "zero": reflect.New(typ.Elem()), "given": given} {
			for i := range typ.NumMethod() {
				m := typ.Method(i)
				if _, byValue := typ.Elem().MethodByName(m.Name); byValue && receiver.IsNil() {
					continue // the language panics
				}
				call(t, fmt.Sprintf("%s %s.%s.%s", what, pkg, typeName(typ), m.Name), receiver.Method(i), pool)
			}
		}
	}
}

// own reports whether a type, or what it points to, is the package's.
func own(pkg string, t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.HasSuffix(t.PkgPath(), "bitmod/"+pkg)
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Name()
}

// exported returns the matches of pattern in the lines of api.txt about a package.
func exported(t *testing.T, pkg string, pattern *regexp.Regexp) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(docs.Root(t), "api.txt"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut("\n"+string(b), "\npackage "+pkg+"\n")
	if !ok {
		t.Fatalf("api.txt has no package %s", pkg)
	}
	text, _, _ = strings.Cut(text, "\npackage ")
	var names []string
	for line := range strings.Lines(text) {
		if m := pattern.FindStringSubmatch(line); m != nil {
			names = append(names, m[1])
		}
	}
	return names
}

// call calls f with all combinations of arguments.
func call(t *testing.T, name string, f reflect.Value, pool map[reflect.Type][]reflect.Value) {
	t.Helper()
	typ := f.Type()
	choices := make([][]reflect.Value, typ.NumIn())
	total := 1
	for i := range choices {
		choices[i] = arguments(typ.In(i), pool)
		total *= len(choices[i])
	}
	in := make([]reflect.Value, len(choices))
	// Many arguments have too many combinations. An odd step tries some of every kind.
	const most = 3000
	none := strings.HasPrefix(name, "nil ") && !strings.HasSuffix(name, ".Close") &&
		typ.NumOut() > 0 && typ.Out(typ.NumOut()-1) == reflect.TypeFor[error]()
	step := 1
	if total > most {
		step = total/most | 1
	}
	for n := 0; n < total; n += step {
		rest := n
		for i, c := range choices {
			in[i] = c[rest%len(c)]
			rest /= len(c)
		}
		out, ok := one(t, name, f, in)
		if !ok {
			return
		}
		if none && out[len(out)-1].IsNil() {
			t.Errorf("%s(%v) returns no error", name, in)
			return
		}
	}
}

func one(t *testing.T, name string, f reflect.Value, in []reflect.Value) (out []reflect.Value, ok bool) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			var args []string
			for _, v := range in {
				args = append(args, fmt.Sprintf("%#v", v))
			}
			t.Errorf("%s(%s) panics: %v, at %s", name, strings.Join(args, ", "), r, place(debug.Stack()))
		}
	}()
	if f.Type().IsVariadic() {
		return f.CallSlice(in), true
	}
	return f.Call(in), true
}

var library = regexp.MustCompile(`(?m)^\t.*/((?:datatype|group|kernel|quant|serial|internal)/.*\.go:\d+)`)

// place returns the innermost line of the library in a stack of a panic.
func place(stack []byte) string {
	_, below, _ := bytes.Cut(stack, []byte("\npanic("))
	for _, m := range library.FindAllSubmatch(below, -1) {
		if at := string(m[1]); !strings.HasPrefix(at, "internal/misuse") {
			return at
		}
	}
	return string(stack)
}

// arguments returns values of a type, the first of which is nothing.
func arguments(t reflect.Type, pool map[reflect.Type][]reflect.Value) []reflect.Value {
	vs := []reflect.Value{reflect.Zero(t)}
	switch {
	case t == reflect.TypeFor[context.Context]():
		return append(vs, reflect.ValueOf(context.Background()))
	case t.Kind() == reflect.Pointer:
		vs = append(vs, reflect.New(t.Elem()))
	case t.Kind() == reflect.Slice:
		vs = append(vs, reflect.MakeSlice(t, 1, 1), reflect.MakeSlice(t, 8, 8))
	case t.Kind() == reflect.String:
		vs = append(vs, reflect.ValueOf("x").Convert(t))
	case reflect.Zero(t).CanInt():
		vs = append(vs, reflect.ValueOf(-1).Convert(t), reflect.ValueOf(1).Convert(t), reflect.ValueOf(8).Convert(t))
	case reflect.Zero(t).CanUint():
		vs = append(vs, reflect.ValueOf(255).Convert(t))
	}
	for typ, more := range pool {
		if typ.AssignableTo(t) {
			vs = append(vs, more...)
		}
	}
	return vs
}
