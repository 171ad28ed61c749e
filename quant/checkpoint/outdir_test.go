package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// errCrash stands for a crash of the process.
var errCrash = errors.New("crash")

// A crashingDisk fails all operations after a number of changes. A run commits a file on
// a goroutine while it makes the next.
type crashingDisk struct{ left atomic.Int64 }

func (d *crashingDisk) op() error {
	if d.left.Add(-1) < 0 {
		return errCrash
	}
	return nil
}

func (d *crashingDisk) create(path string) (atomicfile.File, error) {
	if err := d.op(); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	return &crashingFile{f, d}, err
}

func (d *crashingDisk) remove(path string) error {
	if err := d.op(); err != nil {
		return err
	}
	return os.Remove(path)
}

type crashingFile struct {
	atomicfile.File
	d *crashingDisk
}

func (f *crashingFile) Commit() error {
	if err := f.d.op(); err != nil {
		f.Abort()
		return err
	}
	return f.File.Commit()
}

// replacements are different plans for the same directory: of another type, with as many
// files, with fewer, with one, and of plain floats.
func replacements(t *testing.T) map[string]*Plan {
	a := open(t, sourceDir(t, 9, map[string]string{"config.json": `{"a": 1}`, "NOTICE": "a"}))
	b := open(t, sourceDir(t, 8, map[string]string{"config.json": `{"b": 1}`, "NOTICE": "b"}))
	types := func(c *Checkpoint, typ datatype.Type, size int64) *Plan {
		return plan(t, c, Options{Config: quant.Config{Type: typ}, ShardSize: size})
	}
	plain, err := dequantizePlan(b, t.TempDir(), DequantizeOptions{ShardSize: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*Plan{
		"one file": types(a, datatype.BitMoD4, 0), "one file of another model": types(b, datatype.BitMoD3, 0),
		"files": types(a, datatype.BitMoD4, 60_000), "as many files": types(b, datatype.BitMoD3, 60_000),
		"fewer files": types(a, datatype.Int8, 100_000), "plain": plain,
	}
}

// stateOf returns which of the results a directory opens as, or "refused". It fails if
// the directory opens as something else.
func stateOf(t *testing.T, dir string, results map[string]map[string]string) string {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		return "refused"
	}
	defer c.Close()
	there := tree(t, dir)
	for name, files := range results {
		// All weights and companions are there; readers ignore other files.
		ok := true
		for n, b := range files {
			ok = ok && there[n] == b
		}
		if ok && len(c.files) == len(slices.DeleteFunc(dirtest.Names(t, dir), func(n string) bool { return !strings.HasSuffix(n, ".safetensors") || files[n] == "" })) {
			return name
		}
	}
	t.Fatalf("%v is opened as something else: %v", dirtest.Names(t, dir), c.files)
	return ""
}

// TestReplaceEveryCrash replaces each of some results by each other, and crashes before
// each operation in turn. The directory then has one of the two or is refused, and
// another run makes it equal to a run into a new directory.
func TestReplaceEveryCrash(t *testing.T) {
	plans := replacements(t)
	results := make(map[string]map[string]string)
	for name, p := range plans {
		dir := t.TempDir()
		run(t, p, dir, RunOptions{})
		results[name] = tree(t, dir)
	}
	counts := make(map[string]int)
	for from, p := range plans {
		for to, q := range plans {
			if from == to {
				continue
			}
			for k := 0; ; k++ {
				if k%stride(7) != (len(from)+len(to))%stride(7) && k > 0 {
					continue
				}
				dir := t.TempDir()
				run(t, p, dir, RunOptions{})
				if _, err := q.Run(context.Background(), dir, RunOptions{}); !errors.Is(err, ErrExists) {
					t.Fatalf("%s over %s: %v", to, from, err)
				}
				if diff := cmp.Diff(results[from], tree(t, dir)); diff != "" {
					t.Fatalf("%s over %s, refused, but it has changed (-want +got)\n%s", to, from, diff)
				}
				d := new(crashingDisk)
				d.left.Store(int64(k))
				_, err := q.Run(context.Background(), dir, RunOptions{Overwrite: true, create: d.create, remove: d.remove})
				if err != nil && !errors.Is(err, errCrash) {
					t.Fatalf("%s over %s, crash %d: %v", to, from, k, err)
				}
				done := err == nil
				switch state := stateOf(t, dir, map[string]map[string]string{from: results[from], to: results[to]}); {
				case done && state != to:
					t.Fatalf("%s over %s: %s", to, from, state)
				case state == from:
					counts["old"]++
				case state == to:
					counts["new"]++
				default:
					counts[state]++
				}
				run(t, q, dir, RunOptions{Overwrite: true})
				if diff := cmp.Diff(results[to], tree(t, dir)); diff != "" {
					t.Fatalf("%s over %s, crash %d, again (-want +got)\n%s", to, from, k, diff)
				}
				os.RemoveAll(dir)
				if done {
					break
				}
			}
		}
	}
	if counts["old"] == 0 || counts["refused"] == 0 {
		t.Errorf("%v", counts)
	}
	t.Logf("%v", counts)
}

// TestReplaceOpen replaces a result that is open. Its reader keeps the old result.
// Windows refuses to replace open files; another run finishes after the reader has closed
// them.
func TestReplaceOpen(t *testing.T) {
	src := openSource(t, model(9)...)
	for _, size := range []int64{0, 60_000} {
		dst := t.TempDir()
		p := plan(t, src, Options{ShardSize: size})
		q := plan(t, src, Options{ShardSize: size, Config: quant.Config{Type: datatype.BitMoD3}})
		run(t, p, dst, RunOptions{})
		c := open(t, dst)
		_, err := q.Run(context.Background(), dst, RunOptions{Overwrite: true})
		if runtime.GOOS == "windows" {
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "safetensors is not written") {
				t.Errorf("shards of %d bytes: %v", size, err)
			}
		} else if err != nil {
			t.Fatal(err)
		}
		checkResult(t, p, c)
		c.Close()
		run(t, q, dst, RunOptions{Overwrite: true})
		checkResult(t, q, open(t, dst))
		for _, n := range dirtest.Names(t, dst) {
			if strings.HasPrefix(n, ".") {
				t.Errorf("%s is left", n)
			}
		}
	}
}

