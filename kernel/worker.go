package kernel

import (
	"sync/atomic"
	"time"
)

// A worker is a goroutine of a Pool. Its state is idle until a caller posts a job, and
// running once the worker notices. A caller that has finished the job alone before that
// sets the state to idle again.
type worker struct {
	state   atomic.Uint32
	asleep  atomic.Bool   // or about to be
	wake    chan struct{} // of capacity 1
	awaited atomic.Bool   // by a caller that sleeps, or is about to
	done    chan struct{} // of capacity 1
	spin    time.Duration // how long it looks for a job before it sleeps
	_       [64]byte      // the next one is in another cache line
}

const (
	idle = iota
	posted
	running
)

const (
	// stayAwake is the time that a worker polls for a job before it sleeps. Waking up
	// takes about as long, so polling costs at most twice the loss of sleeping at once.
	stayAwake = 50 * time.Microsecond
	// looks is the number of polls, with a pause after each, between readings of the
	// clock. Reading the clock takes as long as one or two pauses.
	looks = 16
)

func newWorker(spin time.Duration) *worker {
	return &worker{wake: make(chan struct{}, 1), done: make(chan struct{}, 1), spin: spin}
}

// look calls found until it returns true or some time has passed, and reports whether
// it returned true.
func look(found func() bool, long time.Duration) bool {
	if long == 0 {
		return found()
	}
	for start := time.Now(); ; {
		for range looks {
			if found() {
				return true
			}
			pause()
		}
		if time.Since(start) > long {
			return false
		}
	}
}

// post gives w the job.
func (w *worker) post() {
	w.state.Store(posted)
	if w.asleep.Load() {
		signal(w.wake)
	}
}

// signal sends to a channel of capacity 1, unless it is full.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns when there is, or was, a job.
func (w *worker) wait() {
	if look(func() bool { return w.state.Load() == posted }, w.spin) {
		return
	}
	// A caller that posts a job after asleep is set also sends to wake. A caller that
	// posted before has not sent, so the state is read once more. What wake holds may
	// come from an earlier job: the loop of Pool.work then finds nothing posted.
	w.asleep.Store(true)
	if w.state.Load() != posted {
		<-w.wake
	}
	w.asleep.Store(false)
}

// finish marks the job of w as done.
func (w *worker) finish() {
	w.state.Store(idle)
	if w.awaited.Load() {
		signal(w.done)
	}
}

// join waits until w is done with the job.
func (w *worker) join() {
	if w.state.CompareAndSwap(posted, idle) {
		return
	}
	if look(func() bool { return w.state.Load() == idle }, stayAwake) {
		return
	}
	// As in wait, with the roles exchanged.
	w.awaited.Store(true)
	for w.state.Load() != idle {
		<-w.done
	}
	w.awaited.Store(false)
}
