package main

import (
	"fmt"
	"strings"
)

// textARM64 begins a function that takes one pointer to its arguments, in R0.
func (f *file) textARM64(name, arg string) { f.frameARM64(name, arg, 0) }

// frameARM64 is textARM64 for a function with a frame of size bytes.
func (f *file) frameARM64(name, arg string, size int) {
	f.stubs = append(f.stubs, stub{name, arg})
	fmt.Fprintf(f, "\n// func %s(a *%s)\nTEXT ·%s(SB), NOSPLIT, $%d-8\n", name, arg, name, size)
	f.op("MOVD a+0(FP), R0")
}

// Instructions that Go's assembler lacks are written as words. TestWords assembles the
// comments with the GNU assembler and compares. Operands are in its order, the result
// first.
var neonWords = map[string]struct {
	word uint32
	text string
}{
	"sdot":    {0x4f80e000, "sdot v%d.4s, v%d.16b, v%d.4b[%d]"},
	"smmla":   {0x4e80a400, "smmla v%d.4s, v%d.16b, v%d.16b"},
	"smull":   {0x0e20c000, "smull v%d.8h, v%d.8b, v%d.8b"},
	"smull2":  {0x4e20c000, "smull2 v%d.8h, v%d.16b, v%d.16b"},
	"smlal":   {0x0e208000, "smlal v%d.8h, v%d.8b, v%d.8b"},
	"smlal2":  {0x4e208000, "smlal2 v%d.8h, v%d.16b, v%d.16b"},
	"sadalp":  {0x4e606800, "sadalp v%d.4s, v%d.8h"},
	"ushl":    {0x6ea04400, "ushl v%d.4s, v%d.4s, v%d.4s"},
	"sshr31":  {0x4f210400, "sshr v%d.4s, v%d.4s, #31"},
	"umax":    {0x6ea06400, "umax v%d.4s, v%d.4s, v%d.4s"},
	"uminb":   {0x6e206c00, "umin v%d.16b, v%d.16b, v%d.16b"},
	"umaxv":   {0x6eb0a800, "umaxv s%d, v%d.4s"},
	"uminv":   {0x6eb1a800, "uminv s%d, v%d.4s"},
	"mul":     {0x4ea09c00, "mul v%d.4s, v%d.4s, v%d.4s"},
	"xtn":     {0x0ea12800, "xtn v%d.2s, v%d.2d"},
	"xtn2":    {0x4ea12800, "xtn2 v%d.4s, v%d.2d"},
	"sqadd":   {0x4e600c00, "sqadd v%d.8h, v%d.8h, v%d.8h"},
	"sqxtn":   {0x0e614800, "sqxtn v%d.4h, v%d.4s"},
	"sqxtn2":  {0x4e614800, "sqxtn2 v%d.8h, v%d.4s"},
	"sqxtun":  {0x2e212800, "sqxtun v%d.8b, v%d.8h"},
	"sqxtun2": {0x6e212800, "sqxtun2 v%d.16b, v%d.8h"},
	"scvtf":   {0x4e21d800, "scvtf v%d.4s, v%d.4s"},
	"fcvtzs":  {0x4ea1b800, "fcvtzs v%d.4s, v%d.4s"},
	"frintn":  {0x4e218800, "frintn v%d.4s, v%d.4s"},
	"fadd":    {0x4e20d400, "fadd v%d.4s, v%d.4s, v%d.4s"},
	"faddp":   {0x7e30d800, "faddp s%d, v%d.2s"},
	"fsub":    {0x4ea0d400, "fsub v%d.4s, v%d.4s, v%d.4s"},
	"fabd":    {0x6ea0d400, "fabd v%d.4s, v%d.4s, v%d.4s"},
	"fabs":    {0x4ea0f800, "fabs v%d.4s, v%d.4s"},
	"fneg":    {0x6ea0f800, "fneg v%d.4s, v%d.4s"},
	"fdiv":    {0x6e20fc00, "fdiv v%d.4s, v%d.4s, v%d.4s"},
	"fmin":    {0x4ea0f400, "fmin v%d.4s, v%d.4s, v%d.4s"},
	"fmax":    {0x4e20f400, "fmax v%d.4s, v%d.4s, v%d.4s"},
	"fminv":   {0x6eb0f800, "fminv s%d, v%d.4s"},
	"fmaxv":   {0x6e30f800, "fmaxv s%d, v%d.4s"},
	"fminnm":  {0x4ea0c400, "fminnm v%d.4s, v%d.4s, v%d.4s"},
	"fmaxnm":  {0x4e20c400, "fmaxnm v%d.4s, v%d.4s, v%d.4s"},
	"fcmgt":   {0x6ea0e400, "fcmgt v%d.4s, v%d.4s, v%d.4s"},
	"fcmgt0":  {0x4ea0c800, "fcmgt v%d.4s, v%d.4s, #0.0"},
	"fmla":    {0x4e20cc00, "fmla v%d.4s, v%d.4s, v%d.4s"},
	"fmls":    {0x4ea0cc00, "fmls v%d.4s, v%d.4s, v%d.4s"},
	"fmlae":   {0x4f801000, "fmla v%d.4s, v%d.4s, v%d.s[%d]"},
	"fmule":   {0x4f809000, "fmul v%d.4s, v%d.4s, v%d.s[%d]"},
	"fmul":    {0x6e20dc00, "fmul v%d.4s, v%d.4s, v%d.4s"},
	"fmul0":   {0x4f809000, "fmul v%d.4s, v%d.4s, v%d.s[0]"},
	"fcvtlh":  {0x0e217800, "fcvtl v%d.4s, v%d.4h"},
	"fcvtlh2": {0x4e217800, "fcvtl2 v%d.4s, v%d.8h"},

	// on float64
	"fcvtl":  {0x0e617800, "fcvtl v%d.2d, v%d.2s"},
	"fcvtl2": {0x4e617800, "fcvtl2 v%d.2d, v%d.4s"},
	"fcvtn":  {0x0e616800, "fcvtn v%d.2s, v%d.2d"},
	"fcvtn2": {0x4e616800, "fcvtn2 v%d.4s, v%d.2d"},
	"dcvtzs": {0x4ee1b800, "fcvtzs v%d.2d, v%d.2d"},
	"drintm": {0x4e619800, "frintm v%d.2d, v%d.2d"},
	"dmin":   {0x4ee0f400, "fmin v%d.2d, v%d.2d, v%d.2d"},
	"dmax":   {0x4e60f400, "fmax v%d.2d, v%d.2d, v%d.2d"},
	"dsqrt":  {0x6ee1f800, "fsqrt v%d.2d, v%d.2d"},
	"dsub":   {0x4ee0d400, "fsub v%d.2d, v%d.2d, v%d.2d"},
	"dcmge":  {0x6e60e400, "fcmge v%d.2d, v%d.2d, v%d.2d"},
	"dadd":   {0x4e60d400, "fadd v%d.2d, v%d.2d, v%d.2d"},
	"dmul":   {0x6e60dc00, "fmul v%d.2d, v%d.2d, v%d.2d"},
	"ddiv":   {0x6e60fc00, "fdiv v%d.2d, v%d.2d, v%d.2d"},
	"dcmgt":  {0x6ee0e400, "fcmgt v%d.2d, v%d.2d, v%d.2d"},
	"dcmeq":  {0x4e60e400, "fcmeq v%d.2d, v%d.2d, v%d.2d"},
	"dmla0":  {0x4fc01000, "fmla v%d.2d, v%d.2d, v%d.d[0]"},
	"dmla1":  {0x4fc01800, "fmla v%d.2d, v%d.2d, v%d.d[1]"},
	"dmls":   {0x4ee0cc00, "fmls v%d.2d, v%d.2d, v%d.2d"},
	"dmls0":  {0x4fc05000, "fmls v%d.2d, v%d.2d, v%d.d[0]"},
}

