package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/bitmod-go/bitmod/quant"
)

// A Pool multiplies on several goroutines: those of its own, and the caller's.
// They are there until Close. Results are those of [GEMV] and [GEMM]. Any number of
// goroutines may use one Pool, one of them at a time: others wait.
//
// Its workers take blocks of rows one after another, so that a slow core does
// not hold up the rest. For some microseconds after a multiplication they look
// out for the next one, as the layers of a model follow each other, and go to
// sleep after that. What is too small to share runs on the caller alone.
type Pool struct {
	mu      sync.Mutex // held by the call that is under way
	closed  bool
	workers []*worker
	job     job
	exited  sync.WaitGroup
}

// A task is what a call wants done.
type task struct {
	m   *quant.Matrix
	p   plan // of m, if it has one part
	dst []float32
	a   *Activation  // GEMV
	as  []Activation // GEMM
}

// A job is a task that is under way.
type job struct {
	task
	rows int
	tile int          // rows
	next atomic.Int64 // row
	stop bool         // no work: the worker is to return
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
)

// NewPool starts a pool of n goroutines, the caller's included, so that n of 1
// starts none; 0 is runtime.GOMAXPROCS(0). More than that never help.
func NewPool(n int) (*Pool, error) {
	if n < 0 {
		return nil, shapeError("n", n, "at least 0 (workers)")
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	pl := &Pool{}
	for range n - 1 {
		w := &worker{wake: make(chan struct{}, 1)}
		pl.workers = append(pl.workers, w)
		pl.exited.Go(func() { pl.work(w) })
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
	return pl.run(task{m: m, dst: dst, a: a})
}

// GEMM is [GEMM] on the goroutines of the pool. The error is ErrClosed after
// Close.
func (pl *Pool) GEMM(dst []float32, m *quant.Matrix, as []Activation) error {
	if err := checkBatch(len(dst), shapeOf(m), as); err != nil {
		return err
	}
	return pl.run(task{m: m, dst: dst, as: as})
}

// Close stops the workers and waits for them. It may be called more than once.
func (pl *Pool) Close() error {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if !pl.closed {
		pl.closed = true
		pl.job.stop = true
		for _, w := range pl.workers {
			w.post()
		}
	}
	pl.exited.Wait()
	return nil
}

// run shares the rows of a task among the workers.
func (pl *Pool) run(t task) error {
	pl.mu.Lock()
	defer pl.mu.Unlock()
	if pl.closed {
		return ErrClosed
	}
	j := &pl.job
	j.task = t
	if t.m.Parts() == 1 {
		j.p = newPlan(t.m)
	}
	rowWork := j.divide(pl.Size()) // products
	j.next.Store(0)
	helpers := min(len(pl.workers), (j.rows-1)/j.tile, j.rows*rowWork/minShare)
	for _, w := range pl.workers[:helpers] {
		w.post()
	}
	j.multiply()
	for _, w := range pl.workers[:helpers] {
		w.join()
	}
	j.task = task{} // which has kept the matrix alive
	j.p.s = quant.Storage{}
	return nil
}

// divide sets the size of tiles for so many goroutines, and returns the number of
// products in a row.
func (j *job) divide(goroutines int) (rowWork int) {
	j.rows = j.m.Rows()
	rowWork = j.m.Cols()
	if j.a == nil {
		rowWork *= len(j.as)
	}
	j.tile = max(1, tileWeights/max(1, rowWork))
	if j.a == nil {
		j.tile = max(j.tile, 16) // unpacked once for all activations
	}
	if panelSet(best) != nil {
		j.tile = (j.tile + panelTileRows - 1) / panelTileRows * panelTileRows
	}
	share := (j.rows-1)/goroutines + 1
	switch {
	case j.m.Parts() > 1:
		// Some rows of each part, and not all of the matrix for one goroutine.
		j.tile = max(j.tile, min(partTile, share))
	case best == portable && j.p.usesPairs():
		// Rows of a tile share tables: it is to be large, and one for everybody, but
		// fewer than 512 rows are not worth tables of their own.
		j.tile = max(j.tile, min(pairTile, max(pairTile/2, share)))
	}
	return rowWork
}

// multiply computes tiles until none is left.
func (j *job) multiply() {
	for {
		hi := int(j.next.Add(int64(j.tile)))
		lo := hi - j.tile
		if lo >= j.rows {
			return
		}
		hi = min(hi, j.rows)
		switch parts := j.m.Parts() > 1; {
		case parts && j.a != nil:
			multiplyParts(j.dst, j.m, j.a, lo, hi, best)
		case parts:
			multiplyPartsBatch(j.dst, j.m, j.as, lo, hi, best)
		case j.a != nil:
			j.p.multiply(j.dst, j.a, lo, hi, best)
		default:
			j.p.multiplyBatch(j.dst, j.as, lo, hi, best)
		}
	}
}

// work is the life of a worker.
func (pl *Pool) work(w *worker) {
	for {
		w.wait()
		if !w.state.CompareAndSwap(posted, running) {
			continue
		}
		if pl.job.stop {
			return
		}
		pl.job.multiply()
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
