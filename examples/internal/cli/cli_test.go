package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"testing"
)

func TestExecute(t *testing.T) {
	cause := errors.New("a signal")
	for _, c := range []struct {
		err      error
		canceled bool
		status   int
		want     string
	}{
		{nil, false, 0, ""},
		{nil, true, 0, ""},
		{flag.ErrHelp, false, 0, ""},
		{io.ErrUnexpectedEOF, false, 1, "p: unexpected EOF\n"},
		{io.ErrUnexpectedEOF, true, 1, "p: unexpected EOF\n"},
		{cause, false, 1, "p: a signal\n"},
		{fmt.Errorf("reading: %w", cause), true, 130, "p: interrupted\n"},
		{context.Canceled, true, 130, "p: interrupted\n"},
		{errors.New("p: bad"), false, 1, "p: bad\n"},
		{Usagef("no %d", 7), false, 2, "p: no 7; see -h for usage\n"},
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		if c.canceled {
			cancel(cause)
		}
		var stderr bytes.Buffer
		run := func(context.Context, []string, io.Writer, io.Writer) error { return c.err }
		if status := Execute(ctx, "p", run, nil, io.Discard, &stderr); status != c.status || stderr.String() != c.want {
			t.Errorf("%v, canceled %v: %d, %q; want %d, %q", c.err, c.canceled, status, stderr.String(), c.status, c.want)
		}
		cancel(nil)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args  []string
		names []string
		want  string
	}{
		{nil, nil, "[] 0 <nil>"},
		{[]string{"-n", "5"}, nil, "[] 5 <nil>"},
		{[]string{"-n", "5", "file"}, []string{"the file"}, "[file] 5 <nil>"},
		{[]string{"file", "-n", "5", "other"}, []string{"a file", "another"}, "[file other] 5 <nil>"},
		{[]string{"file"}, nil, `[] 0 unexpected argument "file"; see -h for usage`},
		{[]string{"file"}, []string{"a file", "another"}, "[] 0 another is missing; see -h for usage"},
		{[]string{"-n", "five"}, nil, `[] 0 invalid value "five" for flag -n: parse error; see -h for usage`},
		{[]string{"-m"}, nil, "[] 0 flag provided but not defined: -m; see -h for usage"},
		{[]string{"file", "-h"}, nil, "[] 0 flag: help requested"},
	} {
		fs := flag.NewFlagSet("p", flag.ContinueOnError)
		n := fs.Int("n", 0, "a `number`")
		var stderr bytes.Buffer
		found, err := Parse(fs, "usage: p\n", c.args, &stderr, c.names...)
		if got := fmt.Sprint(found, *n, err); got != c.want {
			t.Errorf("%q: %s, want %s", c.args, got, c.want)
		}
		help := "usage: p\n\nflags:\n  -n number\n    \ta number\n"
		if !errors.Is(err, flag.ErrHelp) {
			help = ""
		}
		if stderr.String() != help {
			t.Errorf("%q: standard error is %q, want %q", c.args, stderr.String(), help)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.00 kB", 9994: "9.99 kB", 9995: "10.0 kB", 99949: "99.9 kB", 99950: "100 kB",
		999499: "999 kB", 999500: "1.00 MB", 4938e6: "4.94 GB", 5e15: "5000 TB",
	} {
		if got := Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	x := []float64{3, 1, 2, 9}
	if got := Median(x); got != 3 || x[0] != 3 {
		t.Errorf("the median of 3, 1, 2, 9 is %v, and they are %v now", got, x)
	}
}
