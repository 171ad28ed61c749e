package jsonedit

import "bytes"

// constants are what Python's json module writes for floats that JSON has no numbers
// for.
var constants = [][]byte{[]byte("-Infinity"), []byte("Infinity"), []byte("NaN")}

// Strict returns text with null in the place of NaN, Infinity and -Infinity, which
// package encoding/json refuses. Strings are left as they are.
func Strict(text []byte) []byte {
	var out []byte
	quoted, done := false, 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '-' || c == 'I' || c == 'N'):
			for _, k := range constants {
				if bytes.HasPrefix(text[i:], k) {
					out = append(append(out, text[done:i]...), "null"...)
					i += len(k) - 1
					done = i + 1
					break
				}
			}
		}
	}
	if done == 0 {
		return text
	}
	return append(out, text[done:]...)
}
