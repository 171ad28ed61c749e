//go:build unix

package safetensors

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// A named pipe that an archive brought along is refused, not waited for.
func TestNamedPipe(t *testing.T) {
	for _, name := range []string{"model.safetensors", "model.safetensors.index.json"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Skip(err)
		}
		for _, p := range []string{path, dir} {
			if _, err := OpenSet(badfile.OS, p); err == nil || !strings.Contains(err.Error(), "not a regular file") {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
}
