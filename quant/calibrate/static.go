package calibrate

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

type static struct {
	statistics *Statistics
	options    Options
	settings   string
}

// NewStatic returns a calibrator, for any number of runs, that quantizes each matrix by
// statistics of the model with float weights, which must not change any more. A matrix
// with moments alone gets an importance, for any options, and no feedback. A matrix
// without statistics is quantized as without a Calibrator.
func NewStatic(s *Statistics, o Options) checkpoint.Calibrator {
	h := sha256.New()
	for _, name := range s.Tensors() {
		h.Write([]byte(name))
		for _, in := range s.inputs[name] {
			if in == nil {
				h.Write([]byte{0})
				continue
			}
			sums, n := in.squares, in.vectors
			if in.hessian != nil {
				sums, n = in.hessian.Sums(), in.hessian.Vectors()
			}
			b := binary.LittleEndian.AppendUint64([]byte{1}, uint64(n))
			for _, v := range sums {
				b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
			}
			h.Write(b)
		}
	}
	o.Correction = 0 // losses are unknown
	m := o.settings()
	m["statistics"] = hex.EncodeToString(h.Sum(nil))
	return &static{s, o, jsonOf(m)}
}

func (s *static) Settings() string { return s.settings }

func (s *static) Order(string) int { return 0 }

func (s *static) Quantize(ctx context.Context, w checkpoint.Weights) (*quant.Matrix, error) {
	h := s.statistics.Hessian(w.Tensor, w.Matrix)
	configs := make([]quant.Config, len(w.Configs))
	for i, c := range w.Configs {
		if configs[i] = s.options.config(c, h); h == nil {
			configs[i].Importance = s.statistics.Importance(w.Tensor, w.Matrix)
		}
	}
	w.Configs = configs
	return w.Group(ctx)
}

func (s *static) Resume(context.Context, string, int, *quant.Matrix) error { return nil }
