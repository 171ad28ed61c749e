package checkpoint

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// ownName matches the names of the files of weights that this package makes in
// directories.
var ownName = regexp.MustCompile(`^model(-\d{5}-of-\d{5})?\.safetensors$`)

const indexName = "model" + safetensors.IndexSuffix

// replace replaces the weights in dir that have names of [ownName] by the finished
// shards and the index, if it is not nil. Whenever it is interrupted, dir opens as the
// old weights, as the new ones, or not at all.
//
// If no name is taken, one rename decides: the rename of the index or of the only file.
// Otherwise an index that cannot be opened first replaces the old index.
func replace(o SaveOptions, dir string, shards []*shard, index []byte) error {
	indexPath := filepath.Join(dir, indexName)
	var old []string
	taken, hasIndex := false, false
	entries, err := os.ReadDir(dir)
	if err != nil {
		abortAll(shards)
		return fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range entries {
		isNew := slices.ContainsFunc(shards, func(s *shard) bool { return filepath.Base(s.path) == e.Name() })
		partial := partialName.FindStringSubmatch(e.Name())
		switch {
		case partial != nil && (ownName.MatchString(partial[1]) || partial[1] == indexName):
			// A killed process has left it; or it is a shard that is about to be
			// renamed.
			old = append(old, filepath.Join(dir, e.Name()))
		case e.Name() == indexName:
			hasIndex = true
		case isNew:
			taken = true
		case ownName.MatchString(e.Name()):
			old = append(old, filepath.Join(dir, e.Name()))
		}
	}
	if taken && (hasIndex || len(shards) > 1) {
		if err := o.create.WriteFile(indexPath, []byte(safetensors.Incomplete)); err != nil {
			abortAll(shards)
			return fmt.Errorf("checkpoint: %w", err)
		}
		hasIndex = true
	}
	if err := commitAll(shards); err != nil {
		return err
	}
	if index != nil {
		if err := o.create.WriteFile(indexPath, index); err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	} else if hasIndex {
		old = slices.Insert(old, 0, indexPath) // the first to go, which decides
	}
	var errs []error
	for _, path := range old {
		if err := o.remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("checkpoint: %s belongs to the previous result, and remains: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// foreignIndex returns the name of an index in dir that would be opened instead of
// model.safetensors.index.json.
func foreignIndex(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	for _, e := range entries {
		if n := e.Name(); n != indexName && strings.HasSuffix(n, safetensors.IndexSuffix) && !strings.HasPrefix(n, ".") {
			return n, nil
		}
	}
	return "", nil
}

// indexOf returns the contents of the index of finished shards.
func indexOf(shards []*shard, plain bool) ([]byte, error) {
	fileOf := make(map[string]string)
	var total int64
	for _, s := range shards {
		for _, t := range s.stored {
			fileOf[t.Name] = filepath.Base(s.path)
			total += t.Elements() * int64(t.DType.Bits()) / 8
		}
	}
	metadata := map[string]string{keyVersion: version}
	if plain {
		metadata = nil
	}
	b, err := safetensors.IndexJSON(fileOf, total, metadata)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return b, nil
}
