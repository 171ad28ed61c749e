package safetensors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// IndexSuffix ends the name of the file that lists the tensors of a sharded
// checkpoint.
const IndexSuffix = ".safetensors.index.json"

// A Set is the files of one checkpoint, in the order of their names. It is safe
// for concurrent use, until Close.
type Set struct {
	index  string   // path, "" if there is none
	names  []string // of the files that it names
	files  []*File
	byName map[string]*File
}

// OpenSet opens a checkpoint among files: a .safetensors file, an index
// (model.safetensors.index.json) with the files that it names, or a directory
// that has one of these. An index must name every tensor of its files, each in
// the file that has it, and files in its own directory. See [New] for errors.
func OpenSet(files badfile.Files, path string) (*Set, error) {
	isDir, err := files.IsDir(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	if isDir {
		dir := path
		if path, err = find(files, dir); err != nil {
			return nil, err
		}
		if strings.HasSuffix(path, ".json") {
			return openIndexOf(files, dir, path)
		}
	}
	if strings.HasSuffix(path, ".json") {
		return openIndex(files, path)
	}
	f, err := openIn(files, path)
	if err != nil {
		return nil, err
	}
	s := &Set{byName: make(map[string]*File)}
	s.add(f)
	return s, nil
}

func openIn(files badfile.Files, path string) (*File, error) {
	src, err := files.Open("safetensors", path)
	if err != nil {
		return nil, err
	}
	return From(src)
}

// find chooses the index or the one file of a directory.
func find(files badfile.Files, dir string) (string, error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("safetensors: %w", err)
	}
	for _, pattern := range []string{"model" + IndexSuffix, "*" + IndexSuffix, "model.safetensors", "*.safetensors"} {
		var names []string
		for _, e := range entries {
			if ok, _ := filepath.Match(pattern, e.Name()); ok && !strings.HasPrefix(e.Name(), ".") {
				names = append(names, e.Name())
			}
		}
		switch {
		case len(names) == 1 && oneOfMany(names[0]):
			return "", badfile.At("safetensors", files.Join(dir, names[0]), badfile.New("it is one of several files, which have no index yet, or no longer: name it to open it alone"))
		case len(names) == 1:
			return files.Join(dir, names[0]), nil
		case len(names) > 1:
			return "", fmt.Errorf("safetensors: %s has %d files %s and no index of them: name one", dir, len(names), pattern)
		}
	}
	return "", fmt.Errorf("safetensors: %s has no weights, neither .safetensors nor .gguf files: %w", dir, os.ErrNotExist)
}

var shardName = regexp.MustCompile(`-\d{5}-of-(\d{5})\.safetensors$`)

// oneOfMany reports whether a file's name is that of a shard.
func oneOfMany(name string) bool {
	m := shardName.FindStringSubmatch(name)
	return m != nil && m[1] != "00001"
}

// Incomplete is the index that a writer stores while it replaces the files of a
// checkpoint.
const Incomplete = `{"incomplete": true}`

// IndexedFiles returns the names of the files that the index at path names, in
// order.
func IndexedFiles(path string) ([]string, error) {
	weights, err := readIndex(badfile.OS, path)
	if err != nil {
		return nil, err
	}
	return slices.Compact(slices.Sorted(maps.Values(weights))), nil
}

func (s *Set) add(f *File) {
	s.files = append(s.files, f)
	for _, t := range f.tensors {
		s.byName[t.Name] = f
	}
}

// openIndexOf opens the index of a directory. A file of all weights that the index does
// not name is an error, as programs do not agree on which of them counts.
func openIndexOf(files badfile.Files, dir, path string) (*Set, error) {
	s, err := openIndex(files, path)
	if err != nil {
		return nil, err
	}
	const single = "model.safetensors"
	entries, err := files.ReadDir(dir)
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	there := slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == single })
	if there && !slices.Contains(s.names, single) {
		s.Close()
		return nil, badfile.At("safetensors", path, badfile.New("it does not name %s, which is there too: name one of them, or remove it", single))
	}
	return s, nil
}

func openIndex(files badfile.Files, path string) (*Set, error) {
	weights, err := readIndex(files, path)
	if err != nil {
		return nil, err
	}
	s := &Set{index: path, byName: make(map[string]*File)}
	if err := s.open(files, files.Dir(path), weights); err != nil {
		s.Close()
		return nil, badfile.At("safetensors", path, err)
	}
	return s, nil
}

func (s *Set) open(files badfile.Files, dir string, weights map[string]string) error {
	var names []string
	for _, n := range weights {
		names = append(names, n)
	}
	slices.Sort(names)
	s.names = slices.Compact(names)
	for _, n := range s.names {
		f, err := openIn(files, files.Join(dir, n))
		if err != nil {
			return err
		}
		for _, t := range f.tensors {
			if in := weights[t.Name]; in != n {
				f.Close()
				if in == "" {
					return badfile.Tensor(t.Name, "it is in %s, but not in the index", badfile.Quote(n))
				}
				return badfile.Tensor(t.Name, "it is in %s, but the index has it in %s", n, badfile.Quote(in))
			}
		}
		s.add(f)
	}
	for t, n := range weights {
		if s.byName[t] == nil {
			return badfile.Tensor(t, "the index has it in %s, which does not", badfile.Quote(n))
		}
	}
	return nil
}

// readIndex returns the file of each tensor.
func readIndex(files badfile.Files, path string) (map[string]string, error) {
	f, err := files.Open("safetensors", path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f.Bytes(0, maxHeader+1))
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", path, err)
	}
	weights, err := parseIndex(b)
	return weights, badfile.At("safetensors", path, err)
}

func parseIndex(b []byte) (map[string]string, error) {
	switch {
	case len(b) > maxHeader:
		return nil, badfile.New("an index above the limit of %d bytes", maxHeader)
	case !utf8.Valid(b):
		return nil, badfile.New("the index is not UTF-8")
	}
	p := parser{json.NewDecoder(bytes.NewReader(b))}
	var weights map[string]string
	err := p.object("the index", func(key string) error {
		if key == "incomplete" {
			return badfile.New("writing the files was interrupted, so that they may not belong together: write them again")
		}
		if key != "weight_map" {
			var skip json.RawMessage
			return p.Decode(&skip)
		}
		m, err := p.stringMap(key)
		weights = m
		return err
	})
	if err == nil {
		if _, e := p.Token(); e != io.EOF {
			err = badfile.New("the index goes on after its object")
		}
	}
	if err != nil {
		return nil, syntax(err)
	}
	if weights == nil {
		return nil, badfile.New("the index has no weight_map")
	}
	for t, n := range weights {
		if n == "." || n == ".." || n == "" || strings.ContainsAny(n, `/\:`) || !filepath.IsLocal(n) || strings.ContainsFunc(n, unprintable) {
			return nil, badfile.Tensor(t, "%s is not the name of a file beside the index", badfile.Quote(n))
		}
	}
	return weights, nil
}

// Index returns the path of the index, "" for a single file.
func (s *Set) Index() string { return s.index }

// Files returns a new slice of the files.
func (s *Set) Files() []*File { return slices.Clone(s.files) }

// Tensor returns the tensor called name and the file that has it, if there is
// one.
func (s *Set) Tensor(name string) (*File, Tensor, bool) {
	f, ok := s.byName[name]
	if !ok {
		return nil, Tensor{}, false
	}
	t, ok := f.Tensor(name)
	return f, t, ok
}

// Close closes all files.
func (s *Set) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// unprintable reports characters that names of model files do not have, and that a
// terminal might act upon.
func unprintable(r rune) bool { return !strconv.IsPrint(r) }
