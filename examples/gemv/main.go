// Gemv measures how fast packed matrices multiply a vector on this machine, beside
// gonum's float32 and the speed of memory.
//
//	go run ./examples/gemv
//	go run -tags purego ./examples/gemv   # the portable loops
//	go run ./examples/gemv -rounds 15 -rows 2048 -cols 8192
//
// "bitmod4 / gonum" is the gain. If "bitmod4 / read bitmod4" is 1, the product takes as
// long as reading its weights from memory, and no kernel can be faster.
//
// All candidates take turns: if the machine slows down, it does so for all of them. Each
// line of ratios compares two candidates in the same turn, and has the least, median and
// greatest ratio over all turns. Times include loading the activations.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/readsum"
	"github.com/bitmod-go/bitmod/kernel"
	"github.com/bitmod-go/bitmod/quant"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

const usage = `usage: go run ./examples/gemv [flags]

Measures GEMV and GEMM beside gonum's float32, and beside reading the weights alone.
`

type options struct {
	rounds, rows, cols, memory int
	turn                       time.Duration
	batch, json                bool
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("gemv", flag.ContinueOnError)
	fs.IntVar(&o.rounds, "rounds", 5, "number of turns")
	fs.DurationVar(&o.turn, "turn", 60*time.Millisecond, "minimum time of each candidate in a turn")
	fs.IntVar(&o.rows, "rows", 4096, "rows of the large matrix")
	fs.IntVar(&o.cols, "cols", 4096, "columns of the large matrix")
	fs.IntVar(&o.memory, "memory", 1<<30, "bytes of weights to cycle through, so that they come from memory")
	fs.BoolVar(&o.batch, "batch", true, "also measure GEMM")
	fs.BoolVar(&o.json, "json", false, "print a JSON object")
	if _, err := cli.Parse(fs, usage, args, stderr); err != nil {
		return nil, err
	}
	if o.rounds < 1 || o.rows < 1 || o.cols < 1 {
		return nil, cli.Usagef("-rounds, -rows and -cols must be at least 1")
	}
	return o, nil
}

func main() { cli.Main("gemv", run) }

