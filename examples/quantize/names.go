package main

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// show formats a text of a file, such as a tensor's name, so that it cannot be
// mistaken: in quotes, with escapes, and shortened if it is very long, unless it is one
// word of printable characters.
func show(text string) string {
	if text != "" && badfile.Quote(text) == `"`+text+`"` && !strings.ContainsAny(text, " \u00a0\u3000") {
		return text
	}
	return badfile.Quote(text)
}

// compareNames compares numbers in names as numbers: layer 2 comes before layer 10.
func compareNames(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		p, q := digits(x), digits(y)
		if p == 0 || q == 0 {
			if x[0] != y[0] {
				return cmp.Compare(x[0], y[0])
			}
			x, y = x[1:], y[1:]
			continue
		}
		m, n := strings.TrimLeft(x[:p], "0"), strings.TrimLeft(y[:q], "0")
		if c := cmp.Or(cmp.Compare(len(m), len(n)), strings.Compare(m, n)); c != 0 {
			return c
		}
		x, y = x[p:], y[q:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits returns the length of the number that s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

// kindOf replaces the first number of a name, which is the layer, and the number of an
// expert by *.
func kindOf(name string) (kind string, layer int) {
	parts := strings.Split(name, ".")
	layer = -1
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		switch {
		case err != nil || n < 0:
		case i > 0 && strings.HasSuffix(parts[i-1], "experts"):
			parts[i] = "*"
		case layer < 0:
			parts[i], layer = "*", n
		}
	}
	return strings.Join(parts, "."), layer
}
