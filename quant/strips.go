package quant

import (
	"runtime"
	"sync"

	"github.com/bitmod-go/bitmod/internal/loops/algebra"
)

const (
	// stripWorth is the least number of multiplications that are worth a goroutine.
	stripWorth = 1 << 22
	// stripVectors is the number of vectors that are added to a strip at a time. Their
	// part in a strip stays in the cache.
	stripVectors = 128
)

// inStrips divides sums of cols columns into strips of a tile's width. It calls add on up
// to GOMAXPROCS goroutines, each for every every-th strip from the first on.
// multiplications is the number of multiplications of all strips together.
func inStrips(cols, multiplications int, add func(first, every int)) {
	workers := max(1, min(runtime.GOMAXPROCS(0), multiplications/stripWorth, cols/algebra.TileCols))
	var wg sync.WaitGroup
	for first := 1; first < workers; first++ {
		wg.Go(func() { add(first, workers) })
	}
	add(0, workers)
	wg.Wait()
}

// widenVectors copies vectors of n elements, which lie side by side in x, to dst, where
// they are stride elements apart.
func widenVectors(dst []float64, stride int, x []float32, n int) {
	var w any = x
	for v := range len(x) / n {
		widen(dst[v*stride:][:n], w, v*n)
	}
}
