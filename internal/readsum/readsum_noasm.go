//go:build !amd64 || purego

package readsum

func sum(b []byte) uint64 { return sumGeneric(b) }
