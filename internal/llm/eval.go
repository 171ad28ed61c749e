package llm

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Blocks cuts the tokens of a text into blocks of up to length tokens. Each block begins
// with bos, the token that starts a text.
func Blocks(tokens []int, bos, length int) [][]int {
	var blocks [][]int
	for part := range slices.Chunk(tokens, max(length-1, 1)) {
		blocks = append(blocks, append([]int{bos}, part...))
	}
	return blocks
}

// An Estimate is a mean with its standard error.
type Estimate struct{ Mean, SE float64 }

// A Score compares a model with a reference on a text.
type Score struct {
	Tokens int // that were predicted
	// NLL is the negative logarithm of the probability of a token, and Perplexity
	// its exponential.
	NLL, Perplexity Estimate
	// Excess is NLL less the reference's, token by token: its error is much smaller
	// than NLL's, because both models find the same tokens hard.
	Excess Estimate
	KL     Estimate // Σ p·log(p/q) of the reference's p and the model's q, in nats
	Top1   Estimate // how often both find the same token likeliest
}

// An Evaluator scores models on blocks of tokens against a reference, which should
// be the model with float32 weights.
type Evaluator struct {
	ctx       context.Context
	progress  func(done, total int)
	reference *Model
	blocks    [][]int
	took      time.Duration // the reference's logits
	logits    [][]float32   // the reference's, by block; nil if they would take too much memory
	workers   int
}

// logitsMemory is the largest size of logits that an Evaluator keeps, in bytes.
const logitsMemory = 1 << 30

