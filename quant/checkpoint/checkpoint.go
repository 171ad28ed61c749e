package checkpoint

import (
	"cmp"
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

	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// A Checkpoint is an open checkpoint, quantized or not. It is safe for
// concurrent use, until Close.
type Checkpoint struct {
	path     string
	tensors  []Tensor
	byName   map[string]int
	data     []data // of each tensor
	headers  []header
	files    []string
	metadata map[string]string
	closers  []io.Closer

	companions fs.FS // never nil
}

// Open opens the checkpoint at path: a safetensors file, a directory or index of
// several (see FORMAT.md), or a GGUF file, of which one part of a split opens
// all. Of GGUF's quantized types, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K,
// IQ4_NL, IQ4_XS and MXFP4 are read, as the floats that ggml makes of them. Headers are validated fully, which for a large model takes some
// milliseconds; data is read when it is asked for. The error matches
// [quant.ErrFormat], or is that of the file system.
func Open(path string) (*Checkpoint, error) {
	c := &Checkpoint{path: path, byName: make(map[string]int), metadata: make(map[string]string), companions: noFiles{}}
	isGGUF, err := hasMagic(path, "GGUF")
	switch {
	case err != nil:
		err = fmt.Errorf("checkpoint: %w", err)
	case isGGUF:
		err = c.openGGUF(path)
	default:
		err = c.openSafetensors(path)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func hasMagic(path, magic string) (bool, error) {
	st, err := os.Stat(path)
	if err != nil || !st.Mode().IsRegular() {
		return false, err
	}
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	b := make([]byte, len(magic))
	n, err := io.ReadFull(f, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil // too short for any format, which the reader will say
	}
	return string(b[:n]) == magic, err
}

func (c *Checkpoint) openSafetensors(path string) error {
	set, err := safetensors.OpenSet(path)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, set)
	dir := path
	if st, err := os.Stat(path); err == nil && !st.IsDir() {
		dir = filepath.Dir(path)
	}
	c.companions = os.DirFS(dir)
	for _, f := range set.Files() {
		if err := c.addFile(f); err != nil {
			return fmt.Errorf("%w (in %s)", err, f.Path())
		}
	}
	return nil
}

// addFile adds the tensors of a file, of which the header says which are parts
// of quantized ones.
func (c *Checkpoint) addFile(f *safetensors.File) error {
	h, err := parseHeader(f)
	if err != nil {
		return err
	}
	c.files = append(c.files, f.Path())
	c.headers = append(c.headers, h)
	maps.Copy(c.metadata, f.Metadata())
	type entry struct {
		Tensor
		data  data
		begin int64
	}
	var entries []entry
	part := make(map[string]bool)
	for name, q := range h.tensors {
		t, p, err := q.open(name, f)
		if err != nil {
			return err
		}
		for _, s := range p.parts() {
			part[s.Name] = true
		}
		entries = append(entries, entry{t, p, p.codes.Begin})
	}
	for _, t := range f.Tensors() {
		if !part[t.Name] {
			entries = append(entries, entry{Tensor{Name: t.Name, Shape: t.Shape, DType: string(t.DType), Bytes: t.Bytes(), Float: t.DType.IsFloat()}, plain{f, t}, t.Begin})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.Name, b.Name))
	})
	for _, e := range entries {
		if err := c.add(e.Tensor, e.data); err != nil {
			return err
		}
	}
	return nil
}

func (c *Checkpoint) add(t Tensor, d data) error {
	if _, ok := c.byName[t.Name]; ok {
		return badTensor(t.Name, "the name occurs twice")
	}
	c.byName[t.Name] = len(c.tensors)
	c.tensors = append(c.tensors, t)
	c.data = append(c.data, d)
	return nil
}

var splitName = regexp.MustCompile(`-\d{5}-of-\d{5}\.gguf$`)

func (c *Checkpoint) openGGUF(path string) error {
	first, err := gguf.Open(path)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, first)
	count := 1
	if n, ok := first.Metadata()["split.count"].(uint16); ok {
		count = max(int(n), 1)
	}
	m := splitName.FindStringIndex(path)
	if count > 1 && m == nil {
		return fmt.Errorf("checkpoint: %s is one of %d parts, but its name does not end in -NNNNN-of-%05d.gguf", path, count, count)
	}
	for i := range count {
		f := first
		if count > 1 {
			if f, err = gguf.Open(fmt.Sprintf("%s-%05d-of-%05d.gguf", path[:m[0]], i+1, count)); err != nil {
				return err
			}
			c.closers = append(c.closers, f)
		}
		c.files = append(c.files, f.Path())
		for _, t := range f.Tensors() {
			err := c.add(Tensor{Name: t.Name, Shape: t.Shape, DType: t.Type.String(), Bytes: t.Bytes(), Float: t.Type.IsFloat()}, ggml{f, t})
			if err != nil {
				return err
			}
		}
		for k, v := range f.Metadata() {
			b, err := json.Marshal(v)
			if err != nil { // NaN or an infinity
				b = []byte(fmt.Sprintf("%q", fmt.Sprint(v)))
			}
			c.metadata["gguf."+k] = string(b)
		}
	}
	return nil
}

// Path returns what the checkpoint was opened with.
func (c *Checkpoint) Path() string { return c.path }

// Files returns the paths of its files.
func (c *Checkpoint) Files() []string { return slices.Clone(c.files) }

// Companions returns the files that belong to the model beside its weights, such
// as config.json, tokenizer.json and whole directories like 1_Pooling: those of
// the directory that the checkpoint is in, weights included. A checkpoint that
// has none gives an empty file system.
func (c *Checkpoint) Companions() fs.FS { return c.companions }

// Metadata returns what the headers hold besides the tensors: the __metadata__
// of safetensors files; the values of a GGUF file in JSON, under their keys
// after "gguf.". The keys of this format start with "bitmod.".
func (c *Checkpoint) Metadata() map[string]string { return maps.Clone(c.metadata) }

// Tensors returns a new slice of the tensors in the order of the files and of
// their data.
func (c *Checkpoint) Tensors() []Tensor { return slices.Clone(c.tensors) }

// Tensor returns the tensor called name, if there is one.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	i, ok := c.byName[name]
	if !ok {
		return Tensor{}, false
	}
	return c.tensors[i], true
}

// dataOf returns the data of a tensor of c.
func (c *Checkpoint) dataOf(t Tensor) data { return c.data[c.byName[t.Name]] }

// Close closes the files.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, f := range c.closers {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// noFiles is an empty file system.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
