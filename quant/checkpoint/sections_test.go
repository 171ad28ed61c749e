package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestSections reads files directly, at the places that sections name.
func TestSections(t *testing.T) {
	gguf := filepath.Join(t.TempDir(), "m.gguf")
	writeGGUF(t, gguf, func(func(...any)) int { return 0 }, random(rand.New(rand.NewPCG(2, 7)), "w", "F16", 2, 32))
	mixed, _, _ := saveMixed(t)
	for _, c := range []*Checkpoint{open(t, quantizedModel(t)), openSource(t, everyType()...), open(t, gguf), open(t, mixed)} {
		for i, x := range c.Tensors() {
			sections, err := c.Sections(x.Name)
			if err != nil {
				t.Fatal(err)
			}
			var size int64
			for k, s := range sections {
				if !slices.Contains(c.Files(), s.File) {
					t.Fatalf("%s is in %s, of %q", x.Name, s.File, c.Files())
				}
				f, err := os.Open(s.File)
				if err != nil {
					t.Fatal(err)
				}
				got := make([]byte, s.Length)
				if _, err := f.ReadAt(got, s.Offset); err != nil && s.Length > 0 {
					t.Fatal(err)
				}
				f.Close()
				var want *io.SectionReader
				if p, ok := c.data[i].(*packed); ok {
					want = p.f.Section(p.stored[k])
				} else {
					want = c.data[i].(raw).Bytes()
				}
				if b, err := io.ReadAll(want); err != nil || !bytes.Equal(b, got) {
					t.Errorf("%s: section %d has other bytes (%v)", x.Name, k, err)
				}
				size += s.Length
			}
			if size != x.Bytes {
				t.Errorf("%s: %d bytes, want %d", x.Name, size, x.Bytes)
			}
		}
		if _, err := c.Sections("no such tensor"); !errors.Is(err, ErrNoTensor) {
			t.Errorf("no tensor: %v", err)
		}
	}
}
