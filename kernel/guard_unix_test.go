//go:build unix

package kernel

import (
	"os"
	"syscall"
)

// guards are pieces of memory, each with a protected page after it.
type guards struct{ maps [][]byte }

// bytes returns n zero bytes in front of a protected page, so that reading beyond them is
// a fault.
func (g *guards) bytes(n int) []byte {
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	b, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	if err := syscall.Mprotect(b[size:], syscall.PROT_NONE); err != nil {
		panic(err)
	}
	g.maps = append(g.maps, b)
	return b[size-n : size : size]
}

// free unmaps all guards.
func (g *guards) free() {
	for _, b := range g.maps {
		if err := syscall.Munmap(b); err != nil {
			panic(err)
		}
	}
	g.maps = nil
}
