// Package cli is shared by the example programs. It parses command lines, sets exit
// statuses and formats numbers.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// A Run is a program, with everything from outside as an argument.
type Run func(ctx context.Context, args []string, stdout, stderr io.Writer) error

// Errors in the command line match ErrUsage.
var ErrUsage = errors.New("see -h for usage")

// Usagef returns an error that matches ErrUsage.
func Usagef(format string, args ...any) error {
	return fmt.Errorf("%w; %w", fmt.Errorf(format, args...), ErrUsage)
}

// Main runs a program and exits with its status. The first signal cancels the
// context, the second one ends the process as usual.
func Main(name string, run Run) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(Execute(ctx, name, run, os.Args[1:], os.Stdout, os.Stderr))
}

// Execute runs a program, writes its error to stderr and returns the exit status:
// 0, 1 for a failure, 2 for wrong usage, 130 for an interruption.
func Execute(ctx context.Context, name string, run Run, args []string, stdout, stderr io.Writer) int {
	err := run(ctx, args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case ctx.Err() != nil && (errors.Is(err, ctx.Err()) || errors.Is(err, context.Cause(ctx))):
		fmt.Fprintf(stderr, "%s: interrupted\n", name)
		return 130
	}
	// A package with the program's name may begin its errors with it.
	fmt.Fprintf(stderr, "%s: %s\n", name, strings.TrimPrefix(err.Error(), name+": "))
	if errors.Is(err, ErrUsage) {
		return 2
	}
	return 1
}

// Parse parses flags and, among them, arguments, of which there must be one for each of
// names. -h writes usage and the flags to stderr and returns flag.ErrHelp. Other errors
// match ErrUsage.
func Parse(fs *flag.FlagSet, usage string, args []string, stderr io.Writer, names ...string) ([]string, error) {
	found, err := ParseAny(fs, usage, args, stderr)
	switch {
	case err != nil:
		return nil, err
	case len(found) > len(names):
		return nil, Usagef("unexpected argument %q", found[len(names)])
	case len(found) < len(names):
		return nil, Usagef("%s is missing", names[len(found)])
	}
	return found, nil
}

// ParseAny is Parse for any number of arguments.
func ParseAny(fs *flag.FlagSet, usage string, args []string, stderr io.Writer) ([]string, error) {
	fs.SetOutput(io.Discard) // Execute writes errors
	var found []string
	for {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintf(stderr, "%s\nflags:\n", usage)
			fs.SetOutput(stderr)
			fs.PrintDefaults()
			return nil, err
		}
		if err != nil {
			return nil, Usagef("%w", err)
		}
		if fs.NArg() == 0 {
			break
		}
		found = append(found, fs.Arg(0))
		args = fs.Args()[1:]
	}
	return found, nil
}

// Size writes a number of bytes with three digits.
func Size[T int | int64](bytes T) string {
	if bytes < 1000 {
		return fmt.Sprintf("%d B", bytes)
	}
	x, unit := float64(bytes)/1e3, "kB"
	for _, u := range []string{"MB", "GB", "TB"} {
		if x < 999.5 {
			break
		}
		x, unit = x/1e3, u
	}
	digits := 0
	switch {
	case x < 9.995:
		digits = 2
	case x < 99.95:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, x, unit)
}

// Median returns the middle value, the greater of two.
func Median(x []float64) float64 {
	return slices.Sorted(slices.Values(x))[len(x)/2]
}
