//go:build (amd64 || arm64) && !purego

package kernel

import (
	"testing"
	"unsafe"
)

// TestPanelAlignment checks that the memory for stores of vectors begins at a cache line.
func TestPanelAlignment(t *testing.T) {
	p, f, w := panelPool.New().(*panelWork), floatPool.New().(*floatWork), widePool.New().(*wideWork)
	for _, c := range []struct {
		name string
		at   unsafe.Pointer
	}{
		{"panelWork.acc", unsafe.Pointer(&p.acc)}, {"panelWork.block", unsafe.Pointer(&p.block)},
		{"panelWork.outer", unsafe.Pointer(&p.outer)}, {"panelWork.out", unsafe.Pointer(&p.out)},
		{"panelWork.panel", unsafe.Pointer(&p.panel)}, {"panelWork.k", unsafe.Pointer(&p.k)},
		{"panelWork.sel", unsafe.Pointer(&p.sel)}, {"panelWork.scratch", unsafe.Pointer(&p.scratch)},
		{"floatWork.acc", unsafe.Pointer(&f.acc)}, {"floatWork.wide", unsafe.Pointer(&f.wide)},
		{"floatWork.zeros", unsafe.Pointer(&f.zeros)}, {"floatWork.out", unsafe.Pointer(&f.out)},
		{"floatWork.panel", unsafe.Pointer(&f.panel)}, {"floatWork.k", unsafe.Pointer(&f.k)},
		{"wideWork.high", unsafe.Pointer(&w.high)}, {"wideWork.kHigh", unsafe.Pointer(&w.kHigh)},
		{"wideWork.panel", unsafe.Pointer(&w.panel)}, {"wideWork.acc", unsafe.Pointer(&w.acc)},
	} {
		if n := uintptr(c.at) % 64; n != 0 {
			t.Errorf("%s is %d bytes behind a multiple of 64", c.name, n)
		}
	}
}
