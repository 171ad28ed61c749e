package kernel

import (
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

func TestPool(t *testing.T) {
	before := runtime.NumGoroutine()
	r := rand.New(rand.NewPCG(5, 6))
	var mem guards
	defer mem.free()
	for _, n := range []int{0, 1, 2, 3, 7} {
		pl, err := NewPool(n)
		if err != nil {
			t.Fatal(err)
		}
		if want := n; n > 0 && pl.Size() != want {
			t.Errorf("Size() = %d, want %d", pl.Size(), want)
		}
		for _, s := range []struct{ rows, cols int }{{1, 1}, {3, 100}, {511, 2048}, {2000, 384}, {7, 70000}} {
			m := randomMatrix(&mem, r, datatype.BitMoD4, 128, s.rows, s.cols)
			as := make([]Activation, 3)
			for i := range as {
				if err := as[i].Load(activations(r, s.cols, false)); err != nil {
					t.Fatal(err)
				}
			}
			want := make([]float32, 3*s.rows)
			if err := GEMM(want, m, as); err != nil {
				t.Fatal(err)
			}
			got := make([]float32, 3*s.rows)
			if err := pl.GEMM(got, m, as); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(want, got, sameBits) {
				t.Fatalf("%v, GEMM with %d workers: %v, want %v", m, n, got, want)
			}
			clear(got)
			for i := range as {
				if i == 2 {
					time.Sleep(time.Millisecond) // workers are asleep
				}
				if err := pl.GEMV(got[i*s.rows:(i+1)*s.rows], m, &as[i]); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.EqualFunc(want, got, sameBits) {
				t.Fatalf("%v, GEMV with %d workers: %v, want %v", m, n, got, want)
			}
		}
		for range 2 {
			if err := pl.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		m := randomMatrix(&mem, r, datatype.BitMoD4, 128, 1, 1)
		var a Activation
		if err := a.Load([]float32{1}); err != nil {
			t.Fatal(err)
		}
		if err := pl.GEMV(make([]float32, 1), m, &a); !errors.Is(err, ErrClosed) {
			t.Errorf("GEMV after Close: %v", err)
		}
		if err := pl.GEMM(make([]float32, 1), m, unsafe.Slice(&a, 1)); !errors.Is(err, ErrClosed) {
			t.Errorf("GEMM after Close: %v", err)
		}
		if err := pl.Run(1, 1, func(_, _, _ int) { t.Error("f was called") }); !errors.Is(err, ErrClosed) {
			t.Errorf("Run after Close: %v", err)
		}
	}
	for wait := time.Millisecond; runtime.NumGoroutine() > before; wait *= 2 {
		if wait > 2*time.Second {
			t.Fatalf("%d goroutines are left, there were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(wait)
	}
	for _, n := range []int{-1, max(maxWorkers, runtime.GOMAXPROCS(0)) + 1, math.MaxInt} {
		if _, err := NewPool(n); !errors.Is(err, ErrShape) {
			t.Errorf("NewPool(%d): %v", n, err)
		}
	}
}

// TestPoolRun runs a caller's loops on a pool.
func TestPoolRun(t *testing.T) {
	for _, size := range []int{1, 2, 5} {
		pl, err := NewPool(size)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct{ n, grain int }{{0, 1}, {1, 1}, {7, 7}, {7, 100}, {8, 7}, {1000, 1}, {1000, 33}, {5, math.MaxInt}} {
			seen := make([]atomic.Int32, c.n)
			busy := make([]atomic.Bool, size)
			err := pl.Run(c.n, c.grain, func(worker, lo, hi int) {
				if busy[worker].Swap(true) {
					t.Errorf("worker %d has two ranges at once", worker)
				}
				if lo%c.grain != 0 || lo >= hi || hi-lo > c.grain || hi < c.n && hi-lo != c.grain {
					t.Errorf("range %d to %d of %d by %d", lo, hi, c.n, c.grain)
				}
				for i := lo; i < hi; i++ {
					seen[i].Add(1)
				}
				if c.n <= c.grain && worker != 0 {
					t.Errorf("worker %d", worker)
				}
				busy[worker].Store(false)
			})
			if err != nil {
				t.Fatal(err)
			}
			for i := range seen {
				if n := seen[i].Load(); n != 1 {
					t.Fatalf("%d by %d: %d was done %d times", c.n, c.grain, i, n)
				}
			}
		}
		nothing := func(_, _, _ int) {}
		if err := pl.Run(-1, 1, nothing); !errors.Is(err, ErrShape) {
			t.Errorf("-1 by 1: %v", err)
		}
		if err := pl.Run(1, 0, nothing); !errors.Is(err, ErrShape) {
			t.Errorf("1 by 0: %v", err)
		}
		// After a panic in the caller's range, the pool works on.
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			var once sync.Once
			for {
				_ = pl.Run(100, 1, func(worker, _, _ int) {
					if worker == 0 {
						once.Do(func() { panic("of f") })
					}
				})
			}
		}()
		var sum atomic.Int64
		if err := pl.Run(100, 3, func(_, lo, hi int) { sum.Add(int64(hi - lo)) }); err != nil || sum.Load() != 100 {
			t.Errorf("after a panic: %d of 100, %v", sum.Load(), err)
		}
		if err := pl.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPoolSmall checks that products too small to share, or too small to wait for
// workers, finish while all workers are busy. The workers are busy until the products are
// done.
func TestPoolSmall(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var mem guards
	defer mem.free()
	pl, err := NewPool(2)
	if err != nil {
		t.Fatal(err)
	}
	defer pl.Close()
	m := randomMatrix(&mem, r, datatype.BitMoD4, 128, 60, 300)
	larger := randomMatrix(&mem, r, datatype.BitMoD4, 128, 1200, 300)
	if work := larger.Rows() * larger.Cols(); work < 2*minShare || work >= minWait {
		t.Fatalf("a product of %d weights would not be shared, or wait", work)
	}
	as := make([]Activation, 2)
	for i := range as {
		if err := as[i].Load(activations(r, 300, false)); err != nil {
			t.Fatal(err)
		}
	}
	done, started, end := make(chan bool, 4), make(chan bool, 2), make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := pl.Run(2, 1, func(_, _, _ int) { started <- true; <-end }); err != nil {
			t.Error(err)
		}
	})
	<-started
	for range 4 {
		wg.Go(func() {
			got := make([]float32, 2*m.Rows())
			if err := pl.GEMV(got[:m.Rows()], m, &as[0]); err != nil {
				t.Error(err)
			}
			if err := pl.GEMM(got, m, as); err != nil {
				t.Error(err)
			}
			if err := pl.Run(1, 1, func(_, _, _ int) {}); err != nil {
				t.Error(err)
			}
			if err := pl.GEMV(make([]float32, larger.Rows()), larger, &as[0]); err != nil {
				t.Error(err)
			}
			done <- true
		})
	}
	timeout := time.After(time.Minute)
	for range 4 {
		select {
		case <-done:
		case <-timeout:
			t.Error("small products waited")
		}
	}
	close(end)
	wg.Wait()
}

// TestPoolShared uses, and then closes, one pool from several goroutines.
func TestPoolShared(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var mem guards
	defer mem.free()
	pl, err := NewPool(3)
	if err != nil {
		t.Fatal(err)
	}
	m := randomMatrix(&mem, r, datatype.BitMoD3, 128, 700, 600)
	var a Activation
	if err := a.Load(activations(r, 600, false)); err != nil {
		t.Fatal(err)
	}
	want := product(t, m, &a)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			got := make([]float32, len(want))
			for range 50 {
				if err := pl.GEMV(got, m, &a); err != nil {
					t.Error(err)
				} else if !slices.EqualFunc(want, got, sameBits) {
					t.Errorf("%v, want %v", got, want)
				}
				time.Sleep(time.Duration(i) * 20 * time.Microsecond)
			}
		})
	}
	wg.Wait()
	for range 4 {
		wg.Go(func() {
			if err := pl.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func product(t *testing.T, m *quant.Matrix, a *Activation) []float32 {
	t.Helper()
	dst := make([]float32, m.Rows())
	if err := GEMV(dst, m, a); err != nil {
		t.Fatal(err)
	}
	return dst
}