// TestForeignFiles checks that foreign weights, and files that another index would open
// instead, are errors before anything is written.
func TestForeignFiles(t *testing.T) {
	p := plan(t, openSource(t, model(9)...), Options{ShardSize: 60_000})
	one := plan(t, openSource(t, model(9)...), Options{})
	foreign := filepath.Join(t.TempDir(), "model.safetensors")
	writeFile(t, foreign, model(1)[:3]...)
	weights, _ := os.ReadFile(foreign)
	index := []byte(`{"metadata": {"total_size": 1}, "weight_map": {"w": "model-00001-of-00009.safetensors"}}`)
	for _, x := range []struct {
		name      string
		plan      *Plan
		content   []byte
		overwrite bool // overwrite suffices
	}{
		{"model.safetensors", p, weights, true},
		{"model.safetensors", one, weights, true},
		{"model-00001-of-00009.safetensors", p, weights, true},
		{"model-00001-of-00009.safetensors", one, []byte("no weights at all"), true},
		{"model.safetensors.index.json", p, index, true},
		{"model.safetensors.index.json", one, index, true},
		{"model.safetensors.index.json", one, []byte("no index"), true},
		{"consolidated.safetensors.index.json", one, index, false},
	} {
		dst := t.TempDir()
		os.WriteFile(filepath.Join(dst, x.name), x.content, 0o666)
		os.WriteFile(filepath.Join(dst, "mine.txt"), []byte("mine"), 0o666)
		if _, err := x.plan.Run(context.Background(), dst, RunOptions{}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), x.name) {
			t.Errorf("%s: %v", x.name, err)
		}
		if n := dirtest.Names(t, dst); len(n) != 2 {
			t.Errorf("%s: there are %v", x.name, n)
		}
		r, err := x.plan.Run(context.Background(), dst, RunOptions{Overwrite: true})
		if !x.overwrite {
			if !errors.Is(err, ErrExists) {
				t.Errorf("%s, overwriting: %v", x.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s, overwriting: %v", x.name, err)
			continue
		}
		if !slices.Equal(r.Others, []string{"mine.txt"}) {
			t.Errorf("%s: others %v", x.name, r.Others)
		}
		checkResult(t, x.plan, open(t, dst))
		want := len(x.plan.parts) + 1
		if len(x.plan.parts) > 1 {
			want++
		}
		if n := dirtest.Names(t, dst); len(n) != want {
			t.Errorf("%s, overwriting: there are %v", x.name, n)
		}
	}
	// A killed process left a file with a name that this run does not use.
	dst := t.TempDir()
	for _, n := range []string{".model-00002-of-00009.safetensors.partial-17", ".model.safetensors.index.json.partial-3", ".mine.partial-4"} {
		os.WriteFile(filepath.Join(dst, n), nil, 0o666)
	}
	run(t, one, dst, RunOptions{})
	if n := dirtest.Names(t, dst); len(n) != 2 {
		t.Errorf("there are %v", n)
	}
}

// TestSourceIsNoTarget writes to the source through all kinds of paths. Each is an error
// before anything is written.
func TestSourceIsNoTarget(t *testing.T) {
	src := sourceDir(t, 9, map[string]string{"config.json": "{}"})
	want := tree(t, src)
	weights := filepath.Join(src, "model.safetensors")
	parent := filepath.Dir(src)
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(src, linked); err != nil {
		t.Skip(err)
	}
	if _, err := os.Lstat(linked); err != nil {
		t.Skip("Wine 8 makes no links: ", err)
	}
	hard, soft := t.TempDir(), t.TempDir()
	if err := os.Link(weights, filepath.Join(hard, "model.safetensors")); err != nil {
		t.Skip(err)
	}
	if err := os.Symlink(weights, filepath.Join(soft, "model.safetensors")); err != nil {
		t.Fatal(err)
	}
	targets := []string{
		src, src + string(filepath.Separator), filepath.Join(src, "..", filepath.Base(src)), linked, weights, filepath.Join(linked, "model.safetensors"),
		hard, soft, filepath.Join(hard, "model.safetensors"), filepath.Join(soft, "model.safetensors"),
	}
	if upper := filepath.Join(parent, strings.ToUpper(filepath.Base(src))); upper != src {
		if _, err := os.Stat(upper); err == nil { // the file system ignores case
			targets = append(targets, upper)
		}
	}
	t.Chdir(src)
	targets = append(targets, ".", "model.safetensors", "./../"+filepath.Base(src))
	for _, in := range []string{src, linked, weights, "."} {
		p := plan(t, open(t, in), Options{})
		for _, dst := range targets {
			for _, overwrite := range []bool{false, true} {
				_, err := p.Run(context.Background(), dst, RunOptions{Overwrite: overwrite})
				if !errors.Is(err, ErrExists) || !strings.Contains(fmt.Sprint(err), "source") {
					t.Errorf("%s to %s, overwrite %v: %v", in, dst, overwrite, err)
				}
			}
		}
		if _, err := Dequantize(context.Background(), open(t, in), src, DequantizeOptions{Overwrite: true}); !errors.Is(err, ErrExists) {
			t.Errorf("dequantizing %s into itself: %v", in, err)
		}
	}
	if diff := cmp.Diff(want, tree(t, src)); diff != "" {
		t.Errorf("the source has changed\n%s", diff)
	}
}

// TestOpenAmbiguous checks that a directory with two checkpoints is refused.
func TestOpenAmbiguous(t *testing.T) {
	c := openSource(t, model(9)...)
	dst := t.TempDir()
	r := run(t, plan(t, c, Options{ShardSize: 60_000}), dst, RunOptions{})
	single := filepath.Join(dst, "model.safetensors")
	run(t, plan(t, c, Options{Config: quant.Config{Type: datatype.BitMoD3}}), single, RunOptions{})
	if _, err := Open(dst); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "model.safetensors, which is there too") {
		t.Errorf("an index and another file: %v", err)
	}
	for _, path := range []string{single, r.Index} { // each opens by its name
		open(t, path).Close()
	}
	os.Remove(single)
	open(t, dst).Close()
	other := t.TempDir()
	s := run(t, plan(t, c, Options{ShardSize: 60_000, Config: quant.Config{Type: datatype.BitMoD3}}), other, RunOptions{})
	b, _ := os.ReadFile(s.Written[1])
	os.WriteFile(r.Written[1], b, 0o666)
	if _, err := Open(dst); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("a file of another run: %v", err)
	}
	os.WriteFile(r.Index, []byte(safetensors.Incomplete), 0o666)
	if _, err := Open(dst); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("interrupted: %v", err)
	}
}

// TestReplaceParts replaces a result by one from several machines.
func TestReplaceParts(t *testing.T) {
	c := openSource(t, model(9)...)
	for _, size := range []int64{0, 60_000} {
		dst := t.TempDir()
		run(t, plan(t, c, Options{Config: quant.Config{Type: datatype.BitMoD3}, ShardSize: size}), dst, RunOptions{})
		p := plan(t, c, Options{Parts: 2, ShardSize: 60_000})
		for part := range 2 {
			if _, err := p.Run(context.Background(), dst, RunOptions{Part: part}); part == 0 && !errors.Is(err, ErrExists) {
				t.Errorf("part %d: %v", part, err)
			}
			run(t, p, dst, RunOptions{Part: part, Overwrite: true})
			if _, err := Open(dst); err == nil {
				t.Errorf("opened after part %d", part)
			}
		}
		if _, err := Merge(context.Background(), dst, nil); err != nil {
			t.Fatal(err)
		}
		checkResult(t, p, open(t, dst))
		if n := dirtest.Names(t, dst); len(n) != len(p.parts)+1 {
			t.Errorf("there are %v", n)
		}
	}
}
