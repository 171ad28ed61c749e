package checkpoint

import "sync"

// Progress is how far a run is.
type Progress struct {
	Tensor string // being worked on
	// Done of Total bytes are through. They are those of the source; a tensor that
	// is read twice, as NV types need, counts twice.
	Done, Total int64
}

// A meter adds up progress, also of several goroutines.
type meter struct {
	report func(Progress) // may be nil
	mu     sync.Mutex
	done   int64
	total  int64
}

func (m *meter) add(tensor string, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += bytes
	if m.report != nil {
		m.report(Progress{tensor, m.done, m.total})
	}
}

// reach makes up for what was not added because of an error.
func (m *meter) reach(tensor string, done int64) {
	m.mu.Lock()
	missing := done - m.done
	m.mu.Unlock()
	if missing > 0 {
		m.add(tensor, missing)
	}
}

// share returns the bytes that rows lo to hi−1 have of those of all rows.
func share[N int | int64](bytes int64, rows, lo, hi N) int64 {
	each := bytes / int64(rows)
	if hi == rows {
		return bytes - each*int64(lo)
	}
	return each * int64(hi-lo)
}
