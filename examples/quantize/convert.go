package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// quantize is the command without a name.
func quantize(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.in == "" {
		return compare(ctx, stdout, o)
	}
	source, err := checkpoint.Open(o.in)
	if err != nil {
		return err
	}
	defer source.Close()
	bar := newProgress(stderr)
	layers := new(gains)
	if o.bits != 0 || o.calibration.text != "" {
		collect(100)
	}
	if o.bits != 0 {
		if err := o.shareOut(ctx, stdout, source); err != nil {
			return err
		}
	}
	switch {
	case o.calibration.text == "":
	case o.calibration.isStatistics():
		if o.calibrator, err = o.calibration.static(stdout, source); err != nil {
			return err
		}
	default:
		var end func()
		if o.calibrator, layers, end, err = o.calibration.start(source, stdout, bar.end); err != nil {
			return err
		}
		defer end()
	}
	plan, err := checkpoint.NewPlan(source, o.planOptions())
	if err != nil {
		return err
	}
	if err := o.summary(stdout, source, plan.Items()); err != nil {
		return err
	}
	warnAgain(stdout, plan.Items())
	listForms(stdout, source, plan.Items())
	if o.calibrator == nil {
		fmt.Fprintln(stdout, wouldGive)
	}
	if quantized(plan.Items()) == 0 {
		return fmt.Errorf("%s: there is no tensor to quantize", o.in)
	}
	if o.verbose && !o.measure {
		if err := preview(stdout, plan.Items(), false); err != nil {
			return err
		}
	}
	if o.dryRun && !o.measure {
		return nil
	}

	start := time.Now()
	var r *checkpoint.Result
	if o.dryRun {
		r, err = plan.Measure(ctx, bar.update)
	} else {
		r, err = plan.Run(ctx, o.out, checkpoint.RunOptions{Part: o.part, Overwrite: o.overwrite, Measure: o.measure, Progress: bar.update})
	}
	bar.end()
	layers.flush()
	if err != nil {
		if ctx.Err() != nil && !o.dryRun {
			fmt.Fprintln(stderr, "files with final names are complete; run the same command again to continue after them")
		}
		return err
	}
	if o.measure {
		if o.verbose {
			err = preview(stdout, r.Items, true)
		} else {
			err = previewKinds(stdout, r.Items)
		}
		if err != nil {
			return err
		}
		sum := sums(r.Items).stats
		fmt.Fprintf(stdout, "SQNR %.2f dB%s\n", sum.SQNR(), zeroedGroups(sum))
	}
	listFiles(stdout, r)
	if o.verbose {
		fmt.Fprintf(stdout, "time of all goroutines: %v\n", r.Times)
	}
	if !o.dryRun && o.part == 0 {
		listCompanions(stdout, o.out, r)
	}
	if o.parts > 1 && !o.dryRun {
		fmt.Fprintf(stdout, "this was part %d of %d; when all parts are done, run: quantize merge %s\n", o.part, o.parts, o.out)
	}
	if o.report != "" {
		if err := writeReport(o.report, newReport(o.in, plan, r, time.Since(start))); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s is written\n", o.report)
	}
	return nil
}

func (o *options) planOptions() checkpoint.Options {
	return checkpoint.Options{
		Config: o.config, Calibrator: o.calibrator, Rules: o.rules, Kept: o.kept, Strict: o.strict,
		ShardSize: o.shardSize, Parts: o.parts, Tool: "bitmod quantize",
	}
}

func quantized(items []checkpoint.Item) int {
	n := 0
	for _, it := range items {
		if it.To.Quantized {
			n++
		}
	}
	return n
}

// merge is the command of that name.
func merge(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	paths, err := cli.Parse(newFlags(), usage, args, stderr, "the directory")
	if err != nil {
		return err
	}
	bar := newProgress(stderr)
	path, err := checkpoint.Merge(ctx, paths[0], bar.update)
	bar.end()
	if errors.Is(err, checkpoint.ErrIncomplete) {
		return fmt.Errorf("%w: run these parts again", err)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: all shards are complete\n", path)
	return nil
}
