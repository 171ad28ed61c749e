package gguf

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// wantSums is what gguf, the Python package, makes of a tensor of
// testdata/quants.gguf. See quants.py.
type wantSums struct {
	First []float32
	Rows  []string
}

// sum returns the beginning of the SHA-256 of floats, as quants.py does.
func sum(vs []float32) string {
	var b []byte
	for _, v := range vs {
		u := math.Float32bits(v)
		if v != v {
			u = 0x7fc00000
		}
		b = binary.LittleEndian.AppendUint32(b, u)
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

func TestQuantsEqualPython(t *testing.T) {
	b, err := os.ReadFile("testdata/quants.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]wantSums
	if err := json.Unmarshal(b, &want); err != nil {
		t.Fatal(err)
	}
	f, err := Open("testdata/quants.gguf")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, l := range layouts {
		if _, ok := want[l.name]; Type(i).IsFloat() != ok {
			t.Errorf("%v can be read: %v; it is among the fixtures: %v", Type(i), Type(i).IsFloat(), ok)
		}
	}
	for _, x := range f.Tensors() {
		t.Run(x.Name, func(t *testing.T) {
			w := want[x.Name]
			rows, cols := x.Shape[0], x.Shape[1]
			if x.Type.String() != x.Name || rows != len(w.Rows) || rows == 0 {
				t.Fatalf("%v with %d rows, want %d", x.Type, rows, len(w.Rows))
			}
			vs := make([]float32, rows*cols)
			if err := f.Read(vs, x, 0); err != nil {
				t.Fatal(err)
			}
			for i, v := range w.First {
				if vs[i] != v {
					t.Errorf("element %d is %v, want %v", i, vs[i], v)
				}
			}
			for row := range rows {
				if got := sum(vs[row*cols : (row+1)*cols]); got != w.Rows[row] {
					t.Errorf("row %d: sum %s, want %s", row, got, w.Rows[row])
				}
			}
		})
	}
}
