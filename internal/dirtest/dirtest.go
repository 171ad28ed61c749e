// Package dirtest looks at directories for tests.
package dirtest

import (
	"os"
	"testing"
)

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
