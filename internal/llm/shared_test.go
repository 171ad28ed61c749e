package llm

import (
	"os"
	"path/filepath"
	"testing"
)

// shared returns the path of a file in ../shared/data, which lies beside the
// repository where there is one, and skips the test where there is none.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the test")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(filepath.Dir(dir), "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs a file beside the repository: %v", err)
	}
	return path
}

// stories returns the model stories260K and its tokenizer.
func stories(t testing.TB, o Options) (*Model, Tokenizer) {
	t.Helper()
	m, tok, err := Open(shared(t, "stories260K.bin"), shared(t, "tok512.bin"), o)
	if err != nil {
		t.Fatal(err)
	}
	return m, tok
}
