package safetensors

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/quant"
)

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func single(name string) []byte {
	return file(fmt.Sprintf(`{%q:{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, name), []byte(name + "  ")[:2])
}

func TestOpenSet(t *testing.T) {
	dir := t.TempDir()
	index := filepath.Join(dir, "model"+IndexSuffix)
	write(t, filepath.Join(dir, "1.safetensors"), single("a"))
	write(t, filepath.Join(dir, "2.safetensors"), single("b"))
	write(t, filepath.Join(dir, ".3.safetensors"), single("c"))
	if _, err := OpenSet(badfile.OS, dir); err == nil || !strings.Contains(err.Error(), "2 files") {
		t.Errorf("two files without index: %v", err)
	}
	write(t, index, []byte(`{"metadata":{"total_size":4},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}`))
	for _, path := range []string{dir, index} {
		s, err := OpenSet(badfile.OS, path)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Files()) != 2 || s.Index() != index {
			t.Errorf("%d files, index %s", len(s.Files()), s.Index())
		}
		f, b, ok := s.Tensor("b")
		if !ok || b.Name != "b" || filepath.Base(f.Path()) != "2.safetensors" {
			t.Errorf("b is %+v in %v", b, f)
		}
		if _, _, ok := s.Tensor("c"); ok {
			t.Error("there is a tensor c")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	s, err := OpenSet(badfile.OS, filepath.Join(dir, "1.safetensors"))
	if err != nil || len(s.Files()) != 1 {
		t.Fatal(err)
	}
	s.Close()
	if _, err := OpenSet(badfile.OS, t.TempDir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("empty directory: %v", err)
	}
}

func TestMalformedIndex(t *testing.T) {
	for _, c := range []struct{ name, index, want string }{
		{"not JSON", `{`, "JSON"},
		{"not UTF-8", "{\"\xff\":1}", "UTF-8"},
		{"no map", `{"metadata":{}}`, "no weight_map"},
		{"two objects", `{"weight_map":{}}{}`, "goes on"},
		{"twice the map", `{"weight_map":{},"weight_map":{}}`, "twice"},
		{"twice a tensor", `{"weight_map":{"a":"1.safetensors","a":"2.safetensors"}}`, `"a" twice`},
		{"no string", `{"weight_map":{"a":1}}`, "not a string"},
		{"path up", `{"weight_map":{"a":"../1.safetensors"}}`, `tensor "a"`},
		{"escapes in a path", `{"weight_map":{"a":"\u001b[2J.safetensors"}}`, `tensor "a"`},
		{"a path from right to left", `{"weight_map":{"a":"\u202e1.safetensors"}}`, `tensor "a"`},
		{"path down", `{"weight_map":{"a":"x/1.safetensors"}}`, `tensor "a"`},
		{"parent", `{"weight_map":{"a":".."}}`, `tensor "a"`},
		{"wrong file", `{"weight_map":{"a":"2.safetensors","b":"2.safetensors"}}`, `tensor "a"`},
		{"not listed", `{"weight_map":{"b":"2.safetensors","a":"2.safetensors"}}`, `tensor "a"`},
		{"missing", `{"weight_map":{"a":"1.safetensors","x":"1.safetensors"}}`, `tensor "x"`},
		{"swapped", `{"weight_map":{"a":"2.safetensors","b":"1.safetensors"}}`, `the index has it in`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "1.safetensors"), single("a"))
			write(t, filepath.Join(dir, "2.safetensors"), single("b"))
			write(t, filepath.Join(dir, "model"+IndexSuffix), []byte(c.index))
			_, err := OpenSet(badfile.OS, dir)
			if !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("got %v, want ErrFormat with %s", err, c.want)
			}
		})
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "model"+IndexSuffix), []byte(`{"weight_map":{"a":"1.safetensors"}}`))
	if _, err := OpenSet(badfile.OS, dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
