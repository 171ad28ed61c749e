package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bitmod-go/bitmod/quant"
)

// A Pool multiplies on several goroutines: its workers, which live until Close, and the
// caller's goroutine. Results are those of [GEMV] and [GEMM]. Any number of goroutines
// may use one Pool, and one call at a time has the workers. A call that is too small to
// share, or that is not large while another call has the workers, runs on its caller's
// goroutine alone, at once.
//
// Workers take blocks of rows one after another, so that a slow core does not delay the
// rest. For 50 µs after a multiplication they poll for the next one, as the layers of a
// model follow each other, and then sleep. Polling workers share calls of a few
// microseconds. Waking workers takes longer, and is done for calls of tens of
// microseconds, or for small calls that follow one another for as long. [Pool.Run] runs
// an engine's own loops on the workers.
type Pool struct {
	mu      sync.Mutex // held by the call that has the workers
	closed  atomic.Bool
	workers []*worker
	job     job
	exited  sync.WaitGroup

	// alone is the time that calls, one soon after the other, have worked while the
	// workers were asleep. The last one ended at ended.
	alone time.Duration
	ended time.Time
}

// A task is the work of a call.
type task struct {
	m   *quant.Matrix
	p   plan // of m, if it has one part
	dst []float32
	a   *Activation              // GEMV
	as  []Activation             // GEMM
	f   func(worker, lo, hi int) // Run, and nothing else
}

// A job is a task in progress.
type job struct {
	task
	rows int  // or whatever Run counts
	tile int  // rows
	stop bool // no work: the worker is to return

	// Tiles are divided among goroutines in order, so that a goroutine gets the same
	// rows of a matrix from call to call, which then are in its core's cache. A
	// goroutine that is done with its own share continues with the next one.
	shares []tileShare
	takers int // the number of shares in use
}

// A tileShare is a range of remaining tiles.
type tileShare struct {
	next atomic.Int64
	end  int64
	_    [48]byte // the next one is in another cache line
}

const (
	// minShare is the least number of weights that are worth sharing with a polling
	// worker, and minWake with a sleeping one.
	minShare = 1 << 17
	minWake  = 1 << 21
	// wakeAfter is the time that calls work alone before they wake the workers.
	wakeAfter = 25 * time.Microsecond
	// minWait is the least number of weights that are worth waiting for another call to
	// release the workers.
	minWait = 1 << 23
	// tileWeights is the number of weights a worker takes at a time.
	tileWeights = 1 << 16
	// floatTileRows is the least number of rows of a tile for a batch in float mode,
	// unless a goroutine's share is smaller.
	floatTileRows = 512
	// maxWorkers is the largest number of workers of a pool, unless there are more
	// processors.
	maxWorkers = 1024
)

