package serial

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"testing"
)

// sharedData is where larger test data lies, beside the repository.
const sharedData = "../../shared/data/"

func readShared(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(sharedData + name)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("%s is not there: this test needs real weights", sharedData+name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A tensor is a float32 matrix of a trained model.
type tensor struct {
	name       string
	rows, cols int
	data       []float32
}

// realTensors returns the matrices of the speech denoiser DTLN, in order of
// name, rows being the first dimension of at least two of which the others are
// the columns.
func realTensors(t testing.TB) []tensor {
	t.Helper()
	file := readShared(t, "dtln.safetensors")
	n := binary.LittleEndian.Uint64(file)
	head := map[string]struct {
		DType       string
		Shape       []int
		DataOffsets [2]int `json:"data_offsets"`
	}{}
	if err := json.Unmarshal(bytes.TrimRight(file[8:8+n], " "), &head); err != nil {
		t.Fatal(err)
	}
	var ts []tensor
	for name, h := range head {
		shape := slices.DeleteFunc(h.Shape, func(d int) bool { return d == 1 })
		if h.DType != "F32" || len(shape) != 2 {
			continue
		}
		w := make([]float32, shape[0]*shape[1])
		data := file[8+int(n):][h.DataOffsets[0]:h.DataOffsets[1]]
		if err := binary.Read(bytes.NewReader(data), binary.LittleEndian, w); err != nil {
			t.Fatal(err)
		}
		ts = append(ts, tensor{name, shape[0], shape[1], w})
	}
	slices.SortFunc(ts, func(a, b tensor) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	if len(ts) < 8 {
		t.Fatalf("%d matrices", len(ts))
	}
	return ts
}

// int8PerChannel quantizes each row symmetrically to INT8, as the weights that
// BBS starts from are.
func int8PerChannel(w []float32, cols int) (q []int8, scales []float32) {
	q = make([]int8, len(w))
	for r := range len(w) / cols {
		row := w[r*cols : (r+1)*cols]
		var m float64
		for _, v := range row {
			m = max(m, math.Abs(float64(v)))
		}
		scales = append(scales, float32(m/127))
		for i, v := range row {
			if m > 0 {
				q[r*cols+i] = int8(math.RoundToEven(float64(v) / m * 127))
			}
		}
	}
	return q, scales
}
