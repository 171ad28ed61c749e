package main

import (
	"io"
	"unicode"
	"unicode/utf8"
)

// A textWriter writes text in parts, which may end within a character. It leaves out
// control characters, which a terminal might act upon.
type textWriter struct {
	w    io.Writer
	part []byte // the beginning of a character
}

func newTextWriter(w io.Writer) *textWriter { return &textWriter{w: w} }

func (t *textWriter) write(b []byte) error {
	t.part = append(t.part, b...)
	var out []byte
	for len(t.part) > 0 && utf8.FullRune(t.part) {
		r, n := utf8.DecodeRune(t.part)
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			out = utf8.AppendRune(out, r)
		}
		t.part = t.part[n:]
	}
	if len(out) == 0 {
		return nil
	}
	_, err := t.w.Write(out)
	return err
}

// flush writes the bytes of an incomplete character.
func (t *textWriter) flush() error {
	if len(t.part) == 0 {
		return nil
	}
	t.part = nil
	_, err := io.WriteString(t.w, string(utf8.RuneError))
	return err
}
