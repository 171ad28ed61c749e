package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
)

// copyOthers copies what belongs to a model besides its weights, such as
// config.json and the tokenizer, if both ends are directories and it is not
// there already.
func copyOthers(w io.Writer, from, to string) error {
	for _, dir := range []string{from, to} {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return nil
		}
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(from, e.Name())
		st, err := os.Stat(path) // follows the links of the Hugging Face cache
		if err != nil || !st.Mode().IsRegular() || st.Size() > 64<<20 || !belongs(e.Name()) {
			continue
		}
		dst := filepath.Join(to, e.Name())
		if _, err := os.Stat(dst); err == nil {
			continue
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := atomicfile.Creator(atomicfile.Create).WriteFile(dst, b); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s is copied\n", dst)
	}
	return nil
}

// belongs reports whether a file is part of a model, and none of weights.
func belongs(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".index.json") {
		return false
	}
	return slices.Contains([]string{".json", ".model", ".txt", ".md", ".jinja", ".tiktoken"}, filepath.Ext(name)) || name == "LICENSE"
}
