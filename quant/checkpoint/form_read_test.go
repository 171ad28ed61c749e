package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A formCase is a fixture of testdata/forms.py.
type formCase struct {
	name   string
	file   []byte
	Config json.RawMessage
	Want   map[string]struct {
		Shape  []int
		SHA256 string
	}
}

func formCases(t testing.TB) []formCase {
	t.Helper()
	paths, err := filepath.Glob("testdata/forms/*.safetensors")
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	var cases []formCase
	for _, path := range paths {
		var c formCase
		c.name = strings.TrimSuffix(filepath.Base(path), ".safetensors")
		b, err := os.ReadFile(strings.TrimSuffix(path, "safetensors") + "json")
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err == nil {
			c.file, err = os.ReadFile(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, c)
	}
	return cases
}

// dir writes the model to a directory, in one file or one for each tensor.
func (f formCase) dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), f.file, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), f.Config, 0o666); err != nil {
		t.Fatal(err)
	}
	return dir
}

func digest(vs []float32) string {
	sum := sha256.Sum256(leBytes(vs))
	return hex.EncodeToString(sum[:])
}

// TestForms reads weights in the forms in which others publish them as the very
// floats that reference implementations make of them: whole, as float64, and in
// pieces from anywhere.
func TestForms(t *testing.T) {
	for _, f := range formCases(t) {
		t.Run(f.name, func(t *testing.T) {
			c := open(t, f.dir(t))
			var names []string
			for _, x := range c.Tensors() {
				names = append(names, x.Name)
				want, ok := f.Want[x.Name]
				if !ok || !slices.Equal(want.Shape, x.Shape) || !x.Float {
					t.Errorf("%s: %v, want %v", x.Name, x, want)
					continue
				}
				vs := floats(t, c, x.Name)
				if digest(vs) != want.SHA256 {
					t.Errorf("%s: other floats: %v…", x.Name, vs[:8])
				}
				checkPieces(t, c, x, vs)
			}
			for name := range f.Want {
				if !slices.Contains(names, name) {
					t.Errorf("there is no %s", name)
				}
			}
			for name := range c.LeftOut() {
				if !strings.Contains(name, "scale") || f.Want[name].SHA256 != "" {
					t.Errorf("%s is left out", name)
				}
			}
			if _, err := NewPlan(c, Options{}); err != nil {
				t.Error(err)
			}
		})
	}
}

// checkPieces compares reads from each element on, of several lengths, with all
// elements.
func checkPieces(t *testing.T, c *Checkpoint, x Tensor, vs []float32) {
	t.Helper()
	d := c.dataOf(x)
	for first := range vs {
		for _, n := range []int{1, 2, 33, x.Cols(), 2*x.Cols() + 1, len(vs)} {
			if first > 40 && first%37 > 0 {
				continue
			}
			n = min(n, len(vs)-first)
			got32, got64 := make([]float32, n), make([]float64, n)
			if err := d.Read(got32, int64(first)); err != nil {
				t.Fatal(err)
			}
			if err := d.Read64(got64, int64(first)); err != nil {
				t.Fatal(err)
			}
			for i, v := range vs[first : first+n] {
				if got32[i] != v || got64[i] != float64(v) {
					t.Fatalf("%s: element %d, read from %d: %v and %v, want %v", x.Name, first+i, first, got32[i], got64[i], v)
				}
			}
		}
	}
}
