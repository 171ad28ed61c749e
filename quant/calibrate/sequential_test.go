package calibrate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A chain is a network of square matrices. Each is multiplied by the output of the one
// before.
type chain struct {
	weights  map[string][]float32 // of steps "0", "1", …
	x        []float32
	was      []float32 // x of the original model, nil if unknown
	replaced map[string]*quant.Matrix
	calls    []string
}

const width = 16

func newChain(steps int) *chain {
	r := rand.New(rand.NewPCG(1, 2))
	c := &chain{weights: map[string][]float32{}, replaced: map[string]*quant.Matrix{}}
	for i := range steps {
		w := make([]float32, width*width)
		for j := range w {
			w[j] = float32(r.NormFloat64())
		}
		c.weights[fmt.Sprint(i)] = w
	}
	for i := range 40 * width {
		c.x = append(c.x, float32(r.NormFloat64())*float32(1+i%width))
	}
	return c
}

func (c *chain) Settings() string { return `{"texts":3}` }

func (c *chain) Find(tensor string, matrix int) Place {
	var step int
	if _, err := fmt.Sscan(tensor, &step); err != nil || matrix > 0 {
		return Place{Step: -1}
	}
	return Place{Step: step, Input: "input of " + tensor}
}

func (c *chain) Observe(_ context.Context, step int, see func(Inputs) error) error {
	c.calls = append(c.calls, fmt.Sprint("observe ", step))
	name := fmt.Sprint("input of ", step)
	first, rest := Inputs{Name: name, N: 1, X: c.x[:width]}, Inputs{Name: name, N: len(c.x)/width - 1, X: c.x[width:]}
	if c.was != nil {
		first.Lost, rest.Float = c.was[:width], c.was[width:]
	}
	return errors.Join(see(Inputs{Name: name}), see(first), see(rest))
}

func (c *chain) Replace(tensor string, _ int, m *quant.Matrix) error {
	c.calls = append(c.calls, "replace "+tensor)
	c.replaced[tensor] = m
	return nil
}

func (c *chain) Advance(_ context.Context, step int) error {
	c.calls = append(c.calls, fmt.Sprint("advance ", step))
	w := c.weights[fmt.Sprint(step)]
	if m := c.replaced[fmt.Sprint(step)]; m != nil {
		w = make([]float32, width*width)
		if err := m.Dequantize(w); err != nil {
			return err
		}
	}
	var y []float32
	for x := range slices.Chunk(c.x, width) {
		for row := range slices.Chunk(w, width) {
			var sum float32
			for i, v := range row {
				sum += float32(v * x[i])
			}
			y = append(y, sum)
		}
	}
	c.x = y
	return nil
}

func (c *chain) of(step int) checkpoint.Weights {
	name := fmt.Sprint(step)
	return checkpoint.Weights{Tensor: name, Float: c.weights[name], Cols: width, Configs: []quant.Config{{Type: datatype.BitMoD3, GroupSize: 8}}}
}

