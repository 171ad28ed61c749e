package kernel

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/hugepage"
	"github.com/bitmod-go/bitmod/internal/readsum"
	"github.com/bitmod-go/bitmod/quant"
)

// memory is the number of bytes of weights that a benchmark cycles through, so that they
// come from memory and not from a cache. Short benchmarks use less.
func memory() int {
	if testing.Short() {
		return 1 << 20
	}
	return 1 << 30
}

// Names are for benchstat -col /impl and the like. The cases of BenchmarkGEMV called dram
// cycle through 1 GiB of weights. Their "bandwidth" is the rate at which bytes of weights
// are multiplied, relative to the rate at which the same number of threads reads them.

func BenchmarkGEMV(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		typ        datatype.Type
		groupSize  int
		rows, cols int
		dram       bool
	}{
		{datatype.BitMoD4, 128, 4096, 4096, true},
		{datatype.BitMoD3, 128, 4096, 4096, true},
		{datatype.BitMoD4, 128, 4096, 4096, false},
		{datatype.BitMoD3, 128, 4096, 4096, false},
		{datatype.BitMoD4, 128, 512, 2048, false},
		{datatype.BitMoD4, 128, 4096, 11008, false},
		{datatype.BitMoD3, 128, 4096, 11008, false},
		{datatype.BitMoD4, 128, 172, 64, false},
		{datatype.BitMoD4, 128, 64, 172, false},
		{datatype.BitMoD3, 128, 64, 172, false},
		{datatype.BitMoD4, 64, 4096, 4096, false},
		{datatype.BitMoD4, 32, 4096, 4096, false},
		{datatype.Int4, 128, 4096, 4096, false},
		{datatype.Int4Asym, 128, 4096, 4096, false},
		{datatype.Int2, 128, 4096, 4096, false},
		{datatype.MXFP4, 32, 4096, 4096, false},
		{datatype.NVFP4, 16, 4096, 4096, false},
		{datatype.NF4, 128, 4096, 4096, false},
		{datatype.Int8, 128, 1024, 4096, false},
		{datatype.Int6, 128, 1024, 4096, false},
		{datatype.FP6E3M2, 128, 1024, 4096, false},
	} {
		from := "cached"
		if c.dram {
			from = "dram"
		}
		if testing.Short() {
			c.rows = 64
		}
		b.Run(fmt.Sprintf("type=%v/group=%d/shape=%dx%d/memory=%s", c.typ, c.groupSize, c.rows, c.cols, from), func(b *testing.B) {
			m := normalMatrix(b, r, c.typ, c.groupSize, c.rows, c.cols)
			ms := []*quant.Matrix{m}
			for c.dram && len(ms)*m.Bytes() < memory() {
				ms = append(ms, clone(m))
			}
			x := activations(r, c.cols, false)
			for mode := range floatMode + 1 {
				for _, impl := range implementations() {
					b.Run(fmt.Sprintf("x=%v/threads=1/impl=%v", mode, impl), func(b *testing.B) {
						benchmarkGEMV(b, ms, x, mode, 1, func(dst []float32, m *quant.Matrix, a *Activation) {
							p := newPlan(m)
							p.multiply(dst, a, 0, p.rows, impl)
						}, impl)
					})
				}
			}
			pl, err := NewPool(2)
			if err != nil {
				b.Fatal(err)
			}
			defer pl.Close()
			b.Run(fmt.Sprintf("x=int8/threads=2/impl=%v", best), func(b *testing.B) {
				benchmarkGEMV(b, ms, x, int8Mode, 2, func(dst []float32, m *quant.Matrix, a *Activation) {
					if err := pl.GEMV(dst, m, a); err != nil {
						b.Fatal(err)
					}
				}, best)
			})
		})
	}
}

// normalMatrix returns a matrix of normal weights. Random scales would be subnormal too
// often, which slows products.
func normalMatrix(b *testing.B, r *rand.Rand, typ datatype.Type, groupSize, rows, cols int) *quant.Matrix {
	b.Helper()
	w := make([]float32, rows*cols)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	m, err := quant.Group(w, cols, quant.Config{Type: typ, GroupSize: groupSize})
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func benchmarkGEMV(b *testing.B, ms []*quant.Matrix, x []float32, mode mode, threads int, gemv func([]float32, *quant.Matrix, *Activation), impl implementation) {
	m := ms[0]
	dst := make([]float32, m.Rows())
	var a Activation
	i := 0
	for b.Loop() {
		if err := a.loadMode(x, mode, impl); err != nil {
			b.Fatal(err)
		}
		gemv(dst, ms[i%len(ms)], &a)
		i++
	}
	rate := float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate*float64(m.Rows())*float64(m.Cols()), "weights/s")
	b.ReportMetric(rate*float64(m.Bytes()), "B/s")
	if len(ms) > 1 {
		b.ReportMetric(rate*float64(m.Bytes())/readBandwidth(ms, threads), "bandwidth")
	}
}