// NewPool starts a pool of n goroutines including the caller's, so that n = 1 starts
// none; 0 stands for runtime.GOMAXPROCS(0). More goroutines than processors never help.
// The error matches ErrShape if n is negative, or above both 1024 and
// runtime.GOMAXPROCS(0).
func NewPool(n int) (*Pool, error) {
	if most := max(maxWorkers, runtime.GOMAXPROCS(0)); n < 0 || n > most {
		return nil, shapeError("n", n, "0 to %d (workers)", most)
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	pl := &Pool{job: job{shares: make([]tileShare, n)}}
	spin := stayAwake
	if n > runtime.GOMAXPROCS(0) {
		spin = 0 // polling would keep other goroutines from working
	}
	for i := 1; i < n; i++ {
		w := newWorker(spin)
		pl.workers = append(pl.workers, w)
		pl.exited.Go(func() { pl.work(w, i) })
	}
	return pl, nil
}

// isClosed reports whether pl is closed or nil.
func (pl *Pool) isClosed() bool { return pl == nil || pl.closed.Load() }

// Size returns the number of goroutines that multiply, the caller's included.
func (pl *Pool) Size() int {
	if pl == nil {
		return 0
	}
	return len(pl.workers) + 1
}

// GEMV writes m·a to dst as the function [GEMV] does, on the goroutines of the pool. The
// errors are the same, and ErrClosed after Close.
func (pl *Pool) GEMV(dst []float32, m *quant.Matrix, a *Activation) error {
	if err := check(len(dst), shapeOf(m), a); err != nil {
		return err
	}
	return pl.multiply(task{m: m, dst: dst, a: a})
}

// GEMM multiplies a batch as the function [GEMM] does, on the goroutines of the pool. The
// errors are the same, and ErrClosed after Close.
func (pl *Pool) GEMM(dst []float32, m *quant.Matrix, as []Activation) error {
	if err := checkBatch(len(dst), shapeOf(m), as); err != nil {
		return err
	}
	return pl.multiply(task{m: m, dst: dst, as: as})
}

// Run calls f for ranges lo … hi−1 that make up 0 … n−1, and returns when all calls
// have returned. Ranges have grain elements, the last one maybe fewer. Each goroutine
// of the pool takes one range after another, so a grain should be some microseconds of
// work or more. worker is the number of the goroutine, from 0 to Size()−1. It differs
// between simultaneous calls of f, so that each can have memory of its own. If n is no
// more than grain, Run calls f directly, as worker 0.
//
// f must not call methods of the pool, which would deadlock. The error matches ErrShape
// if n is negative or grain is less than 1, and ErrClosed after Close.
func (pl *Pool) Run(n, grain int, f func(worker, lo, hi int)) error {
	if n < 0 {
		return shapeError("n", n, "at least 0")
	}
	if grain < 1 {
		return shapeError("grain", grain, "at least 1")
	}
	if f == nil {
		return shapeError("number of functions", 0, "1: f is nil")
	}
	if pl.isClosed() {
		return ErrClosed
	}
	if n <= grain || len(pl.workers) == 0 {
		for lo := 0; lo < n; lo += min(grain, n-lo) {
			f(0, lo, lo+min(grain, n-lo))
		}
		return nil
	}
	pl.mu.Lock()
	return pl.share(task{f: f}, n, grain, min(len(pl.workers), (n-1)/grain), false)
}

// Close stops the workers, after waiting for calls in progress. It may be called more
// than once.
func (pl *Pool) Close() error {
	if pl == nil {
		return nil
	}
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

// multiply runs the task of a product.
func (pl *Pool) multiply(t task) error {
	if pl.isClosed() {
		return ErrClosed
	}
	if t.m.Parts() == 1 {
		t.p = newPlan(t.m)
	}
	rows := t.m.Rows()
	tile, rowWork := t.divide(pl.Size())
	helpers := min(len(pl.workers), (rows-1)/tile, rows*rowWork/minShare)
	if helpers > 0 && (pl.mu.TryLock() || rows*rowWork >= minWait && pl.lock()) {
		return pl.share(t, rows, tile, helpers, rows*rowWork >= minWake)
	}
	t.do(0, 0, rows)
	runtime.KeepAlive(t.m)
	return nil
}

// lock locks mu, and returns true.
func (pl *Pool) lock() bool {
	pl.mu.Lock()
	return true
}

// share divides a task among the caller and some workers, and unlocks mu, which must be
// locked. It wakes sleeping workers at once if wake is set, and otherwise once calls
// have worked long enough without them.
func (pl *Pool) share(t task, rows, tile, helpers int, wake bool) error {
	defer pl.mu.Unlock()
	if pl.isClosed() {
		return ErrClosed
	}
	j := &pl.job
	j.task, j.rows, j.tile = t, rows, tile
	j.divide((rows-1)/tile+1, helpers+1)
	workers := pl.workers[:helpers]
	asleep := false
	for _, w := range workers {
		if wake || !w.asleep.Load() {
			w.post()
		} else {
			asleep = true
		}
	}
	// If f of Run panics, workers must have left it before the next job.
	defer func() {
		for _, w := range workers {
			w.join()
		}
		j.task = task{} // which kept the matrix alive
	}()
	if asleep {
		pl.workAlone(workers)
	}
	j.work(0)
	return nil
}

// workAlone takes tiles as worker 0 until none is left, or until it has woken the
// sleeping workers.
func (pl *Pool) workAlone(workers []*worker) {
	start := time.Now()
	if start.Sub(pl.ended) > stayAwake {
		pl.alone = 0
	}
	before, at := pl.alone, 0
	for {
		tile := pl.job.take(&at)
		if tile < 0 {
			return
		}
		if pl.alone > wakeAfter {
			pl.alone = 0
			for _, w := range workers {
				if w.asleep.Load() {
					w.post()
				}
			}
			pl.job.doTile(0, tile)
			return
		}
		pl.job.doTile(0, tile)
		pl.ended = time.Now()
		pl.alone = before + pl.ended.Sub(start)
	}
}

// divide returns the number of rows of a tile for a number of goroutines, and the
// number of products in a row.
func (t *task) divide(goroutines int) (tile, rowWork int) {
	rows := t.m.Rows()
	rowWork = t.m.Cols()
	if t.a == nil {
		rowWork *= len(t.as)
	}
	if t.mode() == int16Mode {
		rowWork *= 2
	}
	tile = max(1, tileWeights/max(1, rowWork))
	share := (rows-1)/goroutines + 1
	if t.a == nil {
		tile = max(tile, 16) // unpacked once for all activations
	}
	if t.a == nil && t.mode() == floatMode {
		tile = max(tile, min(floatTileRows, share)) // activations are put in order once for all
	}
	if each := (share + tile/2) / tile; each > 0 { // the same number of tiles for each goroutine
		tile = (share-1)/each + 1
	}
	switch {
	case t.a != nil && t.m.Parts() == 1 && t.a.mode == int8Mode && t.p.loop(1, best) == byFours:
		tile = (tile + 3) / 4 * 4
	case panelSet(best) != nil:
		tile = (tile + panelTileRows - 1) / panelTileRows * panelTileRows
	}
	switch {
	case t.m.Parts() > 1:
		// Some rows of each part, and not all of the matrix for one goroutine.
		tile = max(tile, min(partTile, share))
	case best == portable && t.p.usesPairs():
		// Rows of a tile share tables, so tiles should be large, with one for each
		// goroutine. Fewer than 512 rows are not worth tables of their own.
		tile = max(tile, min(pairTile, max(pairTile/2, share)))
	}
	return tile, rowWork
}

// mode returns the mode of the activation, or of the first one.
func (t *task) mode() mode {
	switch {
	case t.a != nil:
		return t.a.mode
	case len(t.as) > 0:
		return t.as[0].mode
	}
	return int8Mode
}

// divide divides tiles among takers.
func (j *job) divide(tiles, takers int) {
	j.takers = takers
	for i := range takers {
		j.shares[i].next.Store(int64(i * tiles / takers))
		j.shares[i].end = int64((i + 1) * tiles / takers)
	}
}

// work takes tiles until none is left.
func (j *job) work(worker int) {
	at := worker
	for tile := j.take(&at); tile >= 0; tile = j.take(&at) {
		j.doTile(worker, tile)
	}
}

// take returns a tile, or −1 if none is left. at begins with the number of the worker,
// and counts the shares that are exhausted.
func (j *job) take(at *int) int {
	for ; *at < 2*j.takers; *at++ { // once around, or nearly twice
		s := &j.shares[*at%j.takers]
		if s.next.Load() < s.end {
			if i := s.next.Add(1) - 1; i < s.end {
				return int(i)
			}
		}
	}
	return -1
}

// doTile computes the rows of a tile.
func (j *job) doTile(worker, tile int) {
	lo := tile * j.tile
	j.do(worker, lo, lo+min(j.tile, j.rows-lo))
}

// do computes rows lo to hi−1 of the task.
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

// work is the loop of a worker.
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
		w.finish()
	}
}
