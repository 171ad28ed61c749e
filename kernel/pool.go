package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/bitmod-go/bitmod/quant"
)

// A Pool multiplies on several goroutines: those of its own, and the caller's.
// They are there until Close. Results are those of [GEMV] and [GEMM]. Any number of
// goroutines may use one Pool. What is too small to share runs on its caller alone,
// at once; of what is shared out, one call has the workers at a time, and others wait.
//
// Its workers take blocks of rows one after another, so that a slow core does
// not hold up the rest. For some microseconds after a multiplication they look
// out for the next one, as the layers of a model follow each other, and go to
// sleep after that. [Pool.Run] gives them an engine's own loops to do in between.
type Pool struct {
	mu      sync.Mutex // held by the call that has the workers
	closed  atomic.Bool
	workers []*worker
	job     job
	exited  sync.WaitGroup
}

// A task is what a call wants done.
type task struct {
	m   *quant.Matrix
	p   plan // of m, if it has one part
	dst []float32
	a   *Activation              // GEMV
	as  []Activation             // GEMM
	f   func(worker, lo, hi int) // Run, and nothing else
}

// A job is a task that is under way.
type job struct {
	task
	rows  int // or whatever Run counts
	tile  int // rows
	tiles int
	next  atomic.Int64 // tile
	stop  bool         // no work: the worker is to return
}

// A worker's state is idle, posted once there is a job, which the caller takes
// back when nothing is left to do before the worker noticed, and running.
type worker struct {
	state  atomic.Uint32
	asleep atomic.Bool   // or about to be
	wake   chan struct{} // of capacity 1
	_      [64]byte      // the next one is in another cache line
}

const (
	idle = iota
	posted
	running
)

const (
	// spins is how often a goroutine looks before it sleeps, some 20 µs. It
	// gives way to other goroutines every 64 times.
	spins = 1 << 13
	// minShare is the least number of weights that are worth a second goroutine.
	minShare = 1 << 17
	// tileWeights is the number of weights a worker takes at a time.
	tileWeights = 1 << 16
	// maxWorkers is the most that a pool may have, unless there are more processors.
	maxWorkers = 1024
)