// readBandwidth returns the bytes per second at which the given number of threads reads
// the codes of matrices.
func readBandwidth(ms []*quant.Matrix, threads int) float64 {
	var rates []float64
	for range 5 {
		start, bytes := time.Now(), 0
		done := make(chan bool, threads)
		for t := range threads {
			go func() {
				for i := range min(len(ms), 24) {
					codes := ms[i].Storage().Codes
					readsum.Sum(codes[t*len(codes)/threads : (t+1)*len(codes)/threads])
				}
				done <- true
			}()
		}
		for range threads {
			<-done
		}
		for i := range min(len(ms), 24) {
			bytes += len(ms[i].Storage().Codes)
		}
		rates = append(rates, float64(bytes)/time.Since(start).Seconds())
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

func BenchmarkGEMM(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 3))
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3} {
		const rows, cols = 512, 4096
		var mem guards
		m := randomMatrix(&mem, r, typ, 128, rows, cols)
		for _, batch := range []int{32, 512} {
			as := make([]Activation, batch)
			x := activations(r, cols, false)
			for i := range as {
				if err := as[i].Load(x); err != nil {
					b.Fatal(err)
				}
			}
			dst := make([]float32, rows*batch)
			for _, impl := range implementations() {
				if impl == portable && best != portable {
					continue
				}
				b.Run(fmt.Sprintf("type=%v/shape=%dx%d/batch=%d/threads=1/impl=%v", typ, rows, cols, batch, impl), func(b *testing.B) {
					p := newPlan(m)
					for b.Loop() {
						p.multiplyBatch(dst, as, 0, rows, impl)
					}
					b.ReportMetric(float64(b.N)*float64(rows*cols*batch)/b.Elapsed().Seconds(), "products/s")
				})
			}
		}
		mem.free()
	}
}

// BenchmarkWidths multiplies matrices of the widths of published models by one vector,
// from the cache, with the best loops of the processor.
func BenchmarkWidths(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 4))
	for _, c := range benchmarkTypes {
		for _, cols := range []int{384, 512, 576, 768, 896, 960, 1024, 1536, 2048, 2880, 4096, 4864, 8960} {
			rows := max(64, 300_000/cols&^63)
			if testing.Short() {
				rows = 64
			}
			ms := []*quant.Matrix{normalMatrix(b, r, c.typ, c.groupSize, rows, cols)}
			x := activations(r, cols, false)
			for _, mode := range []mode{int8Mode, floatMode} {
				b.Run(fmt.Sprintf("type=%v/group=%d/x=%v/cols=%d", c.typ, c.groupSize, mode, cols), func(b *testing.B) {
					benchmarkGEMV(b, ms, x, mode, 1, func(dst []float32, m *quant.Matrix, a *Activation) {
						if err := GEMV(dst, m, a); err != nil {
							b.Fatal(err)
						}
					}, best)
				})
			}
		}
	}
}

// BenchmarkBatches multiplies matrices by batches, on one thread. A batch of 1 is GEMV.
func BenchmarkBatches(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 5))
	for _, c := range benchmarkTypes {
		for _, cols := range []int{576, 4096} {
			rows := 1024
			if testing.Short() {
				rows = 64
			}
			m := normalMatrix(b, r, c.typ, c.groupSize, rows, cols)
			as := make([]Activation, 512)
			dst := make([]float32, rows*len(as))
			for _, mode := range []mode{int8Mode, floatMode} {
				for i := range as {
					if err := as[i].loadMode(activations(r, cols, false), mode, best); err != nil {
						b.Fatal(err)
					}
				}
				for _, n := range []int{1, 2, 4, 8, 16, 32, 128, 512} {
					b.Run(fmt.Sprintf("type=%v/group=%d/cols=%d/x=%v/batch=%d", c.typ, c.groupSize, cols, mode, n), func(b *testing.B) {
						for b.Loop() {
							if err := GEMM(dst[:rows*n], m, as[:n]); err != nil {
								b.Fatal(err)
							}
						}
						b.ReportMetric(float64(b.N)*float64(rows*cols*n)/b.Elapsed().Seconds(), "products/s")
					})
				}
			}
		}
	}
}

