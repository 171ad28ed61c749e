package checkpoint_test

import (
	"fmt"
	"time"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// Say where the time of a run went.
func ExampleTimes() {
	r := checkpoint.Result{Times: checkpoint.Times{ // as Plan.Run sets it
		Reading: 260 * time.Millisecond, Quantizing: 1700 * time.Millisecond, Hashing: 310 * time.Millisecond,
		Writing: 140 * time.Millisecond, Syncing: 90 * time.Millisecond,
	}}
	fmt.Println(r.Times)
	// Output:
	// reading 260ms, quantizing 1.7s, hashing 310ms, writing 140ms, syncing 90ms
}
