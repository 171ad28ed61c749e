package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A progress shows the progress of a run: a bar in place on a terminal, a line now and
// then elsewhere.
type progress struct {
	w        io.Writer
	terminal bool
	every    time.Duration
	now      func() time.Time
	start    time.Time
	shown    time.Time
	first    int64 // done when it started
	started  bool
}

func newProgress(w io.Writer) *progress {
	p := &progress{w: w, every: 10 * time.Second, now: time.Now}
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			p.terminal, p.every = true, 100*time.Millisecond
		}
	}
	return p
}

func (p *progress) update(s checkpoint.Progress) {
	now := p.now()
	if !p.started {
		// Bytes that were finished before do not count for the rate.
		p.started, p.start, p.shown, p.first = true, now, now, s.Done
		return
	}
	if now.Sub(p.shown) < p.every {
		return
	}
	p.shown = now
	line := p.line(s, now.Sub(p.start))
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
	} else {
		fmt.Fprintln(p.w, line)
	}
}

func (p *progress) line(s checkpoint.Progress, elapsed time.Duration) string {
	share := 0.
	if s.Total > 0 {
		share = min(float64(s.Done)/float64(s.Total), 1)
	}
	var b strings.Builder
	if p.terminal {
		const width = 30
		n := int(share * width)
		b.WriteString("[" + strings.Repeat("█", n) + strings.Repeat("·", width-n) + "] ")
	}
	fmt.Fprintf(&b, "%3.0f%%  %s of %s", 100*share, cli.Size(s.Done), cli.Size(s.Total))
	if rate := float64(s.Done-p.first) / elapsed.Seconds(); rate > 0 {
		left := time.Duration(float64(s.Total-s.Done) / rate * float64(time.Second))
		fmt.Fprintf(&b, "  %s/s  %v left", cli.Size(int64(rate)), left.Round(time.Second))
	}
	name := show(s.Tensor)
	if r := []rune(name); p.terminal && len(r) > 40 {
		name = "…" + string(r[len(r)-39:])
	}
	return b.String() + "  " + name
}

// end clears the bar.
func (p *progress) end() {
	if p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
