package checkpoint

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Times are the times that the stages of a run took, added up over all goroutines, so that
// their sum may exceed the duration of the run. They include waiting for a processor.
type Times struct {
	// Reading is the reading of the source, but for the first of the two times that NV
	// types need.
	Reading time.Duration
	// Quantizing is the work of [quant.Group] or of the Calibrator. It includes measuring
	// errors, and the conversion of floats that are not quantized.
	Quantizing time.Duration
	// Hashing is the work on checksums of what is written.
	Hashing time.Duration
	// Writing is the time in calls that write, and Syncing the time from the last write of
	// a file until the file is on the disk under its name.
	Writing, Syncing time.Duration
}

// String returns the times on one line.
func (t Times) String() string {
	r := func(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
	return fmt.Sprintf("reading %v, quantizing %v, hashing %v, writing %v, syncing %v",
		r(t.Reading), r(t.Quantizing), r(t.Hashing), r(t.Writing), r(t.Syncing))
}

// A stage is a stage of a run.
type stage int

const (
	reading stage = iota
	quantizing
	hashing
	writing
	syncing
	stages
)

// A stopwatch adds up the times of stages. A nil stopwatch does nothing.
type stopwatch [stages]atomic.Int64

// lap adds the time since start to a stage, and returns the time now.
func (w *stopwatch) lap(s stage, start time.Time) time.Time {
	now := time.Now()
	if w != nil {
		w[s].Add(int64(now.Sub(start)))
	}
	return now
}

func (w *stopwatch) times() Times {
	of := func(s stage) time.Duration { return time.Duration(w[s].Load()) }
	return Times{of(reading), of(quantizing), of(hashing), of(writing), of(syncing)}
}
