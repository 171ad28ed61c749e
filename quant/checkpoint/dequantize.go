package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// DequantizeOptions say how a model is dequantized. The zero value is ready to
// use.
type DequantizeOptions struct {
	// DType is the type of the floats that are written: BF16, F16 or F32. "" means
	// BF16.
	DType string
	// ShardSize is the number of bytes of tensors that go into one file, 0 for
	// 2 GiB. A result that is one file has no shards.
	ShardSize int64
	// Workers is the number of goroutines, 0 for one per processor.
	Workers int
	// Overwrite is as in [RunOptions].
	Overwrite bool
	// Tool names the program, for the metadata of the result.
	Tool string
	// Progress is as in [RunOptions].
	Progress func(Progress)

	create atomicfile.Creator
}

// Dequantize writes the model c to dst, as [Plan.Run] does, but as plain floats, for
// other programs: ordinary safetensors files with the tensors' own names and
// orientation, and the companions of the model, with a config.json without
// quantization. It takes checkpoints in any form that [Open] reads.
//
// Tensors that are quantized, in any form, and all others of two or more dimensions get
// the type of the options, rounded to nearest, ties to even. A number beyond the type's
// largest is an error that matches [quant.ErrNotFinite] and names the place. Vectors,
// such as norms and biases, are not rounded: they get the type if that is exact, and
// otherwise keep their own. Tensors that are not of floats are copied.
//
// Memory is bounded as in Run. Files appear whole or not at all, and a second call
// continues after the files that are finished. The items of the result describe the
// tensors of the source and of the result.
func Dequantize(ctx context.Context, c *Checkpoint, dst string, o DequantizeOptions) (*Result, error) {
	if err := notNil(ctx, c); err != nil {
		return nil, err
	}
	p, err := dequantizePlan(c, dst, o)
	if err != nil {
		return nil, err
	}
	return p.Run(ctx, dst, RunOptions{Overwrite: o.Overwrite, Progress: o.Progress, create: o.create})
}

// dequantizePlan returns the plan of Dequantize.
func dequantizePlan(c *Checkpoint, dst string, o DequantizeOptions) (*Plan, error) {
	o.DType = cmp.Or(o.DType, "BF16")
	if _, ok := floatFormat(o.DType); !ok || o.DType == "F64" {
		return nil, fmt.Errorf("checkpoint: dequantizing to %.20q: %w: want BF16, F16 or F32", o.DType, ErrUnsupported)
	}
	if o.Workers < 0 || o.ShardSize < 0 {
		return nil, fmt.Errorf("checkpoint: %w: Workers or ShardSize below 0", quant.ErrShape)
	}
	if err := c.Readable(); err != nil {
		return nil, err
	}
	o.ShardSize = cmp.Or(o.ShardSize, 2<<30)
	if isFile(dst) {
		o.ShardSize = math.MaxInt64
	}
	p := &Plan{source: c, plain: true, options: Options{
		Config: quant.Config{Workers: cmp.Or(o.Workers, runtime.GOMAXPROCS(0))}, ShardSize: o.ShardSize, Parts: 1, Tool: o.Tool,
	}}
	var errs []error
	for _, t := range c.tensors {
		it, err := dequantizeItem(t, c.dataOf(t), o.DType)
		if err != nil {
			errs = append(errs, tensorError(t.Name, err))
		}
		p.items = append(p.items, it)
	}
	if err := joinLines(byType(c.path, errs)); err != nil {
		return nil, err
	}
	p.divide()
	p.settings = jsonString(struct {
		Tool      string `json:"tool,omitempty"`
		DType     string `json:"dequantized_to"`
		ShardSize int64  `json:"shard_size"`
	}{o.Tool, o.DType, o.ShardSize})
	var err error
	p.id, err = p.fingerprint()
	return p, err
}

