package quant

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// forRows calls a function for every row, on up to workers goroutines. Each goroutine
// gets its function from newWorker. Rows are handed out in order, in blocks large
// enough to be worth it. forRows waits for all goroutines, and returns the error of the
// first row that has one, whatever the number of workers.
func forRows(ctx context.Context, rows, cols, workers int, newWorker func() (func(row int) error, error)) error {
	const blockWeights = 1 << 15
	block := max(1, blockWeights/cols)
	return forBlocks(ctx, rows, block, workers, func() (func(lo, hi int) (int, error), error) {
		do, err := newWorker()
		return func(lo, hi int) (int, error) {
			for row := lo; row < hi; row++ {
				if err := do(row); err != nil {
					return row, err
				}
			}
			return 0, nil
		}, err
	})
}

// forBlocks is forRows for a function that takes a block of rows, lo to hi−1, and
// returns the first row with an error along with the error. The last block may be
// shorter.
func forBlocks(ctx context.Context, rows, block, workers int, newWorker func() (func(lo, hi int) (int, error), error)) error {
	blocks := (rows-1)/block + 1
	var (
		next atomic.Int64 // block
		mu   sync.Mutex
		fail = rows // the first row that failed
		err  error
	)
	report := func(row int, e error) {
		mu.Lock()
		defer mu.Unlock()
		if row < fail {
			fail, err = row, e
		}
		next.Store(int64(blocks))
	}
	run := func() {
		do, e := newWorker()
		if e != nil {
			report(0, e)
			return
		}
		for {
			// A block that was taken is finished up to its first error even if ctx is
			// done, so that no earlier error is missed.
			if ctx.Err() != nil {
				return
			}
			b := int(next.Add(1)) - 1
			if b >= blocks {
				return
			}
			if row, e := do(b*block, min((b+1)*block, rows)); e != nil {
				report(row, e)
				return
			}
		}
	}
	var wg sync.WaitGroup
	for range min(workers, blocks) - 1 {
		wg.Go(run)
	}
	run()
	wg.Wait()
	if err == nil && ctx.Err() != nil {
		return fmt.Errorf("quant: stopped: %w", context.Cause(ctx))
	}
	return err
}
