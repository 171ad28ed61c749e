package bbs

import (
	"testing"

	"github.com/bitmod-go/bitmod/internal/misuse"
)

func TestMisuse(t *testing.T) {
	m, err := Compress(make([]int8, 8), 8, make([]float32, 1), Moderate())
	if err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "serial/bbs", map[string]any{
		"Compress":     Compress,
		"Conservative": Conservative,
		"Measure":      Measure,
		"Moderate":     Moderate,
	}, m, Moderate(), Conservative())
}
