package main

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// tensorSums lists the tensors of a checkpoint with hashes of their values.
func tensorSums(t *testing.T, path string) string {
	t.Helper()
	c, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var lines []string
	for _, x := range c.Tensors() {
		vs := make([]float32, x.Elements())
		if err := c.ReadRows(vs, x.Name, 0, x.Rows()); err != nil {
			t.Fatal(err)
		}
		b, err := binary.Append(nil, binary.LittleEndian, vs)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%s %x", x.Name, sha256.Sum256(b)))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
