package checkpoint

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// steps checks that progress advances at least once a block and ends at its total.
type steps struct {
	t    *testing.T
	last Progress
}

func (s *steps) update(p Progress) {
	const most = 2 << 20
	if p.Done < s.last.Done || p.Done-s.last.Done > most || p.Done > p.Total {
		s.t.Errorf("progress goes from %+v to %+v", s.last, p)
	}
	s.last = p
}

func (s *steps) end(what string, total int64) {
	s.t.Helper()
	if s.last.Done != total || s.last.Total != total {
		s.t.Errorf("%s: progress ends at %+v, want %d", what, s.last, total)
	}
	s.last = Progress{}
}

// TestProgress has a large tensor to copy, and one to quantize. NV types read the latter
// twice.
func TestProgress(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	src := openSource(t,
		random(r, "model.embed_tokens.weight", "F32", 1500, 1000),
		random(r, "up.weight", "BF16", 2900, 1001))
	const kept, bf16 = 4 * 1500 * 1000, 2 * 2900 * 1001
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.NVFP4} {
		total := int64(kept + bf16)
		if typ == datatype.NVFP4 {
			total += bf16
		}
		p := plan(t, src, Options{Config: quant.Config{Type: typ, Workers: 2}})
		s := &steps{t: t}
		dst := t.TempDir()
		run(t, p, dst, RunOptions{Progress: s.update})
		s.end("Run", total)

		q := open(t, dst)
		var stored int64
		for _, x := range q.Tensors() {
			stored += x.Bytes
		}
		if _, err := Verify(context.Background(), q, src, s.update); err != nil {
			t.Error(err)
		}
		s.end("Verify", 2*stored)
		if _, err := Merge(context.Background(), dst, s.update); err != nil {
			t.Error(err)
		}
		s.end("Merge", stored)
	}
}
