// Package hugepage asks the system for large pages.
//
// A page of 2 MiB needs one entry of the address translation where 4 KiB pages need
// 512, and is filled at once; reading memory in order is up to twice as fast.
package hugepage

// Bytes returns n zero bytes. If they are many and the system has large pages for
// whoever asks, it is asked for those that they are in, before anything is written to
// them, which is when pages are chosen. That is advice, which no reader can see the
// effect of but by a clock, and there is nothing to be told if it is not taken.
func Bytes(n int) []byte {
	b := make([]byte, n)
	advise(b)
	return b
}
