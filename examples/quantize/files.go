package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// listFiles prints the files that a run has written.
func listFiles(w io.Writer, r *checkpoint.Result) {
	for _, path := range r.Resumed {
		fmt.Fprintf(w, "%s was finished already\n", path)
	}
	for _, path := range r.Written {
		fmt.Fprintf(w, "%s is written\n", path)
	}
	if r.Index != "" {
		fmt.Fprintf(w, "%s is written\n", r.Index)
	}
}

// listCompanions prints a line for the files beside the weights that are copied, one
// for each that is changed, and one for each reason to leave some out.
func listCompanions(w io.Writer, dst string, r *checkpoint.Result) {
	if strings.HasSuffix(dst, ".safetensors") {
		fmt.Fprintf(w, "%s is one file: config.json and the other files of the model are not copied\n", dst)
		return
	}
	var copied, reasons []string
	left := make(map[string][]string)
	for _, c := range r.Companions {
		switch {
		case c.LeftOut != "":
			if left[c.LeftOut] == nil {
				reasons = append(reasons, c.LeftOut)
			}
			left[c.LeftOut] = append(left[c.LeftOut], c.Name)
		case c.Changed != "":
			fmt.Fprintf(w, "%s is copied: %s\n", filepath.Join(dst, c.Name), c.Changed)
		default:
			copied = append(copied, c.Name)
		}
	}
	if len(copied) > 0 {
		fmt.Fprintf(w, "copied beside it: %s\n", quoteList(copied))
	}
	for _, why := range reasons {
		fmt.Fprintf(w, "left out, %s: %s\n", why, quoteList(left[why]))
	}
	if len(r.Others) > 0 {
		fmt.Fprintf(w, "not part of the result, and left alone: %s\n", quoteList(r.Others))
	}
}

// quoteList joins names as [show] formats them, and shortens long lists.
func quoteList(names []string) string {
	const most = 12
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(show(n))
	}
	return b.String()
}
