package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// A split is the name of a GGUF file that is one of several parts.
type split struct {
	prefix    string
	no, count int // no is from 1 on
}

var splitName = regexp.MustCompile(`^(.*)-(\d{5})-of-(\d{5})\.gguf$`)

// parseSplit parses a path. A path that does not name a part is part 1 of 1.
func parseSplit(path string) (s split, named bool) {
	m := splitName.FindStringSubmatch(path)
	if m == nil {
		return split{no: 1, count: 1}, false
	}
	s.prefix = m[1]
	s.no, _ = strconv.Atoi(m[2])
	s.count, _ = strconv.Atoi(m[3])
	return s, true
}

// part returns the path of part i.
func (s split) part(i int) string { return fmt.Sprintf("%s-%05d-of-%05d.gguf", s.prefix, i, s.count) }

// findGGUF returns the path of the GGUF file in a directory, or of one part if it is
// split. It returns "" if there is none, or if there are safetensors files, which take
// precedence.
func findGGUF(files badfile.Files, dir string) (string, error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	seen := make(map[string]bool) // models
	var names []string            // of the first file of each
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".") {
			continue
		}
		if strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, safetensors.IndexSuffix) {
			return "", nil
		}
		if !strings.HasSuffix(name, ".gguf") {
			continue
		}
		model := name
		if s, named := parseSplit(name); named {
			model = fmt.Sprintf("%s of %d parts", s.prefix, s.count)
		}
		if !seen[model] {
			seen[model] = true
			names = append(names, name)
		}
	}
	switch len(names) {
	case 0:
		return "", nil
	case 1:
		return files.Join(dir, names[0]), nil
	}
	return "", fmt.Errorf("checkpoint: %s: %w: it has %d GGUF models: name one of %s", dir, quant.ErrFormat, len(names), list(names))
}

// Keys of a GGUF file that is one of several. llama.cpp counts parts from 0, and
// tensors over all parts.
const (
	keySplitNo      = "split.no"
	keySplitCount   = "split.count"
	keySplitTensors = "split.tensors.count"
)

// openParts returns the parts of the model in order; first, the file at path, is one of
// them. The name has the number of parts. The keys of each part must agree with it, or
// be missing in all. With an error, openParts returns the parts that it has opened.
func openParts(path string, first *gguf.File, open func(path string) (*gguf.File, error)) ([]*gguf.File, error) {
	s, named := parseSplit(path)
	if named && (s.no < 1 || s.no > s.count) {
		return nil, splitError(path, "its name says that it is part %d of %d", s.no, s.count)
	}
	if n, ok, err := splitKey(first, keySplitCount); err == nil && ok && n > 1 && !named {
		return nil, splitError(path, "it is one of %d parts (%s), but its name does not end in -NNNNN-of-NNNNN.gguf, by which the others are found", n, keySplitCount)
	}
	if err := checkPart(path, first, s); err != nil {
		return nil, err
	}
	parts := make([]*gguf.File, s.count)
	parts[s.no-1] = first
	if s.count > 1 {
		if err := openOthers(parts, s, open); err != nil {
			return parts, err
		}
	}
	return parts, checkTotals(parts)
}

// openOthers opens the parts that are nil.
func openOthers(parts []*gguf.File, s split, open func(path string) (*gguf.File, error)) error {
	var missing []string
	for i := range parts {
		if parts[i] != nil {
			continue
		}
		path := s.part(i + 1)
		f, err := open(path)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, path)
			continue
		}
		if err != nil {
			return err
		}
		parts[i] = f
		if err := checkPart(path, f, split{s.prefix, i + 1, s.count}); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("checkpoint: %s: %w: it is one of %d parts, and %d of them do not exist: %s%w", s.part(s.no), ErrIncomplete, s.count, len(missing), list(missing), silent{fs.ErrNotExist})
	}
	for _, i := range []int{0, s.count + 1} {
		f, err := open(s.part(i))
		if err == nil {
			f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return splitError(s.part(i), "it lies beside parts 1 to %d, which are all", s.count)
		}
	}
	return nil
}

// silent is an error to match with errors.Is; its text is already in another error.
type silent struct{ error }

func (silent) Error() string   { return "" }
func (s silent) Unwrap() error { return s.error }

// checkPart compares the keys of a part with its name. A merged file has the keys of
// its first part, with a count of 0.
func checkPart(path string, f *gguf.File, s split) error {
	no, hasNo, err := splitKey(f, keySplitNo)
	if err != nil {
		return err
	}
	count, hasCount, err := splitKey(f, keySplitCount)
	if err != nil {
		return err
	}
	switch {
	case hasNo && !hasCount:
		return splitError(path, "it has %s, but no %s", keySplitNo, keySplitCount)
	case hasCount && !hasNo && count > 1:
		return splitError(path, "it has %s, but no %s", keySplitCount, keySplitNo)
	case hasCount && count != int64(s.count) && (count != 0 || s.count != 1):
		return splitError(path, "%s is %d, but it is one of %d parts by its name", keySplitCount, count, s.count)
	case hasNo && no != int64(s.no-1):
		return splitError(path, "%s is %d, and has to be %d, as it is part %d by its name", keySplitNo, no, s.no-1, s.no)
	}
	return nil
}

// checkTotals compares the parts' keys about the whole model.
func checkTotals(parts []*gguf.File) error {
	total := 0
	for _, f := range parts {
		total += len(f.Tensors())
	}
	for _, f := range parts {
		n, ok, err := splitKey(f, keySplitTensors)
		if err != nil {
			return err
		}
		if ok && n != int64(total) {
			return splitError(f.Path(), "%s is %d, but there are %d tensors in the %d parts", keySplitTensors, n, total, len(parts))
		}
		for _, key := range []string{keySplitCount, keySplitTensors} {
			_, in0 := parts[0].Value(key)
			_, in := f.Value(key)
			if in != in0 {
				return splitError(f.Path(), "%s is in some parts and missing in others", key)
			}
		}
	}
	return nil
}

// splitKey returns the integer of a key, whatever its type.
func splitKey(f *gguf.File, key string) (n int64, ok bool, err error) {
	v, ok := f.Value(key)
	if !ok {
		return 0, false, nil
	}
	switch v := v.(type) {
	case uint8:
		n = int64(v)
	case int8:
		n = int64(v)
	case uint16:
		n = int64(v)
	case int16:
		n = int64(v)
	case uint32:
		n = int64(v)
	case int32:
		n = int64(v)
	case uint64:
		n = int64(min(v, math.MaxInt64))
	case int64:
		n = v
	default:
		return 0, false, splitError(f.Path(), "%s is no integer but a %T", key, v)
	}
	if n < 0 {
		return 0, false, splitError(f.Path(), "%s is %d", key, n)
	}
	return n, true, nil
}

func splitError(path, format string, args ...any) error {
	return badfile.At("gguf", path, badfile.New(format, args...))
}