// dequantizeItem decides about a tensor.
func dequantizeItem(t Tensor, d data, dtype string) (Item, error) {
	it := Item{From: t, To: Tensor{Name: t.Name, Shape: t.Shape, Role: t.Role, Float: t.Float, DType: dtype}}
	if t.Transposed {
		it.To.Shape = swap(t.Shape)
	}
	own, isFloat := floatFormat(t.DType)
	switch {
	case !t.Float:
		stored, err := copyDType(t, d)
		if err != nil {
			return it, err
		}
		it.To.DType = string(stored)
		it.Reason = "it has no floats"
	case isFloat && len(t.Shape) < 2 && !exact(own, dtype):
		it.To.DType = t.DType
		it.Reason = "a vector, which is not rounded"
	case t.DType == dtype:
		it.Reason = "it is already " + dtype
	}
	it.To.Bytes = (it.To.Elements()*int64(safetensors.DType(it.To.DType).Bits()) + 7) / 8
	return it, nil
}

// floatFormat returns the format of elements of a type that is not quantized.
func floatFormat(dtype string) (rawfloat.Format, bool) {
	f, ok := map[string]rawfloat.Format{"F64": rawfloat.F64, "F32": rawfloat.F32, "F16": rawfloat.F16, "BF16": rawfloat.BF16}[dtype]
	return f, ok
}

// exact reports whether the type to has every number of the format from.
func exact(from rawfloat.Format, to string) bool {
	f, _ := floatFormat(to)
	return f == from || f == rawfloat.F32 && from != rawfloat.F64
}

// converts reports whether a tensor will be stored as floats of another type.
func (it *Item) converts() bool {
	return !it.To.Quantized && it.From.Float && it.From.DType != it.To.DType && it.To.Elements() > 0
}

// A converter converts spans of a tensor to floats.
type converter struct {
	source *Checkpoint
	buf32  []float32
	row32  []float32
	buf64  []float64
	row64  []float64
}

// convert returns the bytes of rows of the result.
func (c *converter) convert(s span) ([]byte, error) {
	d := c.source.dataOf(s.it.From)
	var b []byte
	var err error
	if s.it.From.DType == "F64" {
		b, err = convertSpan(d, s, &c.buf64, &c.row64)
	} else {
		b, err = convertSpan(d, s, &c.buf32, &c.row32)
	}
	return b, tensorError(s.it.From.Name, err)
}

func convertSpan[T float32 | float64](d data, s span, buf, part *[]T) ([]byte, error) {
	cols := s.it.To.Cols()
	w := grow(buf, (s.hi-s.lo)*cols)
	if s.it.From.Transposed {
		if err := readTransposes(d, w, s, part); err != nil {
			return nil, err
		}
	} else if err := read(d, w, int64(s.lo)*int64(cols)); err != nil {
		return nil, err
	}
	format, ok := floatFormat(s.it.To.DType)
	if !ok {
		return nil, fmt.Errorf("%w as a result: %s", ErrUnsupported, s.it.To.DType)
	}
	b, bad := rawfloat.Append(make([]byte, 0, len(w)*format.Size()), w, format)
	if bad >= 0 {
		return nil, fmt.Errorf("%w: %v at row %d, column %d is beyond the largest %s", quant.ErrNotFinite, w[bad], s.lo+bad/cols, bad%cols, s.it.To.DType)
	}
	return b, nil
}

// readTransposes reads rows of the transposes of a tensor's matrices, which are its
// last two dimensions. Each span takes a pass over a whole matrix.
func readTransposes[T float32 | float64](d data, w []T, s span, part *[]T) error {
	height, width := s.it.To.Cols(), s.it.From.Cols() // of a matrix as it is stored
	step := blockRows(width)
	block := grow(part, min(step, height)*width)
	for lo := s.lo; lo < s.hi; {
		matrix := lo / width
		hi := min(s.hi, (matrix+1)*width)
		for row := 0; row < height; row += step {
			n := min(step, height-row)
			if err := read(d, block[:n*width], (int64(matrix)*int64(height)+int64(row))*int64(width)); err != nil {
				return err
			}
			for col := lo; col < hi; col++ {
				out := w[(col-s.lo)*height+row:][:n]
				for i := range out {
					out[i] = block[i*width+col-matrix*width]
				}
			}
		}
		lo = hi
	}
	return nil
}

// plainMetadata changes the metadata of a source for a file of plain floats, so that
// other programs take it for an ordinary file.
func plainMetadata(m map[string]string) {
	for k := range m {
		if strings.HasPrefix(k, "gguf.") {
			delete(m, k)
		}
	}
	m["format"] = "pt"
}
