package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Files is a file system in memory whose files are made when they are first needed.
// Opening a file that could not be made is an error with the reason, which matches
// [fs.ErrNotExist].
type Files struct {
	build func() contents
	under fs.FS // of the files that are not made; nil if there are none
}

// Over returns the files of f, and the files of under that f does not have.
func (f *Files) Over(under fs.FS) *Files { return &Files{f.build, under} }

type contents struct {
	files map[string][]byte
	// absent has the reasons for missing files, by name. That of "" is for all files.
	absent map[string]error
}

func unknownFiles(reason string) *Files {
	c := contents{absent: map[string]error{"": errors.New(reason)}}
	return &Files{build: func() contents { return c }}
}

// Open opens a file, or the directory ".".
func (f *Files) Open(name string) (fs.File, error) {
	fail := func(err error) (fs.File, error) { return nil, &fs.PathError{Op: "open", Path: name, Err: err} }
	if !fs.ValidPath(name) {
		return fail(fs.ErrInvalid)
	}
	c := f.build()
	if name == "." {
		d := &directory{info: rootInfo}
		for name, b := range c.files {
			d.entries = append(d.entries, fs.FileInfoToDirEntry(info{name, int64(len(b)), 0o444}))
		}
		if f.under != nil {
			entries, err := fs.ReadDir(f.under, ".")
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				if _, ok := c.files[e.Name()]; !ok {
					d.entries = append(d.entries, e)
				}
			}
		}
		slices.SortFunc(d.entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return d, nil
	}
	if b, ok := c.files[name]; ok {
		return &openFile{bytes.NewReader(b), info{name, int64(len(b)), 0o444}}, nil
	}
	if f.under != nil {
		if file, err := f.under.Open(name); !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
	}
	return fail(c.why(name))
}

// why returns the reason for which a file is not there.
func (c contents) why(name string) error {
	for _, of := range []string{name, ""} {
		if reason, ok := c.absent[of]; ok {
			return fmt.Errorf("%w: %w", reason, fs.ErrNotExist)
		}
	}
	return fs.ErrNotExist
}

// Stat describes a file without opening it, which might take for ever if it is a
// named pipe.
func (f *Files) Stat(name string) (fs.FileInfo, error) {
	c := f.build()
	b, made := c.files[name]
	switch {
	case name == ".":
		return rootInfo, nil
	case made:
		return info{name, int64(len(b)), 0o444}, nil
	case f.under != nil:
		if st, err := fs.Stat(f.under, name); !errors.Is(err, fs.ErrNotExist) {
			return st, err
		}
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: c.why(name)}
}

// Absent returns the files that could not be made, by name, with the reason.
func (f *Files) Absent() map[string]error {
	c := f.build()
	absent := maps.Clone(c.absent)
	if reason, ok := absent[""]; ok {
		delete(absent, "")
		absent["config.json"], absent["tokenizer.json"] = reason, reason
	}
	maps.DeleteFunc(absent, func(name string, _ error) bool {
		if f.under == nil {
			return false
		}
		_, err := fs.Stat(f.under, name)
		return err == nil
	})
	return absent
}

type info struct {
	name string
	size int64
	mode fs.FileMode
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

var rootInfo = info{name: ".", mode: fs.ModeDir | 0o555}

type openFile struct {
	*bytes.Reader
	info info
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *openFile) Close() error               { return nil }

type directory struct {
	info    info
	entries []fs.DirEntry
}

func (d *directory) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *directory) Close() error               { return nil }
func (d *directory) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: errors.New("is a directory")}
}

func (d *directory) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(d.entries)
	} else if len(d.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.entries))
	part := d.entries[:n:n]
	d.entries = d.entries[n:]
	return part, nil
}

// MarshalJSON writes the shortest decimal that gives the number in its precision, in a
// form that every reader takes for a float.
func (x number) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(x.value, 'g', -1, x.bits)
	if !strings.ContainsAny(s, ".e") {
		s += ".0"
	}
	return []byte(s), nil
}

// marshal encodes a value as JSON, indented if indent is not empty.
func marshal(v any, indent string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("hf: %v", err)) // maps of strings, which have none
	}
	return b.Bytes()
}

// files makes all files of the model.
func (c *conversion) files() contents {
	out := contents{files: map[string][]byte{"config.json": marshal(c.config, "  ")}, absent: map[string]error{}}
	c.tokenizerFiles(&out)
	return out
}
