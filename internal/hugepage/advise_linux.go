package hugepage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// size is that of large pages on all systems but those with pages of 16 and 64 KiB,
// which then get advice for less or more than one of theirs, and need none.
const size = 2 << 20

func advise(b []byte) {
	if len(b) < 2*size {
		return
	}
	// Slices of the collector begin anywhere: those of 8 MiB fill three pages, and parts
	// of two. These are asked for, too, whatever else is in them.
	first := uintptr(unsafe.Pointer(&b[0])) &^ (size - 1)
	end := (uintptr(unsafe.Pointer(&b[len(b)-1])) | (size - 1)) + 1
	unix.Syscall(unix.SYS_MADVISE, first, end-first, unix.MADV_HUGEPAGE)
}
