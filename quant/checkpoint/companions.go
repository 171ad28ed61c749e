package checkpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf/hf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// A Companion describes a file or directory beside the weights of a source, and whether
// it was copied. The name of a directory ends in a slash.
type Companion struct {
	// Name is the path below the model's directory, with slashes.
	Name string
	// LeftOut is the reason why it is not in the result, or "" if it is.
	LeftOut string
	// Changed describes the difference from the source's file, or is "".
	Changed string
}

// Limits of companions, so that a source that is not a model's directory is an error or
// costs little.
const (
	maxCompanions     = 10_000
	maxCompanionDepth = 16
	maxCompanionBytes = 256 << 20
	maxConfigBytes    = 16 << 20
)

// CopyCompanions copies the files of [Checkpoint.Companions] to the directory dst,
// whose weights are the given tensors, and returns the companions in the order of their
// names. [Plan.Run] and [Dequantize] call it. Callers of [Save] may need it.
//
// It leaves out other weights (except those of modules that modules.json of
// sentence-transformers lists, such as 2_Dense), directories with weights, hidden
// files, descriptions of how the source is quantized other than config.json, files that
// are not regular or larger than 256 MiB, and companions of a GGUF file that could not
// be made. Links to files are followed, links to directories are not. A checkpoint that
// was opened as one file has companions only if config.json is beside it.
//
// If any of the tensors is quantized, config.json gets a quantization_config with the
// quant_method "bitmod", and a member that keeps transformers from loading weights it
// cannot read. Otherwise such members are removed, and its dtype becomes that of the
// tensors. The rest of the file keeps its bytes.
//
// Each file appears whole or not at all. If a file exists with other contents, and
// overwrite is not set, the error matches [ErrExists] and nothing is written.
func CopyCompanions(ctx context.Context, from *Checkpoint, dst string, tensors []Tensor, overwrite bool) ([]Companion, error) {
	if err := notNil(ctx, from); err != nil {
		return nil, err
	}
	cs, err := from.companionsFor(ctx, dst, tensors)
	if err != nil {
		return nil, err
	}
	if err := cs.check(ctx, overwrite); err != nil {
		return nil, err
	}
	return cs.list, cs.write(ctx, atomicfile.Create)
}

// companions are the companions of a source while they are copied to a directory.
type companions struct {
	from  fs.FS
	dst   string
	list  []Companion
	files []companionFile
}

// A companionFile is to be copied.
type companionFile struct {
	name    string
	size    int64
	content []byte // if it differs from the source's content
	there   bool   // the result has it already, with the right contents
}

// companionsFor decides about the companions of c for a result of the given tensors at
// dst. A result that is one file gets none.
func (c *Checkpoint) companionsFor(ctx context.Context, dst string, tensors []Tensor) (*companions, error) {
	cs := &companions{from: c.Companions(), dst: dst}
	if isFile(dst) {
		return cs, nil
	}
	if made, ok := cs.from.(*hf.Files); ok {
		absent := made.Absent()
		for _, name := range slices.Sorted(maps.Keys(absent)) {
			cs.list = append(cs.list, Companion{Name: name, LeftOut: "it could not be made: " + absent[name].Error()})
		}
	}
	if st, err := os.Stat(c.path); err == nil && !st.IsDir() {
		if _, err := fs.Stat(cs.from, "config.json"); err != nil {
			return cs, nil // otherwise a file in a directory of downloads would take all of them along
		}
	}
	w := &companionWalk{ctx: ctx, companions: cs, own: make(map[string]bool), modules: moduleDirs(cs.from)}
	w.result, _ = os.Stat(dst)
	for _, f := range c.files {
		w.own[filepath.Base(f)] = true
	}
	for _, f := range c.closers {
		if set, ok := f.(*safetensors.Set); ok {
			w.own[filepath.Base(set.Index())] = true
		}
	}
	if err := w.dir(".", 0); err != nil {
		return nil, fmt.Errorf("checkpoint: %s: %w", c.path, err)
	}
	for i := range cs.files {
		if f := &cs.files[i]; f.name == "config.json" {
			if err := cs.setConfig(f, tensors); err != nil {
				return nil, fmt.Errorf("checkpoint: %s: %w", c.path, err)
			}
		}
	}
	slices.SortFunc(cs.list, func(a, b Companion) int { return strings.Compare(a.Name, b.Name) })
	return cs, nil
}

// setConfig reads config.json and changes it for a result of the given tensors.
func (cs *companions) setConfig(f *companionFile, tensors []Tensor) error {
	if f.size > maxConfigBytes {
		return fmt.Errorf("config.json has %d bytes, more than the limit of %d", f.size, maxConfigBytes)
	}
	text, err := badfile.ReadFile(cs.from, f.name, maxConfigBytes)
	if err != nil {
		return err
	}
	content, changed, err := configFor(text, tensors)
	if err != nil {
		return badfile.At("config.json", "", badfile.New("%v", err))
	}
	if changed == "" {
		return nil
	}
	f.content, f.size = content, int64(len(content))
	for i := range cs.list {
		if cs.list[i].Name == f.name {
			cs.list[i].Changed = changed
		}
	}
	return nil
}

