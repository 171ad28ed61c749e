package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

var shardName = regexp.MustCompile(`^model-(\d{5})-of-(\d{5})\.safetensors$`)

// Merge makes one checkpoint of the files that the parts of a plan have written to dir.
// It checks that all are there and of one plan, verifies their checksums, writes the
// index, and returns the path of the index. The error matches [ErrIncomplete], listing
// what is missing, [ErrExists] for files of different plans, or [ErrChecksum]. No file
// but the index is changed.
func Merge(ctx context.Context, dir string, progress func(Progress)) (string, error) {
	if ctx == nil {
		return "", errNilContext
	}
	paths, err := shardFiles(dir)
	if err != nil {
		return "", err
	}
	m := meter{report: progress}
	var total int64
	var errs []error
	plan := ""
	for i, path := range paths {
		c, err := Open(path)
		if err != nil {
			return "", err
		}
		h := c.headers[0]
		switch label := fmt.Sprintf("%d of %d", i+1, len(paths)); {
		case h.plan == "" || h.shard != label:
			err = fmt.Errorf("checkpoint: %s: %w: it is not shard %s of a plan", path, quant.ErrFormat, label)
		case plan == "":
			plan = h.plan
		case h.plan != plan:
			err = fmt.Errorf("checkpoint: %s: %w: it was made with other settings, or from other weights, than %s", path, ErrExists, paths[0])
		}
		if err == nil {
			for _, t := range c.tensors {
				total += t.Bytes
			}
			m.total = total / int64(i+1) * int64(len(paths)) // as far as is known
			err = c.checkSums(ctx, &m)
			m.reach(path, total)
		}
		c.Close()
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	if len(paths) == 1 && filepath.Base(paths[0]) == "model.safetensors" {
		index := filepath.Join(dir, indexName)
		if isIncomplete(index) { // of the run
			if err := os.Remove(index); err != nil {
				return "", fmt.Errorf("checkpoint: %w", err)
			}
		}
		return paths[0], nil
	}
	return writeIndex(atomicfile.Create, dir, paths)
}

// shardFiles returns the paths of the shards in dir, in order. Missing shards are an
// error.
func shardFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	byCount := make(map[int]map[int]string)
	single := ""
	for _, e := range entries {
		if e.Name() == "model.safetensors" {
			single = filepath.Join(dir, e.Name())
		}
		if m := shardName.FindStringSubmatch(e.Name()); m != nil {
			i, _ := strconv.Atoi(m[1])
			n, _ := strconv.Atoi(m[2])
			if byCount[n] == nil {
				byCount[n] = make(map[int]string)
			}
			byCount[n][i] = filepath.Join(dir, e.Name())
		}
	}
	switch {
	case len(byCount) == 0 && single != "":
		return []string{single}, nil
	case len(byCount) == 0:
		return nil, fmt.Errorf("checkpoint: %s: %w: there are none", dir, ErrIncomplete)
	case single != "":
		return nil, fmt.Errorf("checkpoint: %s: %w: it is beside the shards", single, ErrExists)
	case len(byCount) > 1:
		return nil, fmt.Errorf("checkpoint: %s: %w: shards of plans with different numbers of files", dir, ErrExists)
	}
	var paths []string
	for n, have := range byCount {
		var missing []string
		for i := 1; i <= n; i++ {
			if have[i] == "" {
				missing = append(missing, shardFile(i-1, n))
			}
			paths = append(paths, have[i])
		}
		if len(missing) > 0 {
			return nil, fmt.Errorf("checkpoint: %s: %w: %d of %d: %s", dir, ErrIncomplete, len(missing), n, list(missing))
		}
	}
	return paths, nil
}

// list joins names, and shortens long lists.
func list(names []string) string {
	const most = 10
	s := ""
	for i, n := range names {
		switch {
		case i == most:
			return s + fmt.Sprintf(" and %d more", len(names)-most)
		case i > 0:
			s += ", "
		}
		s += n
	}
	return s
}

// writeIndex writes the index of files in dir.
func writeIndex(create atomicfile.Creator, dir string, paths []string) (string, error) {
	fileOf := make(map[string]string)
	var total int64
	for _, path := range slices.Sorted(slices.Values(paths)) {
		f, err := safetensors.Open(path)
		if err != nil {
			return "", err
		}
		f.Close()
		for _, t := range f.Tensors() {
			if other, ok := fileOf[t.Name]; ok {
				return "", badTensor(t.Name, "it is in both %s and %s", other, filepath.Base(path))
			}
			fileOf[t.Name] = filepath.Base(path)
			total += t.Bytes()
		}
	}
	b, err := safetensors.IndexJSON(fileOf, total, map[string]string{keyVersion: version})
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	path := filepath.Join(dir, "model"+safetensors.IndexSuffix)
	if err := create.WriteFile(path, b); err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	return path, nil
}