// NewEvaluator computes the reference's logits for all blocks, of at least 2 tokens each,
// on GOMAXPROCS goroutines. Once ctx is done, NewEvaluator and Score end with its cause.
// If progress is not nil, it is called before every layer of a block with the number of
// layers that are done, by one goroutine at a time.
func NewEvaluator(ctx context.Context, reference *Model, blocks [][]int, progress func(done, total int)) (*Evaluator, error) {
	e := &Evaluator{ctx: ctx, progress: progress, reference: reference, workers: runtime.GOMAXPROCS(0)}
	n := 0
	for _, b := range blocks {
		if len(b) >= 2 {
			e.blocks = append(e.blocks, b)
			n += len(b) - 1
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("llm: no tokens to predict: the text is too short")
	}
	vocab := reference.Config.Vocab
	if n > logitsMemory/4/vocab {
		return e, nil
	}
	e.logits = make([][]float32, len(e.blocks))
	start := time.Now()
	defer func() { e.took = time.Since(start) }()
	err := e.each(reference, KV{}, func(i int, r *Runner) error {
		e.logits[i] = make([]float32, (len(e.blocks[i])-1)*vocab)
		return r.Logits(e.logits[i], 0, len(e.blocks[i])-1)
	})
	return e, err
}

// Took returns the time for computing the reference's logits, which Score reuses for
// the reference. It is 0 if the logits would take too much memory and were not kept.
func (e *Evaluator) Took() time.Duration { return e.took }

// each runs the model over every block, and calls f after each.
func (e *Evaluator) each(m *Model, kv KV, f func(i int, r *Runner) error) error {
	var (
		next atomic.Int64
		wait sync.WaitGroup
	)
	errs := make([]error, len(e.blocks)) // the first in order is reported
	step := e.steps(len(e.blocks) * len(m.Layers))
	for range min(e.workers, len(e.blocks)) {
		wait.Go(func() {
			r := NewRunner(m, 1)
			defer r.Close()
			r.step = step
			for {
				i := int(next.Add(1)) - 1
				if i >= len(e.blocks) {
					return
				}
				if errs[i] = run(r, e.blocks[i], kv); errs[i] == nil {
					errs[i] = f(i, r)
				}
				if errs[i] != nil {
					next.Store(int64(len(e.blocks)))
					return
				}
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// steps returns a function to call before each of total layers.
func (e *Evaluator) steps(total int) func() error {
	var (
		mu   sync.Mutex
		done int
	)
	return func() error {
		if e.progress != nil {
			mu.Lock()
			e.progress(done, total)
			done++
			mu.Unlock()
		}
		return ended(e.ctx)
	}
}

// ended returns the cause if ctx is done, and nil otherwise.
func ended(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// run reads a block as a text of its own.
func run(r *Runner, block []int, kv KV) error {
	kv.Length = len(block)
	s, err := r.model.NewSequence(kv)
	if err != nil {
		return err
	}
	return r.Forward(Chunk{s, block})
}

// Score evaluates m with a key-value cache of kv. The result is the same for any number
// of goroutines. For the reference itself it reuses the logits.
func (e *Evaluator) Score(m *Model, kv KV) (Score, error) {
	vocab := e.reference.Config.Vocab
	if m.Config.Vocab != vocab {
		return Score{}, fmt.Errorf("llm: the model's vocabulary is %d tokens, the reference's %d", m.Config.Vocab, vocab)
	}
	sums := make([]blockSums, len(e.blocks))
	if m == e.reference && kv == (KV{}) && e.logits != nil {
		err := InParallel(len(e.blocks), func(i int) error {
			for j, token := range e.blocks[i][1:] {
				x := e.logits[i][j*vocab:][:vocab]
				sums[i].add(compare(x, x, token))
			}
			return ended(e.ctx)
		})
		if err != nil {
			return Score{}, err
		}
		return summarize(sums), nil
	}
	err := e.each(m, kv, func(i int, r *Runner) error {
		block := e.blocks[i]
		want := func(lo, hi int) ([]float32, error) { return e.logits[i][lo*vocab : hi*vocab], nil }
		if e.logits == nil {
			ref := NewRunner(e.reference, 1)
			defer ref.Close()
			ref.step = func() error { return ended(e.ctx) }
			if err := run(ref, block, KV{}); err != nil {
				return err
			}
			buf := make([]float32, logitsStep*vocab)
			want = func(lo, hi int) ([]float32, error) {
				return buf[:(hi-lo)*vocab], ref.Logits(buf[:(hi-lo)*vocab], lo, hi)
			}
		}
		got := make([]float32, logitsStep*vocab)
		for lo := 0; lo < len(block)-1; lo += logitsStep {
			hi := min(lo+logitsStep, len(block)-1)
			if err := r.Logits(got[:(hi-lo)*vocab], lo, hi); err != nil {
				return err
			}
			p, err := want(lo, hi)
			if err != nil {
				return err
			}
			for j := range hi - lo {
				sums[i].add(compare(got[j*vocab:][:vocab], p[j*vocab:][:vocab], block[lo+j+1]))
			}
		}
		return nil
	})
	if err != nil {
		return Score{}, err
	}
	return summarize(sums), nil
}

// logitsStep is the number of tokens of which logits are in memory at once: the
// vocabulary may be large.
const logitsStep = 64

// quantities that are averaged over tokens
const (
	nll = iota
	excess
	kl
	top1
	quantities
)

// compare returns the quantities for one token.
func compare(got, want []float32, token int) (x [quantities]float64) {
	gotSum, wantSum := logSumExp(got), logSumExp(want)
	for i, w := range want {
		logP := float64(w) - wantSum
		x[kl] += math.Exp(logP) * (logP - (float64(got[i]) - gotSum))
	}
	x[nll] = gotSum - float64(got[token])
	x[excess] = x[nll] - (wantSum - float64(want[token]))
	if argmax(got) == argmax(want) {
		x[top1] = 1
	}
	return x
}

func logSumExp(x []float32) float64 {
	top := float64(x[argmax(x)])
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// blockSums are sums over the tokens of one block.
type blockSums struct {
	n int
	x [quantities]float64
}

func (s *blockSums) add(x [quantities]float64) {
	s.n++
	for q, v := range x {
		s.x[q] += v
	}
}

// summarize makes estimates of the sums. Tokens of one block depend on each other, but
// blocks hardly do, so standard errors come from the blocks' sums (the ratio estimator
// of cluster sampling). A single block has none.
func summarize(blocks []blockSums) Score {
	var total blockSums
	for _, b := range blocks {
		total.n += b.n
		for q, v := range b.x {
			total.x[q] += v
		}
	}
	n, k := float64(total.n), float64(len(blocks))
	var est [quantities]Estimate
	for q := range est {
		mean := total.x[q] / n
		squares := 0.0
		for _, b := range blocks {
			d := b.x[q] - mean*float64(b.n)
			squares += float64(d * d)
		}
		est[q] = Estimate{mean, math.Sqrt(k/(k-1)*squares) / n}
	}
	ppl := math.Exp(est[nll].Mean)
	return Score{
		Tokens: total.n, NLL: est[nll], Perplexity: Estimate{ppl, ppl * est[nll].SE},
		Excess: est[excess], KL: est[kl], Top1: est[top1],
	}
}
