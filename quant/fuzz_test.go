package quant

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

// fuzzFloats returns n numbers made of data, repeated if it is too short: float32 of raw
// bits, up to 2^60, or multiples of 1/16 below 8.
func fuzzFloats(data []byte, raw bool, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if raw {
			var b [4]byte
			for j := range b {
				b[j] = data[(4*i+j)%len(data)]
			}
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[:]))
			if !(math.Abs(float64(x[i])) <= 0x1p60) {
				x[i] = 1
			}
			continue
		}
		x[i] = float32(int8(data[i%len(data)])) / 16
	}
	return x
}

// algebraSets returns every set of loops that this processor can run, the portable ones
// first.
func algebraSets() []algebra.Set { return append([]algebra.Set{algebra.None}, algebra.Sets()...) }

// with returns h with another set of loops.
func (h *Hessian) with(set algebra.Set) *Hessian {
	return newHessian(h.cols, h.n, h.sums, set)
}

// FuzzHessian compares sums by tiles of every set of loops with plain sums.
func FuzzHessian(f *testing.F) {
	f.Add(uint8(70), uint8(9), false, []byte("0123456789abcdefghi"))
	f.Add(uint8(50), uint8(130), true, []byte("\x00\x00\x80\x3f\x01\x02\xc0\x3e\x40"))
	f.Fuzz(func(t *testing.T, cols, vectors uint8, raw bool, data []byte) {
		if cols == 0 || vectors == 0 || len(data) == 0 {
			t.Skip()
		}
		x := fuzzFloats(data, raw, int(cols)*int(vectors))
		want, err := NewHessian(int(cols))
		if err != nil {
			t.Fatal(err)
		}
		want.addPlain(x)
		for _, set := range algebraSets() {
			got, err := NewHessian(int(cols))
			if err != nil {
				t.Fatal(err)
			}
			got.set = set
			if err := got.Add(x); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.sums, want.sums) {
				t.Fatalf("%d vectors of %d: %v gives other sums", vectors, cols, set)
			}
		}
	})
}

// plainQuadratic is the definition of quadratic, for one vector.
func plainQuadratic(h *Hessian, e []float64) float64 {
	y := make([]float64, h.cols)
	for i, x := range e {
		for j := i + 1; j < h.cols; j++ {
			y[j] = math.FMA(-x, h.row(i)[j-i], y[j])
		}
	}
	sum := 0.0
	for i, x := range e {
		sum += float64(x * (float64(h.row(i)[0]*x) - 2*y[i]))
	}
	return max(sum/float64(h.n), 0)
}

