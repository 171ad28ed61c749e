package llm

import (
	"testing"

	"github.com/bitmod-go/bitmod/internal/dirtest"
)

// stories returns the model stories260K and its tokenizer.
func stories(t testing.TB, o Options) (*Model, Tokenizer) {
	t.Helper()
	m, tok, err := Open(dirtest.Data(t, "stories260K.bin"), dirtest.Data(t, "tok512.bin"), o)
	if err != nil {
		t.Fatal(err)
	}
	return m, tok
}
