package serial

// A Pipeline counts the cycles of a processing element whose partial sums go to one
// dequantizer ([Dequantize]). The element hands over a finished group as soon as the
// dequantizer is free, and then begins the next group. The 8 cycles of dequantization
// are hidden if the next group takes 8 cycles or more; otherwise the element stalls for
// the rest of them. The zero value is ready to use; a nil Pipeline counts nothing.
type Pipeline struct {
	now    int64 // when the element can start the next group
	free   int64 // when the dequantizer is free
	stalls int64
}

// Group adds a group of some cycles in the processing element and 8 in the dequantizer.
// It returns the number of cycles that the element waited to hand the group over. A
// negative number of cycles counts as 0.
func (p *Pipeline) Group(cycles int) (stall int) {
	if p == nil {
		return 0
	}
	done := p.now + int64(max(cycles, 0))
	p.now = max(done, p.free)
	p.free = p.now + scaleBits
	p.stalls += p.now - done
	return int(p.now - done)
}

// Cycles returns the number of cycles until the last group is dequantized: the cycles
// of all groups in the element, the stalls, and 8 cycles for the last dequantization.
func (p *Pipeline) Cycles() int64 {
	if p == nil {
		return 0
	}
	return p.free
}

// Stalls returns the cycles that the element has waited.
func (p *Pipeline) Stalls() int64 {
	if p == nil {
		return 0
	}
	return p.stalls
}
