// Package generaltext has a text to calibrate models with, for users without a text like
// those that their model will read. README.md lists its sources.
package generaltext

import _ "embed"

// Text is 130 kB of English prose of several kinds.
//
//go:embed general.txt
var Text string
