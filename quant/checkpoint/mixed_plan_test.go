package checkpoint

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// mixedRules gives rows of some tensors several types.
func mixedRules(c *Checkpoint, seed uint64) Rules {
	r := rand.New(rand.NewPCG(seed, 5))
	rules := Rules{Mixed: make(map[string]Mixed)}
	for _, t := range c.Tensors() {
		if !strings.HasSuffix(t.Name, "up_proj.weight") && !strings.HasSuffix(t.Name, "o_proj.weight") && !strings.HasPrefix(t.Name, "lm_head") && t.Name != "tall.weight" {
			continue
		}
		m := Mixed{Parts: []Part{{Type: datatype.Int8}, {Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.Int2}, {Type: datatype.BitMoD4}}, Order: make([]uint8, t.Rows())}
		for i := range m.Order {
			if m.Order[i] = uint8(r.IntN(4)); m.Order[i] == 2 { // stays without rows
				m.Order[i] = 1
			}
		}
		rules.Mixed[t.Name] = m
	}
	return rules
}

// A plan quantizes rows of several types, block by block, to the same rows as
// quant.GroupMixed of the whole.
func TestMixedPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	source := openSource(t, append(model(1), random(r, "tall.weight", "BF16", 3*blockRows(256)+7, 256))...)
	rules := mixedRules(source, 1)
	o := Options{Config: quant.Config{Type: datatype.BitMoD3}, Rules: rules, ShardSize: 60e3}
	for _, search := range []bool{false, true} {
		o.Search = search
		p := plan(t, source, o)
		dir := t.TempDir()
		result, err := p.Run(t.Context(), dir, RunOptions{Measure: true})
		if err != nil {
			t.Fatal(err)
		}
		got := open(t, dir)
		for i, it := range result.Items {
			x, ok := got.Tensor(it.To.Name)
			if !ok || !reflect.DeepEqual(x, p.Items()[i].To) {
				t.Fatalf("%+v is not what was promised, %+v", x, it.To)
			}
			m, mixed := rules.Mixed[x.Name]
			if mixed != (x.Parts != nil) {
				t.Fatalf("%s has parts %v", x.Name, x.Parts)
			}
			if !mixed {
				continue
			}
			w := make([]float32, x.Elements())
			if err := source.ReadRows(w, x.Name, 0, x.Rows()); err != nil {
				t.Fatal(err)
			}
			var configs []quant.Config
			for _, part := range m.Parts {
				configs = append(configs, quant.Config{Type: part.Type, GroupSize: part.GroupSize, Search: search})
			}
			want, err := quant.GroupMixed(context.Background(), w, x.Cols(), m.Order, configs)
			if err != nil {
				t.Fatal(err)
			}
			if is, err := got.Matrix(x.Name); err != nil || !bytes.Equal(binaryForm(t, is), binaryForm(t, want)) {
				t.Errorf("%s came back as %v, want %v, error %v", x.Name, is, want, err)
			}
			if it.Stats.Weights != x.Elements() || it.Stats.Noise == 0 || len(it.Stats.Choices) > 0 {
				t.Errorf("%s: stats %+v", x.Name, it.Stats)
			}
		}
		found, err := Verify(t.Context(), got, source, nil)
		if err != nil {
			t.Error(err)
		}
		for _, v := range found {
			if v.Bounded {
				t.Errorf("%s is not known to be the original's", v.Name)
			}
		}
		if _, err := Verify(t.Context(), got, openSource(t, append(model(2), random(r, "tall.weight", "BF16", 3*blockRows(256)+7, 256))...), nil); !errors.Is(err, ErrOriginal) {
			t.Errorf("another original: %v", err)
		}
		got.Close() // Windows does not remove open files

		// Finished files are not made again, and the others are the same.
		middle := filepath.Join(dir, shardFile(1, len(p.parts)))
		whole, err := os.ReadFile(middle)
		if err == nil {
			err = os.Remove(middle)
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := p.Run(t.Context(), dir, RunOptions{})
		if err != nil || len(again.Written) != 1 {
			t.Errorf("%d files are written again, %v", len(again.Written), err)
		}
		if data, err := os.ReadFile(middle); err != nil || !bytes.Equal(data, whole) {
			t.Errorf("the file that was missing is another now: %v", err)
		}
		other := o
		other.Rules = mixedRules(source, 2)
		if _, err := plan(t, source, other).Run(t.Context(), dir, RunOptions{}); !errors.Is(err, ErrExists) {
			t.Errorf("other types of rows: %v", err)
		}
	}
}

