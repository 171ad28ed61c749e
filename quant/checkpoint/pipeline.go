package checkpoint

import (
	"context"
	"sync"
)

// ordered runs jobs on workers goroutines and consumes the results in the order of the
// jobs, on the caller's goroutine. At most 3·workers jobs are between produce and
// consume, which bounds memory. Each goroutine gets a function from newWorker, with
// memory of its own to reuse.
//
// It returns the first error in the order of jobs, of produce, a worker or consume, or
// the cause of ctx. All goroutines have ended when it returns. produce should return
// when yield returns false.
func ordered[J, R any](
	ctx context.Context, workers int,
	produce func(ctx context.Context, yield func(J) bool) error,
	newWorker func() func(context.Context, J) (R, error),
	consume func(J, R) error,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	type result struct {
		value R
		err   error
	}
	type task struct {
		job  J
		done chan result
	}
	queue := make(chan task, 2*workers)
	work := make(chan task)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil) // before Wait

	var failed error // of produce; read after queue is closed
	wg.Go(func() {
		defer close(queue)
		defer close(work)
		failed = produce(ctx, func(j J) bool {
			t := task{j, make(chan result, 1)}
			select {
			case queue <- t:
			case <-ctx.Done():
				return false
			}
			select {
			case work <- t:
				return true
			case <-ctx.Done():
				return false
			}
		})
	})
	for range workers {
		wg.Go(func() {
			do := newWorker()
			for t := range work {
				v, err := do(ctx, t.job)
				t.done <- result{v, err}
			}
		})
	}
	for t := range queue {
		select {
		case r := <-t.done:
			if r.err != nil {
				return r.err
			}
			if err := consume(t.job, r.value); err != nil {
				return err
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if failed != nil {
		return failed
	}
	return context.Cause(ctx)
}