// A candidate is something to measure: f does the work once, and gets a number that
// goes up.
type candidate struct {
	name    string
	work    float64 // products
	bytes   float64 // of weights that it reads
	f       func(i int) error
	seconds []float64 // for one f, by turn
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	const smallRows, smallCols = 512, 2048
	r := rand.New(rand.NewPCG(1, 2))
	weights := normals(r, o.rows*o.cols)
	x := normals(r, o.cols)
	y := make([]float32, o.rows)
	pool, err := kernel.NewPool(2)
	if err != nil {
		return err
	}
	defer pool.Close()

	var cs []*candidate
	add := func(name string, work, bytes int, f func(i int) error) {
		cs = append(cs, &candidate{name: name, work: float64(work), bytes: float64(bytes), f: f})
	}
	n := len(weights)
	dense := copies(weights, max(1, o.memory/(4*n)))
	add("gonum", n, 4*n, func(i int) error {
		a := blas32.General{Rows: o.rows, Cols: o.cols, Stride: o.cols, Data: dense[i%len(dense)]}
		blas32.Gemv(blas.NoTrans, 1, a, blas32.Vector{N: o.cols, Inc: 1, Data: x}, 0, blas32.Vector{N: o.rows, Inc: 1, Data: y})
		return nil
	})
	var a, exact kernel.Activation
	for _, typ := range []datatype.Type{datatype.BitMoD4, datatype.BitMoD3} {
		m, err := quant.Group(weights, o.cols, quant.Config{Type: typ})
		if err != nil {
			return err
		}
		ms := matrices(m, max(1, o.memory/m.Bytes()))
		name := typ.String()
		add(name, n, m.Bytes(), func(i int) error {
			if err := a.Load(x); err != nil {
				return err
			}
			return kernel.GEMV(y, ms[i%len(ms)], &a)
		})
		add(name+" ×2", n, m.Bytes(), func(i int) error {
			if err := a.Load(x); err != nil {
				return err
			}
			return pool.GEMV(y, ms[i%len(ms)], &a)
		})
		add(name+" float", n, m.Bytes(), func(i int) error {
			if err := exact.LoadFloat(x); err != nil {
				return err
			}
			return kernel.GEMV(y, ms[i%len(ms)], &exact)
		})
		add(name+" cached", n, m.Bytes(), func(i int) error {
			if err := a.Load(x); err != nil {
				return err
			}
			return kernel.GEMV(y, m, &a)
		})
		add("read "+name, n, m.Bytes(), func(i int) error {
			s := ms[i%len(ms)].Storage()
			readsum.Sum(s.Codes)
			readsum.Sum(s.Scales)
			readsum.Sum(s.Selectors)
			return nil
		})
		add("read "+name+" ×2", n, m.Bytes(), func(i int) error {
			s := ms[i%len(ms)].Storage()
			half := len(s.Codes) / 2
			var wg sync.WaitGroup
			wg.Go(func() { readsum.Sum(s.Codes[half:]) })
			readsum.Sum(s.Codes[:half])
			readsum.Sum(s.Scales)
			readsum.Sum(s.Selectors)
			wg.Wait()
			return nil
		})
	}
	smallX, smallY := normals(r, smallCols), make([]float32, smallRows)
	small, err := quant.Group(normals(r, smallRows*smallCols), smallCols, quant.Config{})
	if err != nil {
		return err
	}
	add("small", smallRows*smallCols, small.Bytes(), func(int) error {
		if err := a.Load(smallX); err != nil {
			return err
		}
		return kernel.GEMV(smallY, small, &a)
	})
	add("small ×2", smallRows*smallCols, small.Bytes(), func(int) error {
		if err := a.Load(smallX); err != nil {
			return err
		}
		return pool.GEMV(smallY, small, &a)
	})
	if o.batch {
		if err := addBatches(add, r, weights, o.cols); err != nil {
			return err
		}
	}
	if err := measure(ctx, cs, o); err != nil {
		return err
	}
	res := summary(cs)
	if o.json {
		return json.NewEncoder(stdout).Encode(res)
	}
	return res.print(stdout)
}

// addBatches adds the candidates of GEMM, on a part of the large matrix.
func addBatches(add func(string, int, int, func(int) error), r *rand.Rand, weights []float32, cols int) error {
	rows := min(len(weights)/cols, 512)
	weights = weights[:rows*cols]
	m, err := quant.Group(weights, cols, quant.Config{})
	if err != nil {
		return err
	}
	for _, tokens := range []int{32, 512} {
		x := normals(r, tokens*cols)
		dst := make([]float32, tokens*rows)
		as := make([]kernel.Activation, tokens)
		work := tokens * len(weights)
		add(fmt.Sprint("gonum GEMM ", tokens), work, 4*len(weights), func(int) error {
			// Otherwise it uses all processors.
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			blas32.Gemm(blas.NoTrans, blas.Trans, 1,
				blas32.General{Rows: tokens, Cols: cols, Stride: cols, Data: x},
				blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: weights}, 0,
				blas32.General{Rows: tokens, Cols: rows, Stride: rows, Data: dst})
			return nil
		})
		add(fmt.Sprint("bitmod4 GEMM ", tokens), work, m.Bytes(), func(int) error {
			if err := kernel.LoadBatch(as, x, (*kernel.Activation).Load); err != nil {
				return err
			}
			return kernel.GEMM(dst, m, as)
		})
	}
	return nil
}

func measure(ctx context.Context, cs []*candidate, o *options) error {
	for round := range o.rounds + 1 {
		for _, c := range cs {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			count, start := 0, time.Now()
			for count == 0 || time.Since(start) < o.turn {
				if err := c.f(round*1000 + count); err != nil {
					return err
				}
				count++
			}
			if round > 0 { // the first warms up
				c.seconds = append(c.seconds, time.Since(start).Seconds()/float64(count))
			}
		}
	}
	return nil
}

