package checkpoint

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/release"
)

// TestResumeOtherWriter checks that a file of another version of the library counts as
// finished.
func TestResumeOtherWriter(t *testing.T) {
	p := plan(t, openSource(t, model(1)...), Options{})
	dst := filepath.Join(t.TempDir(), "out.safetensors")
	run(t, p, dst, RunOptions{})
	if got := open(t, dst).Metadata()[keyWriter]; got != release.Version {
		t.Errorf("%s is %q, want %q", keyWriter, got, release.Version)
	}
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	other := strings.Repeat("9", len(release.Version)) // same length, so that offsets stay
	b = bytes.Replace(b, []byte(keyWriter+`":"`+release.Version), []byte(keyWriter+`":"`+other), 1)
	if err := os.WriteFile(dst, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dst).Metadata()[keyWriter]; got != other {
		t.Fatalf("%s is %q, want %q", keyWriter, got, other)
	}
	if r := run(t, p, dst, RunOptions{}); len(r.Resumed) != 1 || len(r.Written) != 0 {
		t.Errorf("resumed %v, written %v", r.Resumed, r.Written)
	}
}
