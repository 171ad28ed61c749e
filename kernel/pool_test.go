package kernel

import (
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

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
		if err := pl.GEMM(make([]float32, 1), m, []Activation{a}); !errors.Is(err, ErrClosed) {
			t.Errorf("GEMM after Close: %v", err)
		}
	}
	for wait := time.Millisecond; runtime.NumGoroutine() > before; wait *= 2 {
		if wait > 2*time.Second {
			t.Fatalf("%d goroutines are left, there were %d", runtime.NumGoroutine(), before)
		}
		time.Sleep(wait)
	}
	if _, err := NewPool(-1); !errors.Is(err, ErrShape) {
		t.Errorf("NewPool(-1): %v", err)
	}
}

// TestPoolShared has several goroutines use, and then close, one pool.
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
