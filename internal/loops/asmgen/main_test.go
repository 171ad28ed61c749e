package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestFiles fails if a file of assembly is not what the generator writes.
func TestFiles(t *testing.T) {
	for name, want := range files() {
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs from what the generator writes: go generate ./internal/loops", name)
		}
	}
}
