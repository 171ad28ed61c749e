package checkpoint

import "sync"

// Progress is the progress of a run.
type Progress struct {
	Tensor string // being worked on
	// Done of Total bytes of the source are done. A tensor that is read twice, as NV
	// types need, counts twice.
	Done, Total int64
}

// A meter adds up the progress of any number of goroutines.
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

// reach adds the bytes that were left out because of an error.
func (m *meter) reach(tensor string, done int64) {
	m.mu.Lock()
	missing := done - m.done
	m.mu.Unlock()
	if missing > 0 {
		m.add(tensor, missing)
	}
}

// share returns the bytes of rows lo to hi−1, if all rows have the given number of
// bytes.
func share[N int | int64](bytes int64, rows, lo, hi N) int64 {
	each := bytes / int64(rows)
	if hi == rows {
		return bytes - each*int64(lo)
	}
	return each * int64(hi-lo)
}
