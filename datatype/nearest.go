package datatype

import "strings"

// nearest returns the name with the least edit distance from s, ignoring case. Of names
// with the same distance, it returns the first. It returns "" if a third of s would have
// to change.
func nearest(s string, names []string) string {
	s = strings.ToLower(s)
	if len(s) > 32 {
		return "" // longer than any name
	}
	found, least := "", len(s)/3+1
	for _, name := range names {
		if d := edits(s, name); d < least {
			found, least = name, d
		}
	}
	return found
}

// edits returns the number of bytes to insert, delete or replace to turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // the distances from a prefix of a to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := before
			if a[i] != b[j] {
				d = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], d
		}
	}
	return row[len(b)]
}
