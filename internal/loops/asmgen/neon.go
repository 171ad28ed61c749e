package main

import (
	"fmt"
	"strings"
)

// textARM64 begins a function that takes one pointer to its arguments, in R0.
func (f *file) textARM64(name, arg string) {
	f.stubs = append(f.stubs, stub{name, arg})
	fmt.Fprintf(f, "\n// func %s(a *%s)\nTEXT ·%s(SB), NOSPLIT, $0-8\n", name, arg, name)
	f.op("MOVD a+0(FP), R0")
}

// Instructions that the assembler does not know are words. TestWords compares them
// with what the GNU assembler makes of the comments. The operands are in the order of
// these: the result is the first.
var neonWords = map[string]struct {
	word uint32
	text string
}{
	"sdot":   {0x4f80e000, "sdot v%d.4s, v%d.16b, v%d.4b[%d]"},
	"smmla":  {0x4e80a400, "smmla v%d.4s, v%d.16b, v%d.16b"},
	"smull":  {0x0e20c000, "smull v%d.8h, v%d.8b, v%d.8b"},
	"smull2": {0x4e20c000, "smull2 v%d.8h, v%d.16b, v%d.16b"},
	"smlal":  {0x0e208000, "smlal v%d.8h, v%d.8b, v%d.8b"},
	"smlal2": {0x4e208000, "smlal2 v%d.8h, v%d.16b, v%d.16b"},
	"sadalp": {0x4e606800, "sadalp v%d.4s, v%d.8h"},
	"ushl":   {0x6ea04400, "ushl v%d.4s, v%d.4s, v%d.4s"},
	"umax":   {0x6ea06400, "umax v%d.4s, v%d.4s, v%d.4s"},
	"mul":    {0x4ea09c00, "mul v%d.4s, v%d.4s, v%d.4s"},
	"scvtf":  {0x4e21d800, "scvtf v%d.4s, v%d.4s"},
	"fadd":   {0x4e20d400, "fadd v%d.4s, v%d.4s, v%d.4s"},
	"fsub":   {0x4ea0d400, "fsub v%d.4s, v%d.4s, v%d.4s"},
	"fmla":   {0x4e20cc00, "fmla v%d.4s, v%d.4s, v%d.4s"},
	"fmlae":  {0x4f801000, "fmla v%d.4s, v%d.4s, v%d.s[%d]"},
	"fmule":  {0x4f809000, "fmul v%d.4s, v%d.4s, v%d.s[%d]"},
	"fmul":   {0x6e20dc00, "fmul v%d.4s, v%d.4s, v%d.4s"},
	"fmul0":  {0x4f809000, "fmul v%d.4s, v%d.4s, v%d.s[0]"},
}

// word emits an instruction of neonWords, whose operands are numbers of registers, and
// a last one of an element.
func (f *file) word(name string, operands ...int) {
	in := neonWords[name]
	var args []any
	for i, v := range operands {
		in.word |= uint32([]int{v, v << 5, v << 16, v&1<<21 | v>>1<<11}[i])
		args = append(args, v)
	}
	f.op("WORD $0x%08x // %s", in.word, fmt.Sprintf(in.text, args...))
}

// list returns n registers from one on as the assembler wants them.
func list(from, n int, arrangement string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("V%d.%s", from+i, arrangement))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
