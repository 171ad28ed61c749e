package group

// Counts returns the numbers of groups that vector instructions tried, of groups whose
// errors were added up again, and of groups left to Select. It returns false if the type
// has no vector instructions.
func (s *Selector) Counts() (groups, recounts, rest int, ok bool) {
	if s == nil || s.fast == nil {
		return 0, 0, 0, false
	}
	return s.fast.groups, s.fast.recounts, s.fast.rest, true
}
