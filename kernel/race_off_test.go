//go:build !race

package kernel

// poolsForget says that a sync.Pool drops some of what it is given, as it does with
// the race detector, so that allocations can't be counted.
const poolsForget = false
