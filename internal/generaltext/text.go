// Package generaltext has a text to calibrate models with, for those who have none that is
// like what their model is for. README.md says where it is from.
package generaltext

import _ "embed"

// Text is 130 kB of English prose of several kinds.
//
//go:embed general.txt
var Text string
