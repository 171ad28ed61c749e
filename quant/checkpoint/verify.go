package checkpoint

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"

	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// A Verification is the result of [Verify] for one tensor.
type Verification struct {
	Tensor
	// Stats has the choices of a quantized tensor and, if the original was given, its
	// error.
	Stats Stats
	// Bounded reports that only the error of a quantized tensor could be checked, as
	// for calibrated tensors. Other quantized tensors have exactly the codes that
	// quantizing the original gives.
	Bounded bool
	// Rounded reports that the tensor is not quantized, and has the original's elements
	// rounded to a type of fewer bits.
	Rounded bool
}

// Verify checks a quantized checkpoint: the checksums of all data, and that every code,
// selector and scale stands for something.
//
// If original is not nil, Verify also checks that c was made of it. Both must have the
// same tensors. Quantized tensors must have the right shape, and the codes that
// quantizing the original again gives. Other tensors must have the same elements, rounded
// if they are stored as a shorter type. A tensor that no [Plan] has made, that is
// calibrated, or that another version of this package made with Search, need not have
// these codes. Instead, it must have an error that is less than 20 dB above the error of
// plain quantization, and less than the original itself. The weights of another model do
// not have that. With an original, Verify takes about as long as quantizing.
//
// Verify continues after a tensor that is wrong. The error joins all errors
// ([ErrChecksum], [ErrOriginal], [quant.ErrFormat], [quant.ErrShape], [ErrNoTensor],
// each with the tensor), and the result has the tensors that are right. Memory is
// bounded as in [Plan.Run]. progress may be nil; it counts the bytes of c twice.
func Verify(ctx context.Context, c, original *Checkpoint, progress func(Progress)) ([]Verification, error) {
	if err := notNil(ctx, c); err != nil {
		return nil, err
	}
	const passes = 2
	m := &meter{report: progress}
	for _, t := range c.tensors {
		m.total += passes * t.Bytes
	}
	errs := []error{c.checkSums(ctx, m)}
	done := m.total / passes
	m.reach("", done)
	var found []Verification
	for _, t := range c.tensors {
		v := Verification{Tensor: t}
		var err error
		switch {
		case ctx.Err() != nil:
			return found, context.Cause(ctx)
		case t.Quantized:
			v.Stats, v.Bounded, err = compare(ctx, c, original, t, runtime.GOMAXPROCS(0), m, t.Bytes, original != nil)
		case original != nil:
			v.Rounded, err = sameElements(ctx, c, original, t, m)
		}
		done += t.Bytes
		m.reach(t.Name, done)
		if err != nil {
			errs = append(errs, tensorError(t.Name, err))
			continue
		}
		found = append(found, v)
	}
	if original != nil {
		for _, t := range original.tensors {
			if _, ok := c.byName[t.Name]; !ok {
				errs = append(errs, tensorError(t.Name, fmt.Errorf("it is in the original: %w", ErrNoTensor)))
			}
		}
	}
	if ctx.Err() != nil {
		return found, context.Cause(ctx)
	}
	return found, errors.Join(errs...)
}

// checkSums compares all data with the checksums of the headers, and joins all errors.
func (c *Checkpoint) checkSums(ctx context.Context, m *meter) error {
	var errs []error
	for i, set := range c.stored {
		h := c.headers[i]
		if h.sha256 == nil {
			errs = append(errs, fmt.Errorf("checkpoint: %s: %w: it has no checksums, so it is not a quantized checkpoint", set.Path(), quant.ErrFormat))
			continue
		}
		sums := maps.Clone(h.sha256)
		for _, t := range set.Tensors() {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := checkSum(ctx, set, t, sums[t.Name], m); err != nil {
				errs = append(errs, tensorError(t.Name, err))
			}
			delete(sums, t.Name)
		}
		for _, name := range slices.Sorted(maps.Keys(sums)) {
			errs = append(errs, badTensor(name, "it has a checksum, but no data"))
		}
	}
	return errors.Join(errs...)
}