// word emits an instruction of neonWords. Its operands are numbers of registers; a last
// one may be the number of an element.
func (f *file) word(name string, operands ...int) {
	in, ok := neonWords[name]
	if !ok {
		panic("no instruction " + name)
	}
	var args []any
	for i, v := range operands {
		in.word |= uint32([]int{v, v << 5, v << 16, v&1<<21 | v>>1<<11}[i])
		args = append(args, v)
	}
	f.op("WORD $0x%08x // %s", in.word, fmt.Sprintf(in.text, args...))
}

// zip interleaves the elements of the 1st or 2nd halves of a and b. uzp takes the even or
// odd elements of a and then of b. move copies a register, and clear sets one to 0.
func (f *file) zip(half, to, a, b int, arrangement string) {
	f.op("VZIP%d V%d.%[5]s, V%[3]d.%[5]s, V%[4]d.%[5]s", half, b, a, to, arrangement)
}

func (f *file) uzp(half, to, a, b int, arrangement string) {
	f.op("VUZP%d V%d.%[5]s, V%[3]d.%[5]s, V%[4]d.%[5]s", half, b, a, to, arrangement)
}

func (f *file) move(to, v int) { f.op("VORR V%[1]d.B16, V%[1]d.B16, V%[2]d.B16", v, to) }
func (f *file) clear(v int)    { f.op("VEOR V%[1]d.B16, V%[1]d.B16, V%[1]d.B16", v) }

func (f *file) and(to, a, b int) { f.op("VAND V%d.B16, V%d.B16, V%d.B16", b, a, to) }
func (f *file) or(to, a, b int)  { f.op("VORR V%d.B16, V%d.B16, V%d.B16", b, a, to) }

// sub emits a − b.
func (f *file) sub(to, a, b int, arrangement string) {
	f.op("VSUB V%d.%[4]s, V%[2]d.%[4]s, V%[3]d.%[4]s", b, a, to, arrangement)
}

// copyTail copies R7 elements, fewer than 16, of size bytes, 1 or 4, and moves both
// pointers on. It has one move for each bit of the number. It overwrites R12, V30 and
// V31.
func (f *file) copyTail(label, from, to string, size int) {
	for bit := 3; bit >= 0; bit-- {
		next := fmt.Sprintf("%s%d", label, bit)
		f.op("TBZ $%d, R7, %s", bit, next)
		switch bytes := size << bit; bytes {
		case 32:
			f.op("VLD1.P 32(%s), [V30.B16, V31.B16]", from)
			f.op("VST1.P [V30.B16, V31.B16], 32(%s)", to)
		default:
			in := map[int][2]string{16: {"FMOVQ", "F31"}, 8: {"MOVD", "R12"}, 4: {"MOVWU", "R12"}, 2: {"MOVHU", "R12"}, 1: {"MOVBU", "R12"}}[bytes]
			f.op("%s.P %d(%s), %s", in[0], bytes, from, in[1])
			f.op("%s.P %s, %d(%s)", strings.TrimSuffix(in[0], "U"), in[1], bytes, to)
		}
		f.label(next)
	}
}

// list returns an operand with n registers, from the given one on.
func list(from, n int, arrangement string) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("V%d.%s", from+i, arrangement))
	}
	return "[" + strings.Join(all, ", ") + "]"
}
