package readsum

import (
	"math/rand/v2"
	"testing"
)

func TestSum(t *testing.T) {
	b := make([]byte, 2048+3)
	r := rand.NewChaCha8([32]byte{})
	r.Read(b)
	for n := range len(b) {
		if got, want := Sum(b[1:][:min(n, len(b)-1)]), sumGeneric(b[1:][:min(n, len(b)-1)&^255]); got != want {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}
