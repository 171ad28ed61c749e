package llm

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// InParallel calls f for 0…n−1, in this order, on GOMAXPROCS goroutines. After an error
// it starts no more. It returns the error of the smallest number that has one.
func InParallel(n int, f func(i int) error) error {
	var (
		next   atomic.Int64
		failed atomic.Bool
		wait   sync.WaitGroup
	)
	errs := make([]error, n)
	for range min(runtime.GOMAXPROCS(0), n) {
		wait.Go(func() {
			for !failed.Load() {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = f(i); errs[i] != nil {
					failed.Store(true)
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
