package llm

import (
	"sync"

	"github.com/bitmod-go/bitmod/kernel"
)

// A Crew shares out work over a fixed number of goroutines that wait between
// calls. It serves one caller at a time.
type Crew struct {
	workers int
	work    []chan func(worker int)
	done    sync.WaitGroup
	scratch [][]float32 // by worker
	shared  []float32

	activations []kernel.Activation
}

// NewCrew starts a crew of workers, of which the caller is one.
func NewCrew(workers int) *Crew {
	workers = max(workers, 1)
	c := &Crew{workers: workers, scratch: make([][]float32, workers)}
	for w := 1; w < workers; w++ {
		ch := make(chan func(int))
		c.work = append(c.work, ch)
		go func() {
			for f := range ch {
				f(w)
				c.done.Done()
			}
		}()
	}
	return c
}

// Close ends the goroutines. The crew must not be used any more.
func (c *Crew) Close() {
	for _, ch := range c.work {
		close(ch)
	}
	c.work, c.workers = nil, 1
}

// minWork is the number of multiplications for which a goroutine is woken: some
// tens of microseconds of work, where waking it takes a few.
const minWork = 1 << 16

// Split calls f for ranges lo…hi−1 that make up 0…n−1, each on a goroutine of its
// own, and waits. Ranges start at multiples of align. cost is about the number of
// multiplications of all together: little work is done by the caller alone.
func (c *Crew) Split(n, align, cost int, f func(worker, lo, hi int)) {
	parts := min(c.workers, cost/minWork, (n+align-1)/align)
	if parts <= 1 {
		if n > 0 {
			f(0, 0, n)
		}
		return
	}
	bound := func(part int) int { return min((n/align*part/parts)*align, n) }
	run := func(part int) {
		lo, hi := bound(part), bound(part+1)
		if part == parts-1 {
			hi = n
		}
		if lo < hi {
			f(part, lo, hi)
		}
	}
	c.done.Add(parts - 1)
	for _, ch := range c.work[:parts-1] {
		ch <- run
	}
	run(0)
	c.done.Wait()
}

// try is Split for an f that may fail. It returns the error of the first range that
// has one.
func (c *Crew) try(n, align, cost int, f func(worker, lo, hi int) error) error {
	errs := make([]error, c.workers)
	c.Split(n, align, cost, func(worker, lo, hi int) { errs[worker] = f(worker, lo, hi) })
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Activations returns n activations for the caller to load, which keep their memory
// from call to call.
func (c *Crew) Activations(n int) []kernel.Activation {
	if n > len(c.activations) {
		c.activations = append(c.activations, make([]kernel.Activation, n-len(c.activations))...)
	}
	return c.activations[:n]
}

// Scratch returns n floats for the worker, with any contents, until its next call.
func (c *Crew) Scratch(worker, n int) []float32 {
	return grow(&c.scratch[worker], n)
}

// Shared returns n floats for the caller to fill before Split, with any contents,
// until the next call.
func (c *Crew) Shared(n int) []float32 { return grow(&c.shared, n) }

// grow returns n elements of *s, which is replaced if it is too short.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	return (*s)[:n]
}
