package llm

import "github.com/bitmod-go/bitmod/kernel"

// A Crew divides work among the goroutines of a kernel.Pool, and has memory for them.
// It serves one caller at a time.
type Crew struct {
	pool    *kernel.Pool
	scratch [][]float32 // by worker

	activations []kernel.Activation
}

// maxWorkers is the largest number of workers of a crew.
const maxWorkers = 1024

// NewCrew starts a crew of workers, of which the caller is one.
func NewCrew(workers int) *Crew {
	workers = min(max(workers, 1), maxWorkers)
	pool, err := kernel.NewPool(workers)
	if err != nil {
		panic(err) // the number is within NewPool's limits
	}
	return &Crew{pool: pool, scratch: make([][]float32, workers)}
}

// Close ends the goroutines. The crew must not be used afterwards.
func (c *Crew) Close() { c.pool.Close() }

const (
	// minWork is the least number of multiplications of a range: some microseconds of
	// work, as handing it over costs half a microsecond.
	minWork = 1 << 13
	// most is the largest number of ranges for a goroutine: enough that a delayed
	// goroutine does not delay the rest for long.
	most = 4
)

// Split calls f for ranges lo…hi−1 that make up 0…n−1, and waits. Ranges start at
// multiples of align. cost is about the number of multiplications of all ranges; the
// caller does little work alone.
func (c *Crew) Split(n, align, cost int, f func(worker, lo, hi int)) {
	size, units := c.pool.Size(), (n+align-1)/align
	ranges := min(cost/minWork, most*size, units)
	if ranges > size && ranges < units {
		ranges -= ranges % size // the same number for each
	}
	if ranges < 2 {
		if n > 0 {
			f(0, 0, n)
		}
		return
	}
	if c.pool.Run(n, (units+ranges-1)/ranges*align, f) != nil { // it is closed
		f(0, 0, n)
	}
}

// try is Split for an f that may fail. It returns the error of the first range of
// the first worker that has one.
func (c *Crew) try(n, align, cost int, f func(worker, lo, hi int) error) error {
	errs := make([]error, c.pool.Size())
	c.Split(n, align, cost, func(worker, lo, hi int) {
		if errs[worker] == nil {
			errs[worker] = f(worker, lo, hi)
		}
	})
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

// grow returns n elements of *s, which is replaced if it is too short.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n)
	}
	return (*s)[:n]
}
