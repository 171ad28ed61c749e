package cli

import (
	"strings"
	"testing"
	"time"
)

func TestStatus(t *testing.T) {
	for _, test := range []struct {
		terminal bool
		want     string
	}{
		{false, "20 s\n40 s\n"},
		{true, "\r20 s\x1b[K\r40 s\x1b[K\r\x1b[K"},
	} {
		var b strings.Builder
		s := NewStatus(&b)
		at := s.shown
		s.terminal, s.every, s.now = test.terminal, 15*time.Second, func() time.Time { return at }
		s.Clear() // there is nothing yet
		for seconds := 10; seconds <= 50; seconds += 10 {
			at = at.Add(10 * time.Second)
			s.Show("%d s", seconds)
		}
		s.Clear()
		s.Clear()
		if b.String() != test.want {
			t.Errorf("terminal %v: %q, want %q", test.terminal, b.String(), test.want)
		}
	}
}
