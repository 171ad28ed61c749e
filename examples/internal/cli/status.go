package cli

import (
	"fmt"
	"io"
	"os"
	"time"
)

// A Status shows the progress of a program: in place on a terminal, as a line now and
// then elsewhere. It serves one caller at a time.
type Status struct {
	w        io.Writer
	terminal bool
	every    time.Duration
	now      func() time.Time
	shown    time.Time
	dirty    bool
}

// NewStatus returns a status that is written to w.
func NewStatus(w io.Writer) *Status {
	s := &Status{w: w, every: 30 * time.Second, now: time.Now}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			s.terminal, s.every = true, 100*time.Millisecond
		}
	}
	s.shown = s.now() // work of a moment shows nothing
	return s
}

// Show shows a line unless it showed one shortly before.
func (s *Status) Show(format string, args ...any) {
	now := s.now()
	if now.Sub(s.shown) < s.every {
		return
	}
	s.shown = now
	line := fmt.Sprintf(format, args...)
	if s.terminal {
		s.dirty = true
		fmt.Fprintf(s.w, "\r%s\x1b[K", line)
	} else {
		fmt.Fprintln(s.w, line)
	}
}

// Clear removes the line from a terminal, so that something else can be written.
func (s *Status) Clear() {
	if s.dirty {
		s.dirty = false
		fmt.Fprint(s.w, "\r\x1b[K")
	}
}
