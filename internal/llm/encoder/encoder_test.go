package encoder

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// fixtures are the folders that testdata/make.py writes.
func fixtures(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/*/expected.json")
	if err != nil || len(all) < 8 {
		t.Fatalf("fixtures %q, error %v", all, err)
	}
	for i, f := range all {
		all[i] = filepath.Dir(f)
	}
	return all
}

// An expectation is the output of transformers for a text.
type expectation struct {
	IDs            []int
	Step           int // from one token of Hidden to the next
	Hidden         []float64
	Mean, CLS, Max []float64
}

func expectations(t *testing.T, dir string) []expectation {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want []expectation
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	return want
}

func load(t testing.TB, path string, o Options) (*File, *Model) {
	t.Helper()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	m, err := f.Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return f, m
}

func run(t testing.TB, m *Model, workers int, texts ...[]int) [][]float32 {
	t.Helper()
	r := NewRunner(m, workers)
	defer r.Close()
	if err := r.Forward(texts...); err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for i := range texts {
		all = append(all, slices.Clone(r.Hidden(i)))
	}
	return all
}

// distance returns the greatest difference, relative to the range of want.
func distance(got []float32, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	worst := 0.0
	for i, w := range want {
		worst = max(worst, math.Abs(w-float64(got[i])))
	}
	return worst / (slices.Max(want) - slices.Min(want))
}

// TestFamilies compares hidden states and pooled embeddings of each family with those of
// transformers.
func TestFamilies(t *testing.T) {
	const most = 1e-5
	for _, dir := range fixtures(t) {
		_, m := load(t, dir, Options{})
		dim := m.Config.Dim
		worst := 0.0
		for i, want := range expectations(t, dir) {
			hidden := run(t, m, 1, want.IDs)[0]
			var some []float32
			for at := 0; at < len(hidden); at += want.Step * dim {
				some = append(some, hidden[at:][:dim]...)
			}
			d := distance(some, want.Hidden)
			for pooling, want := range map[Pooling][]float64{Mean: want.Mean, CLS: want.CLS, Max: want.Max} {
				got := make([]float32, dim)
				p := Pipeline{Poolings: []Pooling{pooling}}
				if err := p.Pool(got, hidden); err != nil {
					t.Fatal(err)
				}
				d = max(d, distance(got, want))
			}
			if d > most {
				t.Errorf("%s, text %d: differs from transformers by %.2g of the range", dir, i, d)
			}
			worst = max(worst, d)
		}
		t.Logf("%s: %.2g of the range", dir, worst)
	}
}
