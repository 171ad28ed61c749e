package group

// Counts returns the groups that vector instructions have seen, those whose errors were
// added up again, and those that were left to Select; false if there are none for the type.
func (s *Selector) Counts() (groups, recounts, rest int, ok bool) {
	if s == nil || s.fast == nil {
		return 0, 0, 0, false
	}
	return s.fast.groups, s.fast.recounts, s.fast.rest, true
}
