package hf

import (
	"bytes"
	"io"
	"slices"
	"testing"
)

type floats []float32

func (f floats) Read(dst []float32, first int64) error {
	copy(dst, f[first:])
	return nil
}

func (f floats) Read64(dst []float64, first int64) error {
	for i := range dst {
		dst[i] = float64(f[first+int64(i)])
	}
	return nil
}

// TestRows compares every range of elements with the whole, of which llama.cpp's
// permutation is the definition: reshape(heads, 2, half, cols).swapaxes(1, 2).
func TestRows(t *testing.T) {
	const heads, half, cols = 3, 2, 5
	const rows = heads * half * 2
	want := make(floats, rows*cols)
	for i := range want {
		want[i] = float32(i)
	}
	stored := make(floats, len(want))
	var raw, wantRaw []byte
	for h := range heads {
		for i := range half {
			for j := range 2 {
				copy(stored[(h*half*2+i*2+j)*cols:], want[(h*half*2+j*half+i)*cols:][:cols])
			}
		}
	}
	for i := range stored {
		raw = append(raw, byte(stored[i]), 1)
		wantRaw = append(wantRaw, byte(want[i]), 1)
	}
	v := unpermuted(heads, rows)
	d := v.Open([]int{rows, cols}, []Data{stored})
	for lo := range want {
		for hi := lo; hi <= len(want); hi++ {
			got := make([]float32, hi-lo)
			if err := d.Read(got, int64(lo)); err != nil || !slices.Equal(got, want[lo:hi]) {
				t.Fatalf("elements %d to %d are %v, %v", lo, hi, got, err)
			}
		}
	}
	b, err := io.ReadAll(v.Bytes(bytes.NewReader(raw), rows, int64(len(raw))))
	if err != nil || !bytes.Equal(b, wantRaw) {
		t.Errorf("bytes %v, %v, want %v", b, err, wantRaw)
	}
}
