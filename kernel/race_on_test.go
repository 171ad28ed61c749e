//go:build race

package kernel

// poolsForget reports whether a sync.Pool drops some of its items, as it does with the
// race detector. Allocations can't be counted then.
const poolsForget = true
