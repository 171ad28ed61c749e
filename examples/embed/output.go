package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/bitmod-go/bitmod/internal/llm/encoder"
)

const (
	chunk     = 1024 // sentences that are embedded before they are printed
	mostTable = 200  // sentences of a table
)

// A line is the output of -json for a sentence.
type line struct {
	Sentence  string    `json:"sentence"`
	Embedding []float32 `json:"embedding"`
}

// lines prints the vector of each sentence.
func (s *session) lines(ctx context.Context, from *source, w *bufio.Writer, asJSON bool) error {
	for {
		some, err := from.next(chunk)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			if s.sentences == 0 {
				return errNone
			}
			return nil
		}
		vectors, err := s.embed(ctx, some)
		if err != nil {
			return err
		}
		enc := json.NewEncoder(w)
		for i, v := range vectors {
			if asJSON {
				err = enc.Encode(line{some[i], v})
			} else {
				err = text(w, v)
			}
			if err != nil {
				return err
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
	}
}

func text(w *bufio.Writer, v []float32) error {
	var b []byte
	for i, x := range v {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendFloat(b, float64(x), 'g', -1, 32)
	}
	_, err := w.Write(append(b, '\n'))
	return err
}

// table prints the cosines of all pairs of sentences.
func (s *session) table(ctx context.Context, from *source, w *bufio.Writer) error {
	all, err := from.all(mostTable)
	if err != nil {
		return err
	}
	vectors, err := s.embed(ctx, all)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%4s", "")
	for i := range all {
		fmt.Fprintf(w, "%6d", i+1)
	}
	fmt.Fprintln(w)
	for i, a := range vectors {
		fmt.Fprintf(w, "%4d", i+1)
		for _, b := range vectors {
			fmt.Fprintf(w, "%6.2f", encoder.Cosine(a, b))
		}
		if _, err := fmt.Fprintf(w, "  %s\n", printable(all[i])); err != nil {
			return err
		}
	}
	return nil
}

// printable returns the beginning of a sentence without control characters, which a
// terminal might act upon.
func printable(s string) string {
	const most = 60
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString("…")
			break
		}
		if !unicode.IsPrint(r) {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}
