// Package dirtest looks at directories for tests.
package dirtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Data returns the path of a file in the directory $BITMOD_DATA, and skips the test
// where there is none. CONTRIBUTING.md says which files are meant.
func Data(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("BITMOD_DATA")
	if dir == "" {
		t.Skipf("BITMOD_DATA is not set: this test needs %s", name)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("BITMOD_DATA: %v", err)
	}
	return path
}

// Names returns the names of all files of a directory, hidden ones too.
func Names(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var ns []string
	for _, e := range entries {
		ns = append(ns, e.Name())
	}
	return ns
}

// Files returns the contents of all files of a directory, by their names, without those in directories below.
func Files(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}