func checkSum(ctx context.Context, f *safetensors.File, t safetensors.Tensor, want string, m *meter) error {
	if want == "" {
		return fmt.Errorf("%w: %w: there is none", quant.ErrFormat, ErrChecksum)
	}
	h := sha256.New()
	n, err := io.CopyBuffer(h, meteredReader{ctx, f.Section(t), t.Name, m}, make([]byte, 256<<10))
	if err == nil && n < t.Bytes() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("reading: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		return fmt.Errorf("%w: %w: the data is damaged (SHA-256 %.16s…, want %.16q…)", quant.ErrFormat, ErrChecksum, got, want)
	}
	return nil
}

// A meteredReader fails once ctx is done.
type meteredReader struct {
	ctx    context.Context
	r      io.Reader
	tensor string
	m      *meter
}

func (r meteredReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	n, err := r.r.Read(p)
	r.m.add(r.tensor, int64(n))
	return n, err
}

// compare validates a quantized tensor of c. If original is not nil, it measures the
// error. If remake is set, it also checks that the tensor was made of the original;
// bounded reports that only the error could be checked. The meter counts the bytes.
func compare(ctx context.Context, c, original *Checkpoint, t Tensor, workers int, m *meter, bytes int64, remake bool) (stats Stats, bounded bool, err error) {
	p := c.dataOf(t).(*packed)
	it := &Item{From: t, To: t}
	var d data
	if original != nil {
		o, ok := original.Tensor(t.Name)
		if !ok {
			return Stats{}, false, fmt.Errorf("the original: %w", ErrNoTensor)
		}
		if o.Quantized {
			return Stats{}, false, fmt.Errorf("%w: %w: it is already quantized in the given original, as %s", quant.ErrFormat, ErrOriginal, o.Type)
		}
		want := o.Shape
		if t.Transposed {
			want = swap(want)
		}
		if !slices.Equal(want, t.Shape) || !o.Float {
			return Stats{}, false, fmt.Errorf("%w: %v of %.40q, but the original is %v of %s", quant.ErrShape, t.Shape, t.Original, o.Shape, o.DType)
		}
		it.From = o
		d = original.dataOf(o)
	}
	var again *remaking
	if remake {
		if again, err = c.remaking(ctx, original, it.From, t, workers); err != nil {
			return Stats{}, false, tensorError(t.Name, fmt.Errorf("the original: %w", err))
		}
	}
	type found struct {
		Stats
		remade remadeSpan
	}
	var total Stats
	err = ordered(ctx, workers,
		func(_ context.Context, yield func(span) bool) error {
			spans(it, 0, yield)
			return nil
		},
		func() func(context.Context, span) (found, error) {
			var w32, row []float32
			var w64 []float64
			var q *quantizer
			if again != nil {
				q = again.quantizer()
			}
			return func(_ context.Context, s span) (f found, err error) {
				m, err := p.matrix(s.lo, s.hi, nil)
				if err != nil {
					return f, err
				}
				st := count(m, 0)
				if t.Parts != nil { // though these rows may be of one type
					st.Choices = []int64{}
				}
				switch {
				case d == nil:
				case it.From.DType == "F64":
					err = compareSpan(&st, d, &w64, grow(&row, p.cols), m, s)
				default:
					err = compareSpan(&st, d, &w32, grow(&row, p.cols), m, s)
				}
				f.Stats = st
				if err == nil && again != nil {
					f.remade, err = again.span(q, s, m)
				}
				return f, err
			}
		},
		func(s span, f found) error {
			total.Add(f.Stats)
			if again != nil {
				again.add(f.remade)
			}
			m.add(t.Name, share(bytes, t.Rows(), s.lo, s.hi))
			return nil
		})
	if err == nil && again != nil {
		err = again.check(t, total)
	}
	return total, again != nil && !again.exact, tensorError(t.Name, err)
}

