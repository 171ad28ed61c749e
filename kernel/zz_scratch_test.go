package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/readsum"
	"github.com/bitmod-go/bitmod/quant"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

func cpuTime() float64 {
	var ru syscall.Rusage
	syscall.Getrusage(0, &ru) // RUSAGE_SELF
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

func TestScratch(t *testing.T) {
	runtime.LockOSThread()
	var mem guards
	r := rand.New(rand.NewPCG(1, 1))
	const rows, cols = 4096, 4096
	x := activations(r, cols, false)
	dst := make([]float32, rows*32)
	type cand struct {
		name string
		w    float64
		f    func(i int)
		res  []float64
	}
	var cs []*cand
	want := os.Getenv("SCRATCH")
	add := func(name string, w float64, f func(i int)) {
		if want != "" && !strings.Contains(name, "gonum") {
			ok := false
			for _, s := range strings.Split(want, ",") {
				ok = ok || strings.Contains(name, s)
			}
			if !ok {
				return
			}
		}
		cs = append(cs, &cand{name: name, w: w, f: f})
	}
	dense := make([][]float32, 5)
	for i := range dense {
		dense[i] = make([]float32, rows*cols)
		for j := range dense[i] {
			dense[i][j] = float32(j%17) - 8
		}
	}
	add("gonum", rows*cols, func(i int) {
		blas32.Gemv(blas.NoTrans, 1, blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: dense[i%len(dense)]}, blas32.Vector{N: cols, Inc: 1, Data: x}, 0, blas32.Vector{N: rows, Inc: 1, Data: dst[:rows]})
	})
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3, datatype.Int4, datatype.MXFP4, datatype.NVFP4, datatype.NF4, datatype.Int2} {
		for _, gs := range []int{128, 64, 32, 16} {
			if gs != typ.GroupSize() && typ != datatype.BitMoD4 && typ != datatype.BitMoD3 {
				continue
			}
			m := randomMatrix(&mem, r, typ, gs, rows, cols)
			p := newPlan(m)
			for _, impl := range implementations() {
				if impl == portable && gs != 128 {
					continue
				}
				var a, e Activation
				a.load(x, impl)
				add(fmt.Sprintf("%v/g%d/int/%v/cached", typ, gs, impl), rows*cols, func(int) { a.load(x, impl); p.multiply(dst, &a, 0, rows, impl) })
				if impl != portable {
					e.LoadFloat(x)
					add(fmt.Sprintf("%v/g%d/float/%v/cached", typ, gs, impl), rows*cols, func(int) { e.LoadFloat(x); p.multiply(dst, &e, 0, rows, impl) })
					as := make([]Activation, 32)
					for i := range as {
						as[i].load(activations(r, cols, false), impl)
					}
					add(fmt.Sprintf("%v/g%d/gemm32/%v", typ, gs, impl), 512*cols*32, func(int) { p.multiplyBatch(dst, as, 0, 512, impl) })
				}
			}
			if gs == 128 && (typ == datatype.BitMoD4 || typ == datatype.BitMoD3) {
				var ps []plan
				for range 24 {
					ps = append(ps, newPlan(randomCopy(m)))
				}
				var a Activation
				a.load(x, best)
				add(fmt.Sprintf("%v/g%d/int/%v/dram", typ, gs, best), rows*cols, func(i int) { a.load(x, best); ps[i%24].multiply(dst, &a, 0, rows, best) })
				add(fmt.Sprintf("%v/read/dram", typ), rows*cols, func(i int) { readsum.Sum(ps[i%24].s.Codes) })
			}
		}
	}
	X := activations(r, 32*cols, false)
	runtime.GOMAXPROCS(1)
	add("gonum/gemm32", 512*cols*32, func(i int) {
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, blas32.General{Rows: 32, Cols: cols, Stride: cols, Data: X}, blas32.General{Rows: 512, Cols: cols, Stride: cols, Data: dense[0][:512*cols]}, 0, blas32.General{Rows: 32, Cols: 512, Stride: 512, Data: dst[:32*512]})
	})
	for round := range 6 {
		for _, c := range cs {
			n := 0
			t0 := cpuTime()
			for cpuTime()-t0 < 0.05 {
				c.f(round*7 + n)
				n++
			}
			if round > 0 {
				c.res = append(c.res, c.w*float64(n)/(cpuTime()-t0)/1e9)
			}
		}
	}
	for _, c := range cs {
		slices.Sort(c.res)
		fmt.Printf("%-40s %8.2f %8.2f %8.2f Gw/s\n", c.name, c.res[0], c.res[len(c.res)/2], c.res[len(c.res)-1])
	}
}

func randomCopy(m *quant.Matrix) *quant.Matrix {
	s := m.Storage()
	c, err := quant.New(m.Type(), m.GroupSize(), m.Rows(), m.Cols(), quant.Storage{RowScales: slices.Clone(s.RowScales), Scales: slices.Clone(s.Scales), Selectors: slices.Clone(s.Selectors), Codes: slices.Clone(s.Codes)})
	if err != nil {
		panic(err)
	}
	return c
}
