package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// TestProgressLines has 4 s of work behind it and 12 to go, after a start at
// half of what is shown.
func TestProgressLines(t *testing.T) {
	const name = "model.layers.11.self_attn.a_long_name_of_a_projection.weight"
	for _, terminal := range []bool{false, true} {
		var b bytes.Buffer
		now := time.Unix(0, 0)
		p := newProgress(&b)
		p.terminal, p.now, p.every = terminal, func() time.Time { return now }, time.Second
		p.update(checkpoint.Progress{Tensor: name, Done: 100e6, Total: 500e6}) // finished before
		now = now.Add(500 * time.Millisecond)
		p.update(checkpoint.Progress{Tensor: name, Done: 110e6, Total: 500e6}) // too soon to show
		now = now.Add(3500 * time.Millisecond)
		p.update(checkpoint.Progress{Tensor: name, Done: 200e6, Total: 500e6})
		p.end()
		want := " 40%  200 MB of 500 MB  25.0 MB/s  12s left  "
		if terminal {
			want = "\r[" + strings.Repeat("█", 12) + strings.Repeat("·", 18) + "] " + want + "…" + name[len(name)-39:] + "\x1b[K\r\x1b[K"
		} else {
			want += name + "\n"
		}
		if b.String() != want {
			t.Errorf("terminal %v:\ngot  %q\nwant %q", terminal, b.String(), want)
		}
	}
}
