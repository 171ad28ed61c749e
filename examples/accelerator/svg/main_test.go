package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new") // is made
	if err := write(dir, "llama-3-8b"); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"speedup.svg": "llama-2-13b", "energy.svg": "olive", "roofline.svg": "generation"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Contains(data, []byte("<svg")) || !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s: %v, %d bytes", name, err, len(data))
		}
	}
	if err := write(dir, "gpt-5"); err == nil {
		t.Error("no error for an unknown model")
	}
	if err := write(filepath.Join(dir, "energy.svg"), "phi-2"); err == nil {
		t.Error("no error for a file in place of the directory")
	}
}