// benchmarkTypes are types and group sizes with different loops.
var benchmarkTypes = []struct {
	typ       datatype.Type
	groupSize int
}{
	{datatype.BitMoD4, 128}, {datatype.BitMoD4, 64}, {datatype.BitMoD4, 32},
	{datatype.BitMoD3, 128}, {datatype.BitMoD3, 64}, {datatype.BitMoD3, 32},
	{datatype.Int4Asym, 128}, {datatype.NF4, 64}, {datatype.MXFP4, 32}, {datatype.NVFP4, 16},
	{datatype.Int8, 128}, {datatype.Int8, 32}, {datatype.Int6, 128}, {datatype.FP5E2M2, 128}, {datatype.FP6E2M3, 128},
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{512, 576, 600, 2048, 4096} {
		x := activations(rand.New(rand.NewPCG(1, 4)), n, false)
		for _, impl := range implementations() {
			for _, mode := range []mode{int8Mode, floatMode} {
				b.Run(fmt.Sprintf("x=%v/cols=%d/impl=%v", mode, n, impl), func(b *testing.B) {
					var a Activation
					for b.Loop() {
						if err := a.loadMode(x, mode, impl); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

// BenchmarkPool measures the cost of sharing: products on one goroutine and on one for
// each processor. Sizes begin at 64 rows of 64 columns, which a pool does not share, and
// end at some tens of microseconds. The pause between products is none, as between the
// layers of a model, or so long that the workers sleep.
func BenchmarkPool(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 5))
	pl, err := NewPool(runtime.GOMAXPROCS(0))
	if err != nil {
		b.Fatal(err)
	}
	defer pl.Close()
	for _, n := range []int{64, 320, 384, 448, 576, 1024, 2048} {
		m := normalMatrix(b, r, datatype.BitMoD4, 128, n, n)
		var a Activation
		if err := a.Load(activations(r, n, false)); err != nil {
			b.Fatal(err)
		}
		dst := make([]float32, n)
		for _, c := range []struct {
			name string
			gemv func([]float32, *quant.Matrix, *Activation) error
			idle time.Duration
		}{{"goroutines=1", GEMV, 0}, {"goroutines=all", pl.GEMV, 0}, {"goroutines=all/sleep=1ms", pl.GEMV, time.Millisecond}} {
			b.Run(fmt.Sprintf("shape=%dx%d/%s", n, n, c.name), func(b *testing.B) {
				var all time.Duration
				for b.Loop() {
					start := time.Now()
					if err := c.gemv(dst, m, &a); err != nil {
						b.Fatal(err)
					}
					all += time.Since(start)
					if c.idle > 0 {
						time.Sleep(c.idle)
					}
				}
				b.ReportMetric(float64(all.Nanoseconds())/float64(b.N), "ns/gemv")
			})
		}
	}
}

// clone returns a copy in memory of the kind that [quant.Group] takes.
func clone(m *quant.Matrix) *quant.Matrix {
	s := m.Storage()
	codes := hugepage.Bytes(len(s.Codes))
	copy(codes, s.Codes)
	c, err := quant.New(m.Type(), m.GroupSize(), m.Rows(), m.Cols(), quant.Storage{
		RowScales: slices.Clone(s.RowScales),
		Scales:    slices.Clone(s.Scales),
		Selectors: slices.Clone(s.Selectors),
		Codes:     codes,
	})
	if err != nil {
		panic(err)
	}
	return c
}

// BenchmarkModes compares products after Load16 and LoadFloat with products after Load,
// by turns. It reports weights per second after Load, and the medians of the other two
// relative to it.
func BenchmarkModes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 6))
	for _, c := range []struct {
		typ        datatype.Type
		groupSize  int
		rows, cols int
		dram       bool
	}{
		{datatype.BitMoD4, 128, 576, 576, false},
		{datatype.BitMoD3, 128, 576, 576, false},
		{datatype.BitMoD4, 32, 576, 576, false},
		{datatype.BitMoD4, 128, 1024, 4096, false},
		{datatype.BitMoD3, 128, 1024, 4096, false},
		{datatype.BitMoD4, 32, 1024, 4096, false},
		{datatype.BitMoD4, 128, 4096, 4096, true},
		{datatype.BitMoD3, 128, 4096, 4096, true},
		{datatype.BitMoD4, 32, 4096, 4096, true},
	} {
		m := normalMatrix(b, r, c.typ, c.groupSize, c.rows, c.cols)
		ms := []*quant.Matrix{m}
		from := "cached"
		if c.dram {
			from = "dram"
			for len(ms)*m.Bytes() < memory()/4 {
				ms = append(ms, clone(m))
			}
		}
		x := activations(r, c.cols, false)
		for _, impl := range implementations() {
			if impl == portable && c.dram {
				continue // its speed does not depend on memory
			}
			b.Run(fmt.Sprintf("type=%v/group=%d/shape=%dx%d/memory=%s/impl=%v", c.typ, c.groupSize, c.rows, c.cols, from, impl), func(b *testing.B) {
				var times [floatMode + 1][]float64
				var ratios [floatMode + 1][]float64
				var a Activation
				dst := make([]float32, c.rows)
				at := 0
				for b.Loop() {
					for mode := range floatMode + 1 {
						start := time.Now()
						if err := a.loadMode(x, mode, impl); err != nil {
							b.Fatal(err)
						}
						p := newPlan(ms[at%len(ms)])
						p.multiply(dst, &a, 0, c.rows, impl)
						times[mode] = append(times[mode], time.Since(start).Seconds())
						at++
					}
					for mode := range times {
						n := len(times[mode]) - 1
						ratios[mode] = append(ratios[mode], times[int8Mode][n]/times[mode][n])
					}
				}
				median := func(v []float64) float64 {
					slices.Sort(v)
					return v[len(v)/2]
				}
				b.ReportMetric(float64(c.rows*c.cols)/median(times[int8Mode])/1e9, "Gweights/s")
				b.ReportMetric(median(ratios[int16Mode]), "int16")
				b.ReportMetric(median(ratios[floatMode]), "float32")
			})
		}
	}
}
