package checkpoint

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf/hf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// A Checkpoint is an open checkpoint, quantized or not. It is safe for
// concurrent use, until Close. A nil Checkpoint and the zero Checkpoint have no tensors.
type Checkpoint struct {
	path     string
	tensors  []Tensor
	byName   map[string]int
	data     []data // by tensor
	kinds    []kind // by tensor
	tied     string // the embedding that is the output head, too; "" if there is none
	headers  []header
	stored   []*safetensors.File // the files of the headers
	files    []string
	metadata map[string]string
	closers  []io.Closer
	close    sync.Once

	companions fs.FS // nil only in the zero Checkpoint
	onDisk     bool  // files are paths of the system
	described  bool  // config.json and the like were made of a GGUF header

	unreadable []unreadable      // weights in forms that can't be read
	foreign    quantization      // the form of the weights by the files beside them
	leftOut    map[string]string // stored tensors that are not of the model, and why
}

// Open opens the checkpoint at path. That is a safetensors file, a directory or an index
// of several (see FORMAT.md), a GGUF file, or a directory with one GGUF model. Any part
// of a split GGUF model opens all of it. Of GGUF's quantized types, Open reads Q4_0,
// Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL, IQ4_XS and MXFP4, as the floats that ggml
// makes of them. A GGUF file of a known family (see the package's documentation) is
// opened as the Hugging Face model that it was made of: with that model's names of
// tensors, order of rows, and [Checkpoint.Companions]. Any other GGUF file keeps its own
// names and has no companions.
//
// In safetensors files, weights of FP8 with scales by block, row, column or tensor
// (names that end in weight_scale_inv or weight_scale) and MXFP4 (_blocks and _scales)
// are one tensor each, without their scales, of the floats that transformers and
// compressed-tensors compute from them. The experts of gpt-oss are [experts, in, out],
// as in its layers. Other forms, such as those of GPTQ, AWQ, bitsandbytes and MLX, open
// as their stored tensors; [Checkpoint.Readable] and [NewPlan] refuse them by name.
//
// Headers are validated fully, which for a large model takes some milliseconds. Data is
// read when it is asked for. The error matches [quant.ErrFormat], or is an error of the
// file system.
func Open(path string) (*Checkpoint, error) {
	c, err := openIn(badfile.OS, path)
	if err == nil {
		c.onDisk = true
	}
	return c, err
}

// OpenMapped is [Open] with quantized tensors mapped into memory: [Checkpoint.Matrix]
// returns at once, with a Matrix that takes no memory of the program's own and is
// shared by all processes that map the file. Everything else is read as with Open, and
// so is a Matrix on systems that cannot map files, such as Windows.
//
// The price comes later. The first pass over a Matrix waits for the file, page by page,
// on the thread that multiplies. The file system decides whether pages are large, which
// makes every pass faster; for the program's own memory large pages are requested, see
// package quant. While a Matrix is in use, the file must not change: a write changes
// weights that were checked before, and a file that becomes shorter ends the program
// with a fault. This package never writes to finished files, but replaces them.
//
// A Matrix keeps its mapping and may be used after Close. Checkpoint.Matrix checks the
// whole Matrix. For types in which every code is valid, such as bitmod3 and bitmod4,
// that reads only the scales, and otherwise also the codes.
func OpenMapped(path string) (*Checkpoint, error) { return openIn(badfile.Mapped, path) }

// OpenFS is [Open] for a checkpoint in a file system, such as one that is embedded in
// the program, in an archive, or in an object store. As with Open, name is a file or a
// directory, "." for the root. Files that implement [io.ReaderAt], such as those of
// packages os and embed, or [io.Seeker], which goroutines read by turns, are read where
// needed. Any other file, such as one in a zip archive, is kept in memory, and is an
// error if it has more than 1 GiB.
func OpenFS(fsys fs.FS, name string) (*Checkpoint, error) {
	if fsys == nil {
		return nil, fmt.Errorf("checkpoint: %w: a nil FS", os.ErrInvalid)
	}
	return openIn(badfile.In(fsys), name)
}

// New is [Open] for a file in the first size bytes of r, which must not change. A part
// of a split GGUF file is an error. Errors of r are wrapped.
func New(r io.ReaderAt, size int64) (*Checkpoint, error) { return openIn(badfile.Only(r, size), "") }

func openIn(files badfile.Files, path string) (*Checkpoint, error) {
	c := &Checkpoint{path: path, byName: make(map[string]int), metadata: make(map[string]string), companions: noFiles{}}
	if err := c.open(files, path); err != nil {
		c.Close()
		return nil, err
	}
	c.setRoles()
	return c, nil
}

func (c *Checkpoint) open(files badfile.Files, path string) error {
	isDir, err := files.IsDir(path)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if isDir {
		name, err := findGGUF(files, path)
		if err != nil {
			return err
		}
		if name != "" {
			return c.openGGUFIn(files, path, name)
		}
	}
	if isDir || strings.HasSuffix(path, ".json") {
		return c.openSet(files, path, isDir)
	}
	src, err := files.Open("checkpoint", path)
	if err != nil {
		return err
	}
	magic := make([]byte, min(9, src.Size()))
	if err := src.ReadFull(magic, 0); err != nil {
		src.Close()
		return fmt.Errorf("checkpoint: %s%w", placeOf(path), err)
	}
	switch {
	case strings.HasPrefix(string(magic), "GGUF"):
		return c.openGGUF(files, path, src)
	case len(magic) < 9 || magic[8] != '{': // after the length of the header
		src.Close()
		return fmt.Errorf("checkpoint: %s%w: it is neither a safetensors nor a GGUF file%s", placeOf(path), quant.ErrFormat, otherKind(magic))
	}
	f, err := safetensors.From(src)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, f)
	return c.addFiles(files, files.Dir(path), f)
}

