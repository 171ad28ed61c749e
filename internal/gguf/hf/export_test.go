package hf

import "testing"

// OpenSource opens a GGUF file, for tests of other packages' use of this one.
func OpenSource(tb testing.TB, path string) Source {
	s, _ := openSource(tb, path)
	return s
}