// A result is everything that is printed. With -json it is printed as an object.
type result struct {
	Implementation string
	Rates          []rate
	Ratios         []ratio
}

// A rate is the median of a candidate.
type rate struct {
	Name         string
	Milliseconds float64
	Gweights     float64 // products a second, in 10⁹
	GB           float64 // of weights read a second
}

// A ratio is the speed of a candidate relative to another in the same turn.
type ratio struct {
	Name, To         string
	Min, Median, Max float64
}

func summary(cs []*candidate) result {
	res := result{Implementation: kernel.Implementation()}
	byName := map[string]*candidate{}
	for _, c := range cs {
		byName[c.name] = c
		s := cli.Median(c.seconds)
		res.Rates = append(res.Rates, rate{c.name, s * 1e3, c.work / s / 1e9, c.bytes / s / 1e9})
	}
	for _, pair := range [][2]string{
		{"bitmod4", "gonum"}, {"bitmod3", "gonum"}, {"bitmod4 float", "gonum"}, {"bitmod3 float", "gonum"},
		{"bitmod4", "read bitmod4"}, {"bitmod3", "read bitmod3"},
		{"bitmod4 float", "read bitmod4"}, {"bitmod3 float", "read bitmod3"},
		{"bitmod4 ×2", "read bitmod4 ×2"}, {"bitmod3 ×2", "read bitmod3 ×2"},
		{"bitmod4 ×2", "bitmod4"}, {"bitmod3 ×2", "bitmod3"}, {"small ×2", "small"},
		{"bitmod4 cached", "bitmod4"}, {"bitmod3 cached", "bitmod3"},
		{"bitmod4 GEMM 32", "gonum GEMM 32"}, {"bitmod4 GEMM 512", "gonum GEMM 512"},
	} {
		a, b := byName[pair[0]], byName[pair[1]]
		if a == nil || b == nil {
			continue
		}
		var ratios []float64
		for i := range a.seconds {
			ratios = append(ratios, b.seconds[i]/b.work/(a.seconds[i]/a.work))
		}
		res.Ratios = append(res.Ratios, ratio{a.name, b.name, slices.Min(ratios), cli.Median(ratios), slices.Max(ratios)})
	}
	return res
}

func (res result) print(out io.Writer) error {
	fmt.Fprintf(out, "%s/%s, %d CPUs, %s, kernel: %s\n\n", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), res.Implementation)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tms\tGweights/s\tGB/s\t")
	for _, r := range res.Rates {
		fmt.Fprintf(w, "%s\t%.3f\t%.2f\t%.2f\t\n", r.Name, r.Milliseconds, r.Gweights, r.GB)
	}
	fmt.Fprintln(w, "\t\t\t\t")
	fmt.Fprintln(w, "ratio\tmin\tmedian\tmax\t")
	for _, r := range res.Ratios {
		fmt.Fprintf(w, "%s / %s\t%.2f\t%.2f\t%.2f\t\n", r.Name, r.To, r.Min, r.Median, r.Max)
	}
	return w.Flush()
}

func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

func copies(w []float32, n int) [][]float32 {
	cs := [][]float32{w}
	for len(cs) < n {
		cs = append(cs, slices.Clone(w))
	}
	return cs
}

// matrices returns n copies of m, in memory of the same kind, so that they aren't in the
// cache when their turn comes.
func matrices(m *quant.Matrix, n int) []*quant.Matrix {
	data, err := m.MarshalBinary()
	if err != nil {
		panic(err)
	}
	ms := []*quant.Matrix{m}
	for len(ms) < n {
		c := new(quant.Matrix)
		if err := c.UnmarshalBinary(data); err != nil {
			panic(err)
		}
		ms = append(ms, c)
	}
	return ms
}