// A rowsCalibrator quantizes as a plan without a calibrator does.
type rowsCalibrator struct{ calibrator }

func (c *rowsCalibrator) Quantize(ctx context.Context, w Weights) (*quant.Matrix, error) {
	m, err := w.Group(ctx)
	if c.bad != nil {
		return c.bad(m, err)
	}
	return m, err
}

// A calibrator gets the types of rows, also for experts.
func TestMixedCalibrator(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 8))
	source := openSource(t, append(model(1), random(r, "model.layers.0.mlp.experts.down_proj", "F32", 3, 24, 40))...)
	rules := mixedRules(source, 1)
	order := make([]uint8, 72)
	for i := range order {
		order[i] = uint8(i % 5 / 4)
	}
	rules.Mixed["model.layers.0.mlp.experts.down_proj"] = Mixed{Parts: []Part{{Type: datatype.Int4}, {Type: datatype.BitMoD3}}, Order: order}
	dirs := []string{t.TempDir(), t.TempDir()}
	for i, c := range []Calibrator{nil, &rowsCalibrator{calibrator{settings: "1"}}} {
		if _, err := plan(t, source, Options{Calibrator: c, Rules: rules}).Run(t.Context(), dirs[i], RunOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := open(t, dirs[0]), open(t, dirs[1])
	for _, x := range a.Tensors() {
		if x.Parts == nil { // of F64; a calibrator gets float32
			continue
		}
		m, err1 := a.Matrix(x.Name)
		n, err2 := b.Matrix(x.Name)
		if err := errors.Join(err1, err2); err != nil || !bytes.Equal(binaryForm(t, m), binaryForm(t, n)) {
			t.Errorf("%s: %v with a calibrator, %v without, %v", x.Name, n, m, err)
		}
	}
	if _, err := Verify(t.Context(), b, source, nil); err != nil {
		t.Error(err)
	}
	bad := &rowsCalibrator{calibrator{settings: "1", bad: func(m *quant.Matrix, err error) (*quant.Matrix, error) {
		if err != nil || m.Parts() < 2 {
			return m, err
		}
		order := bytes.Clone(m.Order())
		order[0], order[1] = order[1], order[0]
		if order[0] == order[1] {
			return nil, nil
		}
		return quant.NewMixed([]*quant.Matrix{m.Part(0), m.Part(1)}, order)
	}}}
	if _, err := plan(t, source, Options{Calibrator: bad, Rules: rules}).Run(t.Context(), t.TempDir(), RunOptions{}); !errors.Is(err, quant.ErrShape) {
		t.Errorf("other rows than were asked for: %v", err)
	}
}

func TestMixedRulesErrors(t *testing.T) {
	source := openSource(t, model(1)...)
	const name = "lm_head.weight"
	parts := []Part{{Type: datatype.BitMoD3}, {Type: datatype.BitMoD4}}
	order := make([]uint8, 50)
	for i, x := range []struct {
		name string
		m    Mixed
		want error
	}{
		{"none", Mixed{parts, order}, ErrNoTensor},
		{name, Mixed{nil, order}, quant.ErrShape},
		{name, Mixed{make([]Part, 257), order}, quant.ErrShape},
		{name, Mixed{parts, order[:49]}, quant.ErrShape},
		{name, Mixed{parts, append(make([]uint8, 49), 2)}, quant.ErrShape},
		{name, Mixed{[]Part{{Type: noType}}, order}, datatype.ErrUnknown},
		{name, Mixed{[]Part{{GroupSize: 7}}, order}, quant.ErrShape},
		{name, Mixed{append(parts, Part{Type: datatype.NVFP4}), order}, ErrUnsupported},
	} {
		_, err := NewPlan(source, Options{Rules: Rules{Mixed: map[string]Mixed{x.name: x.m}}})
		if at, ok := errors.AsType[*TensorError](err); !errors.Is(err, x.want) || !ok || at.Tensor != x.name {
			t.Errorf("case %d: %v, want %v", i, err, x.want)
		}
	}
	// Rows of the same type make a tensor of one type.
	p := plan(t, source, Options{Rules: Rules{Mixed: map[string]Mixed{name: {append(parts, parts[1]), bytes.Repeat([]byte{1, 2}, 25)}}}})
	for _, it := range p.Items() {
		if it.To.Name == name && (!it.To.Quantized || it.To.Parts != nil || fmt.Sprint(it.To.Type, it.To.GroupSize) != "bitmod4 128") {
			t.Errorf("%+v, want bitmod4 alone", it.To)
		}
	}
}
