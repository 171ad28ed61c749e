//go:build (amd64 || arm64) && !purego

package kernel

// pause waits some tens of nanoseconds, in which the processor saves power and leaves
// its units to a thread that shares them.
//
//go:noescape
func pause()
