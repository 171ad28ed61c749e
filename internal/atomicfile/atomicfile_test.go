package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/internal/dirtest"
)

func TestCommitAndAbort(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	for _, content := range []string{"one", "two"} {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		f.Write([]byte("???"))
		if _, err := f.WriteAt([]byte(content), 0); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) == content {
			t.Fatal("there before Commit")
		}
		if err := f.Commit(); err != nil {
			t.Fatal(err)
		}
		if b, _ := os.ReadFile(path); string(b) != content {
			t.Fatalf("got %q, want %q", b, content)
		}
	}
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("three"))
	if err := f.Abort(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "two" {
		t.Errorf("after Abort: %q", b)
	}
	if ns := dirtest.Names(t, dir); len(ns) != 1 {
		t.Errorf("files left: %v", ns)
	}
}

func TestStaleFilesAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, n := range []string{".a.partial-123", ".b.partial-1", "a.partial-1", ".a.partial-"} {
		if err := os.WriteFile(filepath.Join(dir, n), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Creator(Create).WriteFile(filepath.Join(dir, "a"), []byte("x")); err != nil {
		t.Fatal(err)
	}
	if ns := dirtest.Names(t, dir); len(ns) != 4 {
		t.Errorf("files: %v", ns)
	}
}

func TestCommitFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err == nil {
		t.Fatal("renamed over a directory")
	}
	if ns := dirtest.Names(t, dir); len(ns) != 1 {
		t.Errorf("files left: %v", ns)
	}
}

// TestSyncWhileWriting writes enough for a sync on the way, and lets one fail.
func TestSyncWhileWriting(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	b := make([]byte, syncBytes/2+1)
	for _, fault := range []error{nil, syscall.EIO} {
		f, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			if _, err := f.WriteAt(b, int64(i*len(b))); err != nil {
				t.Fatal(err)
			}
		}
		g := f.(*file)
		if g.syncing == nil {
			t.Fatal("no sync on the way")
		}
		if fault != nil {
			g.wait()
			g.syncing = make(chan error, 1)
			g.syncing <- fault
		}
		if err := f.Commit(); !errors.Is(err, fault) {
			t.Errorf("Commit returns %v, want %v", err, fault)
		}
		if st, err := os.Stat(path); err != nil || st.Size() != int64(4*len(b)) {
			t.Errorf("%v, %v", st, err) // in the second round, what the first has left
		}
		if ns := dirtest.Names(t, dir); len(ns) != 1 {
			t.Errorf("files: %v", ns)
		}
	}
}
