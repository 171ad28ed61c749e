//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// assembly says whether there is any in this build.
const assembly = true

// implementations returns those of this machine, the fastest last.
func implementations() []implementation {
	is := []implementation{portable}
	if cpu.X86.HasAVX2 {
		is = append(is, avx2)
	}
	return is
}