// A companionWalk goes through the companions of a source.
type companionWalk struct {
	*companions
	ctx     context.Context
	own     map[string]bool // names of the files of the source
	modules []string        // directories whose weights belong to the model
	result  fs.FileInfo     // the directory that is written, nil if there is none
	seen    int
}

func (w *companionWalk) leave(name, why string) {
	w.list = append(w.list, Companion{Name: name, LeftOut: why})
}

func (w *companionWalk) dir(name string, depth int) error {
	entries, err := fs.ReadDir(w.from, name)
	if errors.Is(err, fs.ErrNotExist) && name == "." {
		return nil // there are none
	}
	if err != nil {
		return err
	}
	folded := make(map[string]string)
	for _, e := range entries {
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
		if w.seen++; w.seen > maxCompanions {
			return fmt.Errorf("there are more than %d files beside the weights: move the model to a directory of its own", maxCompanions)
		}
		p := path.Join(name, e.Name())
		if w.own[e.Name()] && name == "." {
			continue
		}
		if local, err := filepath.Localize(p); !fs.ValidPath(p) || err != nil || !filepath.IsLocal(local) ||
			runtime.GOOS == "windows" && !windowsName(e.Name()) {
			w.leave(p, "its name is not a path on this system")
			continue
		}
		// On a file system without upper and lower case, one file would silently
		// replace the other.
		if other, ok := folded[strings.ToLower(e.Name())]; ok {
			w.leave(p, fmt.Sprintf("its name differs from %s only in case", badfile.Quote(other)))
			continue
		}
		folded[strings.ToLower(e.Name())] = e.Name()
		if err := w.entry(p, e, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *companionWalk) entry(p string, e fs.DirEntry, depth int) error {
	st, err := fs.Stat(w.from, p) // follows the links of the Hugging Face cache
	switch {
	case errors.Is(err, fs.ErrNotExist):
		w.leave(p, "a link to nothing")
	case err != nil:
		return err
	case strings.HasPrefix(e.Name(), "."):
		if st.IsDir() {
			p += "/"
		}
		w.leave(p, "hidden")
	case st.IsDir() && e.Type()&fs.ModeSymlink != 0:
		w.leave(p, "a link to a directory")
	case st.IsDir():
		if w.result != nil && os.SameFile(w.result, st) {
			return nil
		}
		return w.subdirectory(p, depth)
	case !st.Mode().IsRegular():
		w.leave(p, "not a regular file")
	case slices.Contains(quantizationFiles, p):
		w.leave(p, "it says how the source is quantized")
	case isWeights(e.Name()) && !w.ofModule(p):
		w.leave(p, "other weights")
	case st.Size() > maxCompanionBytes:
		w.leave(p, fmt.Sprintf("it has more than %d MiB", maxCompanionBytes>>20))
	default:
		w.list = append(w.list, Companion{Name: p})
		w.files = append(w.files, companionFile{name: p, size: st.Size()})
	}
	return nil
}

// subdirectory takes a whole directory, or leaves it out if it holds weights: another
// form of the model, such as onnx.
func (w *companionWalk) subdirectory(p string, depth int) error {
	if depth == maxCompanionDepth {
		w.leave(p+"/", "it is too deep")
		return nil
	}
	list, files := len(w.list), len(w.files)
	if err := w.dir(p, depth+1); err != nil {
		return err
	}
	if slices.ContainsFunc(w.list[list:], func(c Companion) bool { return c.LeftOut == "other weights" }) {
		w.list, w.files = w.list[:list], w.files[:files]
		w.leave(p+"/", "other weights")
	}
	return nil
}

// windowsName checks a file name for Windows beyond what [filepath.Localize] does.
// Windows drops dots and spaces at the end, so that two names may be one.
func windowsName(name string) bool {
	return !strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || strings.ContainsRune(`<>"|?*`, c) }) &&
		strings.TrimRight(name, ". ") == name
}

// ofModule reports whether a file is in the directory of a module.
func (w *companionWalk) ofModule(p string) bool {
	return slices.ContainsFunc(w.modules, func(dir string) bool { return strings.HasPrefix(p, dir+"/") })
}

// moduleDirs returns the directories that modules.json of sentence-transformers lists,
// if there is a well-formed one.
func moduleDirs(from fs.FS) []string {
	b, err := badfile.ReadFile(from, "modules.json", 1<<20)
	if err != nil {
		return nil
	}
	var modules []struct{ Path string }
	if json.Unmarshal(b, &modules) != nil {
		return nil
	}
	var dirs []string
	for _, m := range modules {
		if p := path.Clean(m.Path); p != "." && fs.ValidPath(p) {
			dirs = append(dirs, p)
		}
	}
	return dirs
}