func compareSpan[T float32 | float64](st *Stats, d data, buf *[]T, row []float32, m *quant.Matrix, s span) error {
	t := s.it.To
	w := grow(buf, (s.hi-s.lo)*t.Cols())
	if err := readRows(d, w, t.Shape[len(t.Shape)-2], t.Cols(), s.lo, s.hi, t.Transposed); err != nil {
		return err
	}
	return measure(st, w, m, 0, row)
}

// sameElements compares a tensor that is not quantized with the original. The tensor
// may have the elements in another type, rounded to nearest.
func sameElements(ctx context.Context, c, original *Checkpoint, t Tensor, m *meter) (rounded bool, err error) {
	o, ok := original.Tensor(t.Name)
	if !ok {
		return false, fmt.Errorf("the original: %w", ErrNoTensor)
	}
	if !slices.Equal(o.Shape, t.Shape) {
		return false, fmt.Errorf("%w: %v, but the original is %v", quant.ErrShape, t.Shape, o.Shape)
	}
	a, ok1 := c.dataOf(t).(raw)
	b, ok2 := original.dataOf(o).(raw)
	if ok1 && ok2 && t.DType == o.DType {
		return false, sameBytes(meteredReader{ctx, a.Bytes(), t.Name, m}, b.Bytes())
	}
	format, ok := floatFormat(t.DType)
	if !ok || !o.Float {
		return false, fmt.Errorf("%w: %s, but the original is %s", quant.ErrFormat, t.DType, o.DType)
	}
	x, y, r := make([]float64, blockWeights/8), make([]float64, blockWeights/8), make([]float64, blockWeights/8)
	var buf []byte
	for first := int64(0); first < t.Elements(); {
		if ctx.Err() != nil {
			return rounded, context.Cause(ctx)
		}
		n := min(int64(len(x)), t.Elements()-first)
		if err := errors.Join(c.dataOf(t).Read64(x[:n], first), original.dataOf(o).Read64(y[:n], first)); err != nil {
			return rounded, err
		}
		var bad int
		if buf, bad = rawfloat.Append(buf[:0], y[:n], format); bad >= 0 {
			return rounded, fmt.Errorf("%w: the original has %v, which is beyond the largest %s", quant.ErrFormat, y[bad], t.DType)
		}
		rawfloat.Decode(r[:n], buf, format)
		for i, v := range x[:n] {
			if v != r[i] && !(v != v && r[i] != r[i]) {
				return rounded, fmt.Errorf("%w: %w: element %d is %v, but %v in the original", quant.ErrFormat, ErrOriginal, first+int64(i), v, y[i])
			}
			rounded = rounded || v != y[i] && v == v
		}
		first += n
		m.add(t.Name, share(t.Bytes, t.Elements(), first-n, first))
	}
	return rounded, nil
}

func sameBytes(a, b io.Reader) error {
	x, y := make([]byte, 256<<10), make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err1 := io.ReadFull(a, x)
		m, err2 := io.ReadFull(b, y)
		if n != m || string(x[:n]) != string(y[:m]) {
			return fmt.Errorf("%w: %w: bytes differ from the original's after byte %d", quant.ErrFormat, ErrOriginal, at)
		}
		at += int64(n)
		if err1 == io.EOF || err1 == io.ErrUnexpectedEOF {
			return nil
		}
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("reading: %w", err)
		}
	}
}

// Stats counts the codebooks of the groups of a quantized tensor. It reads and
// validates the tensor, but not its checksums. The error matches [ErrNoTensor],
// [quant.ErrShape] if the tensor is not quantized, or [quant.ErrFormat].
func (c *Checkpoint) Stats(ctx context.Context, name string) (Stats, error) {
	if err := notNil(ctx, c); err != nil {
		return Stats{}, err
	}
	t, ok := c.Tensor(name)
	switch {
	case !ok:
		return Stats{}, &TensorError{name, ErrNoTensor}
	case !t.Quantized:
		return Stats{}, &TensorError{name, fmt.Errorf("%w: it is not quantized, but %s", quant.ErrShape, t.DType)}
	}
	s, _, err := compare(ctx, c, nil, t, runtime.GOMAXPROCS(0), new(meter), 0, false)
	return s, err
}