// openGGUFIn opens the GGUF model in a directory; path is one of its files. Other files
// in the directory become its companions.
func (c *Checkpoint) openGGUFIn(files badfile.Files, dir, path string) error {
	if err := c.open(files, path); err != nil {
		return err
	}
	made, ok := c.companions.(*hf.Files)
	if sub := files.Sub(dir); ok && sub != nil {
		c.companions = made.Over(sub)
	}
	return nil
}

// otherKind returns the kind of a file that begins with magic.
func otherKind(magic []byte) string {
	for _, begin := range []string{"PK\x03\x04", "\x80\x02", "\x80\x03", "\x80\x04"} {
		if strings.HasPrefix(string(magic), begin) {
			return ", but may be one of PyTorch, which has to be converted to safetensors first"
		}
	}
	return ""
}

// openSet opens a directory or an index.
func (c *Checkpoint) openSet(files badfile.Files, path string, isDir bool) error {
	set, err := safetensors.OpenSet(files, path)
	if err != nil {
		return err
	}
	c.closers = append(c.closers, set)
	if !isDir {
		path = files.Dir(path)
	}
	return c.addFiles(files, path, set.Files()...)
}

// placeOf begins an error about a file that may have no path.
func placeOf(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

// addFiles adds the files of a checkpoint that is in dir.
func (c *Checkpoint) addFiles(files badfile.Files, dir string, fs ...*safetensors.File) error {
	if sub := files.Sub(dir); sub != nil {
		c.companions = sub
	}
	for _, f := range fs {
		if err := c.addFile(f); err != nil {
			if p := f.Path(); p != "" {
				err = fmt.Errorf("%w (in %s)", err, p)
			}
			return err
		}
	}
	if err := c.checkPlans(); err != nil {
		return err
	}
	c.recognize()
	return nil
}

// checkPlans returns an error for files of different runs, whose names may fit
// together.
func (c *Checkpoint) checkPlans() error {
	first := -1
	for i, h := range c.headers {
		switch {
		case h.plan == "":
		case first < 0:
			first = i
		case h.plan != c.headers[first].plan:
			return fmt.Errorf("checkpoint: %s: %w: it was made with other settings, or from other weights, than %s", c.files[i], quant.ErrFormat, c.files[first])
		}
	}
	return nil
}

// addFile adds the tensors of a file. Its header says which of them belong to quantized
// tensors.
func (c *Checkpoint) addFile(f *safetensors.File) error {
	h, err := parseHeader(f)
	if err != nil {
		return err
	}
	c.files = append(c.files, f.Path())
	c.headers = append(c.headers, h)
	c.stored = append(c.stored, f)
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
			if part[s.Name] {
				return badTensor(name, "%s belongs to another tensor, too", badfile.Quote(s.Name))
			}
			part[s.Name] = true
		}
		entries = append(entries, entry{t, p, p.stored[0].Begin})
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

// Path returns the path or name that the checkpoint was opened with. It is "" for [New].
func (c *Checkpoint) Path() string {
	if c == nil {
		return ""
	}
	return c.path
}

// Files returns the paths of its files.
func (c *Checkpoint) Files() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.files)
}

// Companions returns the files that belong to the model beside its weights, such as
// config.json, tokenizer.json and directories like 1_Pooling. They are the files of the
// checkpoint's directory, weights included. Companions of a GGUF file are made from its
// header, in memory, when they are first needed; opening one that could not be made is
// an error with the reason, which matches [fs.ErrNotExist]. A directory with a GGUF
// model has these and its other files, such as a license. A checkpoint without
// companions gives an empty file system.
func (c *Checkpoint) Companions() fs.FS {
	if c == nil || c.companions == nil {
		return noFiles{}
	}
	return c.companions
}

// Metadata returns the metadata of the headers. That is the __metadata__ of safetensors
// files, or the values of a GGUF file in JSON, each under its key with "gguf." in front.
// Keys of this package's format start with "bitmod.".
func (c *Checkpoint) Metadata() map[string]string {
	if c == nil {
		return nil
	}
	return maps.Clone(c.metadata)
}

// Tensors returns a new slice of the tensors in the order of the files and of
// their data.
func (c *Checkpoint) Tensors() []Tensor {
	if c == nil {
		return nil
	}
	return slices.Clone(c.tensors)
}

// Tensor returns the tensor called name, if there is one.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	i, ok := c.find(name)
	if !ok {
		return Tensor{}, false
	}
	return c.tensors[i], true
}

// find returns the index of the tensor called name.
func (c *Checkpoint) find(name string) (i int, ok bool) {
	if c == nil {
		return 0, false
	}
	i, ok = c.byName[name]
	return i, ok
}

// dataOf returns the data of a tensor of c.
func (c *Checkpoint) dataOf(t Tensor) data { return c.data[c.byName[t.Name]] }

// Close closes the files. After the first time it does nothing and returns nil.
func (c *Checkpoint) Close() error {
	if c == nil {
		return nil
	}
	var errs []error
	c.close.Do(func() {
		for _, f := range c.closers {
			errs = append(errs, f.Close())
		}
	})
	return errors.Join(errs...)
}

// noFiles is an empty file system.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
