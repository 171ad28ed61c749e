package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// A calibrator quantizes with an importance and records its calls.
type calibrator struct {
	settings string
	calls    []string
	bad      func(m *quant.Matrix, err error) (*quant.Matrix, error)
}

func (c *calibrator) Settings() string { return c.settings }

func (c *calibrator) Order(tensor string) int {
	if strings.Contains(tensor, "head") {
		return 3
	}
	return 2 - strings.Count(tensor, "layers.1")
}

func (c *calibrator) Quantize(ctx context.Context, w Weights) (*quant.Matrix, error) {
	c.calls = append(c.calls, fmt.Sprintf("%s %d", w.Tensor, w.Matrix))
	config := w.Configs[0]
	config.Importance = make([]float64, w.Cols)
	for i := range config.Importance {
		config.Importance[i] = float64(1 + i%7)
	}
	w.Configs = []quant.Config{config}
	m, err := w.Group(ctx)
	if c.bad != nil {
		return c.bad(m, err)
	}
	return m, err
}

func (c *calibrator) Resume(_ context.Context, tensor string, matrix int, m *quant.Matrix) error {
	c.calls = append(c.calls, fmt.Sprintf("resumed %s %d of %d", tensor, matrix, m.Rows()))
	return nil
}

func TestCalibrator(t *testing.T) {
	source := openSource(t, model(1)...)
	c := &calibrator{settings: `{"text":1}`}
	o := Options{Config: quant.Config{Type: datatype.BitMoD3}, Calibrator: c, ShardSize: 60e3}
	p := plan(t, source, o)
	if !strings.Contains(p.Settings(), `"calibration":{"text":1}`) {
		t.Errorf("settings %s", p.Settings())
	}
	if len(p.parts) < 3 {
		t.Fatalf("%d files", len(p.parts))
	}
	dir := t.TempDir()
	result, err := p.Run(t.Context(), dir, RunOptions{Measure: true})
	if err != nil {
		t.Fatal(err)
	}
	var want []string // calls
	last := 0
	for i, it := range p.Items() {
		if c.Order(it.To.Name) < last {
			t.Errorf("%s is out of order", it.To.Name)
		}
		last = c.Order(it.To.Name)
		if !it.To.Quantized {
			continue
		}
		for j := range it.To.matrices() {
			want = append(want, fmt.Sprintf("%s %d", it.To.Name, j))
		}
		if s := result.Items[i].Stats; s.Weights != it.To.Elements() || s.Noise == 0 {
			t.Errorf("%s: %d weights measured, noise %g", it.To.Name, s.Weights, s.Noise)
		}
	}
	if !slices.Equal(c.calls, want) {
		t.Errorf("calls %q, want %q", c.calls, want)
	}
	got := open(t, dir)
	for _, x := range got.Tensors() {
		if !x.Quantized {
			continue
		}
		m, err := got.Matrix(x.Name)
		if err != nil {
			t.Fatal(err)
		}
		w := make([]float32, x.Elements())
		from, _ := source.Tensor(x.Name)
		if err := readRows(source.dataOf(from), w, x.Shape[len(x.Shape)-2], x.Cols(), 0, x.Rows(), x.Transposed); err != nil {
			t.Fatal(err)
		}
		again, err := (&calibrator{}).Quantize(t.Context(), Weights{Float: w, Cols: x.Cols(), Configs: []quant.Config{{Type: x.Type, GroupSize: x.GroupSize}}})
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(m.Storage(), again.Storage()) {
			t.Errorf("%s is not what the calibrator made", x.Name)
		}
	}
	found, err := Verify(t.Context(), got, source, nil)
	if err != nil {
		t.Error(err)
	}
	for _, v := range found {
		if v.Bounded != v.Quantized {
			t.Errorf("%s: bounded %v", v.Name, v.Bounded)
		}
	}
	if _, err := Verify(t.Context(), got, openSource(t, model(2)...), nil); !errors.Is(err, ErrOriginal) {
		t.Errorf("another original: %v", err)
	}
	got.Close() // Windows does not remove open files

	// A second run passes finished matrices to the calibrator, if others follow.
	c.calls = nil
	if _, err := p.Run(t.Context(), dir, RunOptions{}); err != nil || len(c.calls) > 0 {
		t.Errorf("%q was asked for by a run with nothing to do, %v", c.calls, err)
	}
	middle := filepath.Join(dir, shardFile(1, len(p.parts)))
	whole, err := os.ReadFile(middle)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(middle); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), dir, RunOptions{}); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(middle); err != nil || string(data) != string(whole) {
		t.Errorf("the file that was missing is another now: %v", err)
	}
	want = nil
	for _, it := range p.Items() {
		if !it.To.Quantized || it.Shard > 1 {
			continue
		}
		outs := it.To.Shape[len(it.To.Shape)-2]
		for j := range it.To.matrices() {
			switch it.Shard {
			case 1:
				want = append(want, fmt.Sprintf("%s %d", it.To.Name, j))
			default:
				want = append(want, fmt.Sprintf("resumed %s %d of %d", it.To.Name, j, outs))
			}
		}
	}
	if !slices.Equal(c.calls, want) {
		t.Errorf("calls %q, want %q", c.calls, want)
	}

	// Other texts give another result.
	other := o
	other.Calibrator = &calibrator{settings: `{"text":2}`}
	if _, err := plan(t, source, other).Run(t.Context(), dir, RunOptions{}); !errors.Is(err, ErrExists) {
		t.Errorf("another text: %v", err)
	}
}

func TestCalibratorErrors(t *testing.T) {
	source := openSource(t, model(1)...)
	for _, x := range []struct {
		o    Options
		want error
	}{
		{Options{Calibrator: &calibrator{settings: "{"}}, quant.ErrFormat},
		{Options{Calibrator: &calibrator{settings: "1"}, Parts: 2}, quant.ErrShape},
	} {
		if _, err := NewPlan(source, x.o); !errors.Is(err, x.want) {
			t.Errorf("%v, want %v", err, x.want)
		}
	}
	boom := errors.New("boom")
	for _, x := range []struct {
		bad  func(*quant.Matrix, error) (*quant.Matrix, error)
		want error
	}{
		{func(*quant.Matrix, error) (*quant.Matrix, error) { return nil, boom }, boom},
		{func(*quant.Matrix, error) (*quant.Matrix, error) { return nil, nil }, quant.ErrShape},
		{func(m *quant.Matrix, err error) (*quant.Matrix, error) {
			return quant.Group(make([]float32, m.Rows()*m.Cols()), m.Cols(), quant.Config{Type: datatype.Int4})
		}, quant.ErrShape},
	} {
		dir := t.TempDir()
		_, err := plan(t, source, Options{Calibrator: &calibrator{settings: "1", bad: x.bad}}).Run(t.Context(), dir, RunOptions{})
		if bad, ok := errors.AsType[*TensorError](err); !errors.Is(err, x.want) || !ok || bad.Tensor == "" {
			t.Errorf("%v, want %v with a tensor", err, x.want)
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%v is left, %v", entries, err)
		}
	}
}