// NewPool starts a pool of n goroutines, the caller's included, so that n of 1
// starts none; 0 is runtime.GOMAXPROCS(0). More than that never help, and more than
// 1024, if they are more than that, too, are an error that matches ErrShape.
func NewPool(n int) (*Pool, error) {
	if most := max(maxWorkers, runtime.GOMAXPROCS(0)); n < 0 || n > most {
		return nil, shapeError("n", n, "0 to %d (workers)", most)
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	pl := &Pool{}
	for i := 1; i < n; i++ {
		w := &worker{wake: make(chan struct{}, 1)}
		pl.workers = append(pl.workers, w)
		pl.exited.Go(func() { pl.work(w, i) })
	}
	return pl, nil
}

// Size returns the number of goroutines that multiply, the caller's included.
func (pl *Pool) Size() int { return len(pl.workers) + 1 }

// GEMV is [GEMV] on the goroutines of the pool. The error is ErrClosed after
// Close.
func (pl *Pool) GEMV(dst []float32, m *quant.Matrix, a *Activation) error {
	if err := check(len(dst), shapeOf(m), a); err != nil {
		return err
	}
	return pl.multiply(task{m: m, dst: dst, a: a})
}

// GEMM is [GEMM] on the goroutines of the pool. The error is ErrClosed after
// Close.
func (pl *Pool) GEMM(dst []float32, m *quant.Matrix, as []Activation) error {
	if err := checkBatch(len(dst), shapeOf(m), as); err != nil {
		return err
	}
	return pl.multiply(task{m: m, dst: dst, as: as})
}

// Run calls f for ranges lo … hi−1 that make up 0 … n−1, of grain each but the last,
// and returns when all are done. Each goroutine of the pool takes one range after
// another, so that a grain should be some microseconds of work, or more. Worker is the
// number of the goroutine, from 0 to Size()−1: calls of f at the same time have
// different ones, so that each can have memory of its own. If n is no more than grain,
// f is called at once, as worker 0.
//
// f must not call methods of the pool, which would wait for themselves. It is an error
// that matches ErrShape if n is negative or grain is less than 1, and ErrClosed after
// Close.
func (pl *Pool) Run(n, grain int, f func(worker, lo, hi int)) error {
	if n < 0 {
		return shapeError("n", n, "at least 0")
	}
	if grain < 1 {
		return shapeError("grain", grain, "at least 1")
	}
	if pl.closed.Load() {
		return ErrClosed
	}
	if n <= grain || len(pl.workers) == 0 {
		for lo := 0; lo < n; lo += min(grain, n-lo) {
			f(0, lo, lo+min(grain, n-lo))
		}
		return nil
	}
	return pl.share(task{f: f}, n, grain, min(len(pl.workers), (n-1)/grain))
}

// Close stops the workers and waits for them, and for calls that are under way on them.
// It may be called more than once.
func (pl *Pool) Close() error {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if !pl.closed.Swap(true) {
		pl.job.stop = true
		for _, w := range pl.workers {
			w.post()
		}
	}
	pl.exited.Wait()
	return nil
}

// multiply does a product.
func (pl *Pool) multiply(t task) error {
	if pl.closed.Load() {
		return ErrClosed
	}
	if t.m.Parts() == 1 {
		t.p = newPlan(t.m)
	}
	rows := t.m.Rows()
	tile, rowWork := t.divide(pl.Size())
	if helpers := min(len(pl.workers), (rows-1)/tile, rows*rowWork/minShare); helpers > 0 {
		return pl.share(t, rows, tile, helpers)
	}
	t.do(0, 0, rows)
	runtime.KeepAlive(t.m)
	return nil
}

// share gives a task of so many rows to the caller and some workers.
func (pl *Pool) share(t task, rows, tile, helpers int) error {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.closed.Load() {
		return ErrClosed
	}
	j := &pl.job
	j.task, j.rows, j.tile, j.tiles = t, rows, tile, (rows-1)/tile+1
	j.next.Store(0)
	for _, w := range pl.workers[:helpers] {
		w.post()
	}
	// If f of Run panics, the workers are to have left it before the next job.
	defer func() {
		for _, w := range pl.workers[:helpers] {
			w.join()
		}
		j.task = task{} // which has kept the matrix alive
	}()
	j.work(0)
	return nil
}

// divide returns the size of tiles for so many goroutines, in rows, and the number of
// products in a row.
func (t *task) divide(goroutines int) (tile, rowWork int) {
	rows := t.m.Rows()
	rowWork = t.m.Cols()
	if t.a == nil {
		rowWork *= len(t.as)
	}
	tile = max(1, tileWeights/max(1, rowWork))
	if t.a == nil {
		tile = max(tile, 16) // unpacked once for all activations
	}
	if panelSet(best) != nil {
		tile = (tile + panelTileRows - 1) / panelTileRows * panelTileRows
	}
	share := (rows-1)/goroutines + 1
	switch {
	case t.m.Parts() > 1:
		// Some rows of each part, and not all of the matrix for one goroutine.
		tile = max(tile, min(partTile, share))
	case best == portable && t.p.usesPairs():
		// Rows of a tile share tables: it is to be large, and one for everybody, but
		// fewer than 512 rows are not worth tables of their own.
		tile = max(tile, min(pairTile, max(pairTile/2, share)))
	}
	return tile, rowWork
}

// work takes tiles until none is left.
func (j *job) work(worker int) {
	for {
		i := int(j.next.Add(1)) - 1
		if i >= j.tiles {
			return
		}
		lo := i * j.tile
		j.do(worker, lo, lo+min(j.tile, j.rows-lo))
	}
}

// do does rows lo to hi−1 of the task.
func (t *task) do(worker, lo, hi int) {
	switch {
	case t.f != nil:
		t.f(worker, lo, hi)
	case t.m.Parts() > 1 && t.a != nil:
		multiplyParts(t.dst, t.m, t.a, lo, hi, best)
	case t.m.Parts() > 1:
		multiplyPartsBatch(t.dst, t.m, t.as, lo, hi, best)
	case t.a != nil:
		t.p.multiply(t.dst, t.a, lo, hi, best)
	default:
		t.p.multiplyBatch(t.dst, t.as, lo, hi, best)
	}
}

// work is the life of a worker.
func (pl *Pool) work(w *worker, number int) {
	for {
		w.wait()
		if !w.state.CompareAndSwap(posted, running) {
			continue
		}
		if pl.job.stop {
			return
		}
		pl.job.work(number)
		w.state.Store(idle)
	}
}

// post gives w the job.
func (w *worker) post() {
	w.state.Store(posted)
	if w.asleep.Load() {
		select {
		case w.wake <- struct{}{}:
		default: // it is woken already
		}
	}
}

// join returns when w has nothing to do with the job any more.
func (w *worker) join() {
	if w.state.CompareAndSwap(posted, idle) {
		return
	}
	for i := 1; w.state.Load() != idle; i++ {
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
}

// wait returns when there is, or was, a job.
func (w *worker) wait() {
	for i := 1; i <= spins; i++ {
		if w.state.Load() == posted {
			return
		}
		if i%64 == 0 {
			runtime.Gosched()
		}
	}
	// Whoever posts a job after asleep is set sends to wake; for who did so
	// before, look first. What is in wake may be of a job that is done.
	w.asleep.Store(true)
	if w.state.Load() != posted {
		<-w.wake
	}
	w.asleep.Store(false)
}
