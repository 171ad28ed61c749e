package hugepage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// size is that of large pages on all systems but those with pages of 16 and 64 KiB,
// where it is a multiple of this, so that the system leaves an advised part as it is.
const size = 2 << 20

func advise(b []byte) {
	if len(b) < 2*size {
		return
	}
	before := int(-uintptr(unsafe.Pointer(&b[0])) % size)
	if n := (len(b) - before) / size * size; n > 0 {
		unix.Madvise(b[before:before+n], unix.MADV_HUGEPAGE)
	}
}
