package mapping

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func mapped(t *testing.T, path string) *Mapping {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	m, err := Of(f, st.Size())
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestLifetime looks at what the system says is mapped: the bytes outlive the file and
// the collector as long as the Mapping is reachable, and no longer.
func TestLifetime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mapped-file")
	want := bytes.Repeat([]byte("0123456789"), 1000)
	if err := os.WriteFile(path, want, 0o666); err != nil {
		t.Fatal(err)
	}
	m := mapped(t, path)
	for range 3 {
		runtime.GC()
	}
	if !bytes.Equal(m.Bytes(), want) {
		t.Error("other bytes")
	}
	isMapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Skip(err)
		}
		return strings.Contains(string(maps), "mapped-file")
	}
	if !isMapped() {
		t.Error("it is not mapped")
	}
	runtime.KeepAlive(m)
	m = nil
	for i := 0; isMapped(); i++ {
		if i == 1000 {
			t.Fatal("it stays mapped")
		}
		runtime.GC()
	}
}

func TestErrors(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	f.Write([]byte("abc"))
	for _, size := range []int64{-1, 0, 4, 1 << 40} {
		if _, err := Of(f, size); err == nil {
			t.Errorf("%d bytes of 3 are mapped", size)
		}
	}
	f.Close()
	if _, err := Of(f, 3); err == nil {
		t.Error("a closed file is mapped")
	}
}
