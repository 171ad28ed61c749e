package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// An outDir describes the directory of a plan's result before the run.
//
// A run that replaces a result goes through these steps, so that whenever it is
// interrupted, the directory opens as the old result, as the new one, or not at all:
//
//  1. The first file of weights is written, under its temporary name.
//  2. An index that can't be opened takes the index's place ([safetensors.Incomplete]).
//  3. Companions and weights appear, one after the other.
//  4. Weights that are not of this run are removed.
//  5. The index of this run appears. If the run has no index, the index of step 2 is
//     removed.
type outDir struct {
	plan *Plan
	dir  string
	o    RunOptions

	stale    []string // paths of weights and of temporary files that go in the end
	index    bool     // there is one
	replaces bool     // weights that are there are not this plan's
	begun    bool     // step 2 is done
	others   []string // names of files that are not the run's, and stay
}

var partialName = regexp.MustCompile(`^\.(.*)\.partial-\d+$`)

// lookAt examines the place of the result before anything is written. The error matches
// ErrExists if the place holds the source, or files that must not be replaced.
func (p *Plan) lookAt(dst string, o RunOptions) (*outDir, error) {
	d := &outDir{plan: p, dir: dst, o: o}
	if err := p.checkNotSource(dst); err != nil {
		return nil, err
	}
	if isFile(dst) {
		d.dir = filepath.Dir(dst)
		return d, nil
	}
	entries, err := os.ReadDir(dst)
	if errors.Is(err, fs.ErrNotExist) {
		return d, nil
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	expected := make(map[string]bool)
	for i := range p.parts {
		expected[filepath.Base(p.file(dst, i))] = true
	}
	var errs []error
	refuse := func(name, why string) {
		errs = append(errs, fmt.Errorf("checkpoint: %s: %w: %s", filepath.Join(dst, name), ErrExists, why))
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dst, name)
		partial := partialName.FindStringSubmatch(name)
		switch {
		case partial != nil:
			if ownName.MatchString(partial[1]) && !expected[partial[1]] || partial[1] == indexName {
				d.stale = append(d.stale, path)
			}
		case expected[name]: // resume looks into it
		case name == indexName:
			d.index = true
			why, err := d.indexOfOthers(path, expected)
			if err != nil {
				return nil, err
			}
			if why != "" {
				d.replaces = true
				if !o.Overwrite {
					refuse(name, why)
				}
			}
		case strings.HasSuffix(name, safetensors.IndexSuffix) && !strings.HasPrefix(name, "."):
			refuse(name, "it would be opened instead of the result") // overwriting does not help
		case ownName.MatchString(name):
			d.replaces = true
			d.stale = append(d.stale, path)
			if !o.Overwrite {
				refuse(name, "weights of another run would be mixed with the result")
			}
		default:
			d.others = append(d.others, name)
		}
	}
	return d, errors.Join(errs...)
}

// indexOfOthers returns the reason why an index is not the index of this plan, or "" if
// it may be.
func (d *outDir) indexOfOthers(path string, expected map[string]bool) (string, error) {
	if isIncomplete(path) {
		d.replaces = true // a run was interrupted, and this one may go on after it
		return "", nil
	}
	names, err := safetensors.IndexedFiles(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("checkpoint: %w", err)
	case err != nil:
		return "it is an index that can't be read", nil
	}
	for _, n := range names {
		if !expected[n] || len(d.plan.parts) == 1 {
			return "it is the index of other files", nil
		}
	}
	return "", nil
}

// isIncomplete reports whether an index is [safetensors.Incomplete].
func isIncomplete(path string) bool {
	st, err := os.Stat(path)
	if err != nil || st.Size() != int64(len(safetensors.Incomplete)) {
		return false
	}
	b, err := os.ReadFile(path)
	return err == nil && string(b) == safetensors.Incomplete
}

// checkNotSource makes sure that no file of the source is the result or in its
// directory, by any path.
func (p *Plan) checkNotSource(dst string) error {
	if !p.source.onDisk {
		return nil
	}
	place, err := os.Stat(dst)
	if err != nil {
		return nil // nothing is there, or Run will say what is the matter
	}
	is := func(path string, what string) error {
		return fmt.Errorf("checkpoint: %s: %w: it is %s %s", path, ErrExists, what, p.source.path)
	}
	var sources []fs.FileInfo
	for _, path := range p.source.files {
		st, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		if os.SameFile(st, place) {
			return is(dst, "a file of the source")
		}
		sources = append(sources, st)
		if dir, err := os.Stat(filepath.Dir(path)); err == nil && os.SameFile(dir, place) {
			return is(dst, "the directory of the source")
		}
	}
	if !place.IsDir() {
		return nil
	}
	entries, err := os.ReadDir(dst)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range entries {
		if !ownName.MatchString(e.Name()) {
			continue
		}
		path := filepath.Join(dst, e.Name())
		st, err := os.Stat(path) // follows links
		if err == nil && slices.ContainsFunc(sources, func(s fs.FileInfo) bool { return os.SameFile(s, st) }) {
			return is(path, "a link to a file of the source")
		}
	}
	return nil
}

// begin is step 2.
func (d *outDir) begin(create atomicfile.Creator) error {
	if d.begun || !d.replaces {
		return nil
	}
	d.begun, d.index = true, true
	if err := create.WriteFile(filepath.Join(d.dir, indexName), []byte(safetensors.Incomplete)); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// clean is step 4.
func (d *outDir) clean() error {
	var errs []error
	for _, path := range d.stale {
		if err := d.o.remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("checkpoint: %s belongs to the previous result, and remains: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// withoutIndex is step 5 for a result that has none.
func (d *outDir) withoutIndex() error {
	if !d.index {
		return nil
	}
	if err := d.o.remove(filepath.Join(d.dir, indexName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("checkpoint: the index of the previous result remains: %w", err)
	}
	return nil
}

// othersThan returns the names of files that are not the run's.
func (d *outDir) othersThan(cs *companions) []string {
	top := make(map[string]bool)
	for _, f := range cs.files {
		name, _, _ := strings.Cut(f.name, "/")
		top[name] = true
	}
	return slices.DeleteFunc(d.others, func(name string) bool { return top[name] })
}
