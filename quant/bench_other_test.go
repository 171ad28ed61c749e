//go:build !unix

package quant_test

import "time"

// processorTime is unknown on this system.
func processorTime() time.Duration { return 0 }