// FuzzChannelScales compares the errors of outputs of every set of loops with their
// definition, and the error of the scales found with the error of a caller's scaled
// matrix.
func FuzzChannelScales(f *testing.F) {
	f.Add(uint8(3), uint8(70), uint8(9), uint8(0), false, []byte("0123456789abcdefghi"))
	f.Add(uint8(70), uint8(33), uint8(3), uint8(4), true, []byte("\x00\x00\x80\x3f\x01\x02\xc0\x3e\x40"))
	f.Fuzz(func(t *testing.T, rows, cols, vectors, typ uint8, raw bool, data []byte) {
		if vectors == 0 || len(data) == 0 || !datatype.Type(typ).Valid() || datatype.Type(typ).Bits() > 5 {
			t.Skip()
		}
		rows, cols = 1+rows%96, 1+cols%160
		n := int(cols)
		w, x := fuzzFloats(data, false, int(rows)*n), fuzzFloats(data[len(data)/2:], raw, int(vectors)*n)
		h, err := NewHessian(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Add(x); err != nil {
			t.Fatal(err)
		}
		c := Config{Type: datatype.Type(typ), GroupSize: 32}
		got, err := ChannelScales(w, n, c, h, nil)
		if err != nil {
			t.Fatal(err)
		}
		scaled := slices.Clone(w)
		for i := range scaled {
			scaled[i] *= got.Scales[i%n]
		}
		m, err := Group(scaled, n, c)
		if err != nil {
			t.Fatal(err)
		}
		sum, back := 0.0, make([]float32, n)
		for row := range int(rows) {
			if err := m.DequantizeRow(back, row); err != nil {
				t.Fatal(err)
			}
			e := make([]float64, n)
			for i := range e {
				e[i] = float64(w[row*n+i]) - float64(back[i])/float64(got.Scales[i])
			}
			sum += plainQuadratic(h, e)
		}
		if sum != got.Error || got.Error > got.Unscaled {
			t.Fatalf("error %v, want %v; %v without scales", got.Error, sum, got.Unscaled)
		}
		wide := make([]float64, len(w))
		widen(wide, any(w), 0)
		for _, set := range algebraSets() {
			errs, err := newOutputMeter(h.with(set), 1).errors(wide, 1, m, got.Scales)
			if err != nil {
				t.Fatal(err)
			}
			total := 0.0
			for _, e := range errs {
				total += e
			}
			if total != sum {
				t.Fatalf("%v: error %v, want %v", set, total, sum)
			}
		}
	})
}

// binaryForm returns what AppendBinary appends.
func binaryForm(t testing.TB, m *Matrix) []byte {
	t.Helper()
	b, err := m.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// FuzzFeedback compares blocks of rows and columns with the definition of feedback, and
// every set of loops with the portable ones. As in FuzzChannelScales, an input takes only
// some tens of milliseconds. With larger inputs, the fuzzer would take a process with
// little processor time for one that hangs.
func FuzzFeedback(f *testing.F) {
	for _, typ := range datatype.Types() {
		f.Add(uint8(typ), uint8(3), uint8(70), uint8(16), uint8(typ)%4, uint64(typ), []byte("0123456789abcdefghi"))
	}
	f.Fuzz(func(t *testing.T, typ, rows, cols, groupSize, mode uint8, seed uint64, data []byte) {
		if !datatype.Type(typ).Valid() || datatype.Type(typ).Bits() > 5 || rows == 0 || cols == 0 || groupSize < 8 || len(data) == 0 {
			t.Skip()
		}
		n := int(cols)
		r := rand.New(rand.NewPCG(seed, 1))
		w := make([]float64, int(rows%24+1)*n)
		for i := range w {
			w[i] = float64(int8(data[i%len(data)])) / 16
			if mode&4 == 0 {
				w[i] += r.NormFloat64()
			}
		}
		h := correlated(t, n, 1+int(seed%100)).with(algebra.None)
		c := Config{Type: datatype.Type(typ), GroupSize: int(groupSize), Workers: 1 + int(mode%3), Search: mode&1 > 0, Feedback: &Feedback{Hessian: h, ActOrder: mode&2 > 0}}
		got, err := Group(w, n, c)
		if err != nil {
			t.Skip(err) // the Hessian is singular
		}
		for _, set := range algebra.Sets() {
			c := c
			feedback := *c.Feedback
			feedback.Hessian = h.with(set)
			c.Feedback = &feedback
			m, err := Group(w, n, c)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(binaryForm(t, m), binaryForm(t, got)) {
				t.Fatalf("%v: %v gives another matrix", got, set)
			}
		}
		fac, err := newFactor(context.Background(), c.Feedback, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		c.Importance = scaledImportance(fac.importance())
		tensor := float32(1)
		if c.Type.Scale() == datatype.E4M3 {
			tensor = got.RowScale(0)
		}
		ch, err := newChooser(c.Type, c, tensor)
		if err != nil {
			t.Fatal(err)
		}
		codes := make([]uint8, n)
		for row := range got.rows {
			want, choices := plainFeedback(w[row*n:(row+1)*n], got, row, fac, ch)
			if err := got.Codes(codes, row); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(codes, want) {
				t.Fatalf("%v, row %d: codes differ", got, row)
			}
			for g, choice := range choices {
				if got.ScaleCode(row, g) != choice.Scale || got.Selector(row, g) != choice.Codebook {
					t.Fatalf("%v, row %d, group %d: %d of codebook %d, want %+v", got, row, g, got.ScaleCode(row, g), got.Selector(row, g), choice)
				}
			}
		}
	})
}
