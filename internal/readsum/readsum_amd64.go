//go:build !purego

package readsum

import "golang.org/x/sys/cpu"

func sum(b []byte) uint64 {
	if cpu.X86.HasAVX2 {
		return sumAVX2(&b[0], len(b))
	}
	return sumGeneric(b)
}

//go:noescape
func sumAVX2(p *byte, n int) uint64