func TestSequential(t *testing.T) {
	c := newChain(4)
	o := GPTQ()
	var gains []Gain
	o.Report = func(g Gain) { gains = append(gains, g) }
	s := NewSequential(c, o)
	table := c.of(0)
	table.Tensor = "a table"
	got, err := s.Quantize(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := table.Group(t.Context()); !same(got, want) {
		t.Error("a table is quantized by what it is not multiplied by")
	}
	first, err := s.Quantize(t.Context(), c.of(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(t.Context(), "2", 0, first); err != nil {
		t.Fatal(err)
	}
	last, err := s.Quantize(t.Context(), c.of(3))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"replace a table", "observe 0", "replace 0", "advance 0", "advance 1", "replace 2", "advance 2", "observe 3", "replace 3"}
	if !slices.Equal(c.calls, want) {
		t.Errorf("calls %q, want %q", c.calls, want)
	}
	if _, err := s.Quantize(t.Context(), c.of(1)); !errors.Is(err, ErrOrder) {
		t.Errorf("a step that is over: %v", err)
	}
	if s.Order("2") != 2 || s.Order("x") != -1 {
		t.Errorf("order %d, %d", s.Order("2"), s.Order("x"))
	}

	// The same matrices, without a Sequential.
	by := newChain(4)
	by.replaced["0"], by.replaced["2"] = first, first
	var h *quant.Hessian
	for step := range 4 {
		if h, err = quant.NewHessian(width); err == nil {
			err = h.Add(by.x)
		}
		if err != nil {
			t.Fatal(err)
		}
		config := c.of(step).Configs[0]
		f := *GPTQ().Feedback
		f.Hessian = h
		config.Feedback = &f
		m, err := quant.Group(by.weights[fmt.Sprint(step)], width, config)
		if err != nil {
			t.Fatal(err)
		}
		if step == 0 && !same(m, first) || step == 3 && !same(m, last) {
			t.Errorf("step %d has another matrix", step)
		}
		if err := by.Advance(t.Context(), step); err != nil {
			t.Fatal(err)
		}
	}
	if len(gains) != 3 {
		t.Fatalf("gains %+v", gains)
	}
	if g := gains[0]; g != (Gain{Tensor: "a table", Step: -1}) {
		t.Errorf("gain of a table %+v", g)
	}
	g := gains[2]
	errs, err := quant.OutputErrors(c.weights["3"], last, h)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.
	for _, e := range errs {
		sum += e
	}
	if g.Tensor != "3" || g.Step != 3 || g.Vectors != 40 || g.Calibrated != sum || !(g.Calibrated < g.Plain) {
		t.Errorf("gain %+v, want an error of %g", g, sum)
	}
}

func same(a, b *quant.Matrix) bool {
	x, err1 := a.AppendBinary(nil)
	y, err2 := b.AppendBinary(nil)
	return err1 == nil && err2 == nil && slices.Equal(x, y)
}

func TestSequentialSettings(t *testing.T) {
	for _, x := range []struct {
		o    Options
		want string
	}{
		{Options{}, `{"sequential":{"texts":3}}`},
		{Options{Importance: true}, `{"importance":true,"sequential":{"texts":3}}`},
		{GPTQ(), `{"correction":0.5,"feedback":{"ActOrder":true,"Damping":0.003,"Shrinkage":0.3,"Sweeps":1},"sequential":{"texts":3}}`},
		{Options{Correction: 1}, `{"sequential":{"texts":3}}`},
		{Options{Feedback: &quant.Feedback{Damping: 0.5}}, `{"feedback":{"Damping":0.5},"sequential":{"texts":3}}`},
	} {
		if got := NewSequential(newChain(1), x.o).Settings(); got != x.want {
			t.Errorf("settings %s, want %s", got, x.want)
		}
	}
}

func TestOptionsConfig(t *testing.T) {
	h, err := quant.NewHessian(2)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Importance: true, Feedback: &quant.Feedback{Damping: 2}}
	if c := o.config(quant.Config{}, nil); c.Feedback != nil || c.Importance != nil {
		t.Errorf("without a Hessian %+v", c)
	}
	if c := o.config(quant.Config{}, h); c.Feedback != nil || c.Importance != nil {
		t.Errorf("without vectors %+v", c)
	}
	if err := h.Add([]float32{1, 2}); err != nil {
		t.Fatal(err)
	}
	c := o.config(quant.Config{Search: true}, h)
	if !c.Search || !slices.Equal(c.Importance, []float64{1, 4}) || *c.Feedback != (quant.Feedback{Hessian: h, Damping: 2}) || o.Feedback.Hessian != nil {
		t.Errorf("%+v", c)
	}
}

func TestSample(t *testing.T) {
	tokens := make([]int, 1000)
	for i := range tokens {
		tokens[i] = i
	}
	before, after := []int{-1, -2}, []int{-3}
	texts, err := Sample(tokens, before, after, 20, 13, 1)
	if err != nil || len(texts) != 20 {
		t.Fatalf("%d texts, %v", len(texts), err)
	}
	seen := map[int]bool{}
	for _, x := range texts {
		if len(x) != 13 || !slices.Equal(x[:2], before) || !slices.Equal(x[12:], after) {
			t.Errorf("text %d", x)
		}
		for i, token := range x[2:12] {
			if token != x[2]+i || seen[token] {
				t.Errorf("token %d of text %d", token, x)
			}
			seen[token] = true
		}
	}
	again, _ := Sample(tokens, before, after, 20, 13, 1)
	other, _ := Sample(tokens, before, after, 20, 13, 2)
	if slices.EqualFunc(texts, other, slices.Equal) || !slices.EqualFunc(texts, again, slices.Equal) {
		t.Error("texts do not depend on the seed alone")
	}
	if all, err := Sample(tokens, nil, nil, 1000, 300, 1); err != nil || len(all) != 3 {
		t.Errorf("%d texts of 300 of 1000 tokens, %v", len(all), err)
	}
	if one, err := Sample(tokens[:5], before, nil, 3, 300, 1); err != nil || len(one) != 1 || len(one[0]) != 7 {
		t.Errorf("texts %d of 5 tokens, %v", one, err)
	}
	for _, x := range []struct{ tokens, count, length int }{{0, 1, 5}, {9, 0, 5}, {9, 1, 3}} {
		if _, err := Sample(tokens[:x.tokens], before, after, x.count, x.length, 1); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%+v: %v", x, err)
		}
	}
}

// Corrections compensate losses in the layers before.
func TestSequentialCorrects(t *testing.T) {
	c := newChain(1)
	for _, x := range c.x {
		c.was = append(c.was, x*1.1)
	}
	got, err := NewSequential(c, GPTQ()).Quantize(t.Context(), c.of(0))
	if err != nil {
		t.Fatal(err)
	}
	o := GPTQ()
	f := *o.Feedback
	if f.Hessian, err = quant.NewHessian(width); err != nil {
		t.Fatal(err)
	}
	lost := quant.Lost{Share: o.Correction}
	if lost.Inputs, err = quant.NewCross(width, width); err == nil {
		lost.Outputs, err = quant.NewCross(width, width)
	}
	var d []float32
	for i, x := range c.was[width:] {
		d = append(d, x-c.x[width+i])
	}
	if err := errors.Join(err, f.Hessian.Add(c.x), lost.Inputs.Add(d, c.x[width:]), lost.Outputs.Add(c.was[:width], c.x[:width])); err != nil {
		t.Fatal(err)
	}
	w := c.of(0)
	if w.Float, err = f.Correct(t.Context(), w.Float, width, lost); err != nil {
		t.Fatal(err)
	}
	w.Configs[0].Feedback = &f
	if want, err := w.Group(t.Context()); err != nil || !same(got, want) {
		t.Errorf("the matrix is not of the corrected weights (%v)", err)
	}
	c.was = c.was[:len(c.was)-1]
	if _, err := NewSequential(c, GPTQ()).Quantize(t.Context(), c.of(0)); !errors.Is(err, quant.ErrShape) {
		t.Errorf("a vector too short: %v", err)
	}
}
