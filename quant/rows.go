package quant

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// forRows calls a function for every row, on up to workers goroutines, each with
// a function of its own from newWorker. Rows are handed out in order, in blocks
// that are worth a hand-over. It returns the error of the first row that has
// one, whatever the number of workers, and waits for all of them.
func forRows(ctx context.Context, rows, cols, workers int, newWorker func() (func(row int) error, error)) error {
	const blockWeights = 1 << 15
	block := max(1, blockWeights/cols)
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
			// A block once taken is finished, context or not, up to its first
			// error, so that no earlier error is missed.
			if ctx.Err() != nil {
				return
			}
			b := int(next.Add(1)) - 1
			if b >= blocks {
				return
			}
			for row := b * block; row < min((b+1)*block, rows); row++ {
				if e := do(row); e != nil {
					report(row, e)
					return
				}
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