// isWeights reports whether a file of this name has weights or is an index of files
// with weights.
func isWeights(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, ".index.json") {
		return true
	}
	switch filepath.Ext(name) {
	case ".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".onnx", ".onnx_data", ".gguf", ".ggml", ".msgpack",
		".npz", ".ot", ".tflite", ".mlmodel", ".pb", ".nemo", ".llamafile", ".pkl", ".engine":
		return true
	}
	return false
}

// open returns the contents of a companion in the result.
func (cs *companions) open(f companionFile) (io.ReadCloser, error) {
	if f.content != nil {
		return io.NopCloser(bytes.NewReader(f.content)), nil
	}
	return cs.from.Open(f.name)
}

// path returns where a companion goes.
func (cs *companions) path(f companionFile) string {
	return filepath.Join(cs.dst, filepath.FromSlash(f.name))
}

// check compares the companions with the files in dst before anything is written, and
// returns an error if one is in the way.
func (cs *companions) check(ctx context.Context, overwrite bool) error {
	var errs []error
	for i := range cs.files {
		f := &cs.files[i]
		if err := cs.checkDirs(f.name); err != nil {
			errs = append(errs, err)
			continue
		}
		st, err := os.Lstat(cs.path(*f))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("checkpoint: %w", err)
		case st.IsDir():
			errs = append(errs, fmt.Errorf("checkpoint: %s: %w: it is a directory", cs.path(*f), ErrExists))
			continue
		case st.Mode().IsRegular() && st.Size() == f.size:
			if f.there, err = cs.same(ctx, *f); err != nil {
				return err
			}
		}
		if !f.there && !overwrite {
			errs = append(errs, fmt.Errorf("checkpoint: %s: %w: it differs from the file of the source", cs.path(*f), ErrExists))
		}
	}
	return errors.Join(errs...)
}

// checkDirs makes sure that no directory on the path of a companion is a file, or a
// link, which might lead out of the result.
func (cs *companions) checkDirs(name string) error {
	for i, c := range name {
		if c != '/' {
			continue
		}
		dir := filepath.Join(cs.dst, filepath.FromSlash(name[:i]))
		st, err := os.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if !st.IsDir() {
			return fmt.Errorf("checkpoint: %s: %w: it is not a directory", dir, ErrExists)
		}
	}
	return nil
}

// same reports whether the file that is there has the contents of f.
func (cs *companions) same(ctx context.Context, f companionFile) (bool, error) {
	want, err := cs.open(f)
	if err != nil {
		return false, fmt.Errorf("checkpoint: %w", err)
	}
	defer want.Close()
	got, err := os.Open(cs.path(f))
	if err != nil {
		return false, fmt.Errorf("checkpoint: %w", err)
	}
	defer got.Close()
	x, y := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		n, err1 := io.ReadFull(want, x)
		m, err2 := io.ReadFull(got, y)
		switch {
		case n != m || !bytes.Equal(x[:n], y[:m]):
			return false, nil
		case err1 == io.EOF || err1 == io.ErrUnexpectedEOF:
			return true, nil
		case err1 != nil || err2 != nil:
			return false, fmt.Errorf("checkpoint: %w", errors.Join(err1, err2))
		}
	}
}

// write copies the files that are not there yet. A changed config.json comes first.
func (cs *companions) write(ctx context.Context, create atomicfile.Creator) error {
	files := slices.Clone(cs.files)
	slices.SortStableFunc(files, func(a, b companionFile) int {
		return len(b.content) - len(a.content)
	})
	for _, f := range files {
		if f.there {
			// Its contents are right, but a killed run may have begun to replace it.
			if err := atomicfile.RemoveStale(cs.path(f)); err != nil {
				return fmt.Errorf("checkpoint: %w", err)
			}
			continue
		}
		if err := cs.writeFile(ctx, create, f); err != nil {
			return fmt.Errorf("checkpoint: copying %s: %w", badfile.Quote(f.name), err)
		}
	}
	return nil
}

func (cs *companions) writeFile(ctx context.Context, create atomicfile.Creator, f companionFile) error {
	dst := cs.path(f)
	if err := os.MkdirAll(filepath.Dir(dst), 0o777); err != nil {
		return err
	}
	from, err := cs.open(f)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := create(dst)
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for left := f.size; ; {
		if ctx.Err() != nil {
			to.Abort()
			return context.Cause(ctx)
		}
		n, err := from.Read(buf)
		if left -= int64(n); left < 0 || err == io.EOF && left > 0 {
			err = fmt.Errorf("its size is no longer %d bytes", f.size)
		}
		if n > 0 && (err == nil || err == io.EOF) {
			if _, e := to.Write(buf[:n]); e != nil {
				err = fmt.Errorf("%s is not written: %w", dst, e)
			}
		}
		if err == io.EOF {
			return to.Commit()
		}
		if err != nil {
			to.Abort()
			return err
		}
	}
}
