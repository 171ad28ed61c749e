package hugepage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// size is the size of a large page on systems whose pages have 4 KiB. Systems with
// pages of 16 and 64 KiB have other large pages, but do not need this advice.
const size = 2 << 20

func advise(b []byte) {
	if len(b) < 2*size {
		return
	}
	// Slices may begin anywhere in a page: one of 8 MiB fills three pages and parts of
	// two. The advice includes those two, whatever else is in them.
	first := uintptr(unsafe.Pointer(&b[0])) &^ (size - 1)
	end := (uintptr(unsafe.Pointer(&b[len(b)-1])) | (size - 1)) + 1
	unix.Syscall(unix.SYS_MADVISE, first, end-first, unix.MADV_HUGEPAGE)
}
