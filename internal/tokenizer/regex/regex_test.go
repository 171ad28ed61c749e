package regex

import (
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

const (
	gpt2   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// parts returns the matches of a pattern in brackets, and the parts between them.
func parts(re *Regexp, text string, slow bool) (all []string) {
	re.find(text, slow, func(part string, match bool) {
		if match {
			part = "[" + part + "]"
		}
		all = append(all, part)
	})
	return all
}

// TestFind checks what patterns match, by their definition.
func TestFind(t *testing.T) {
	for _, test := range []struct{ pattern, text, want string }{
		{gpt2, "Hello world", "[Hello][ world]"},
		{gpt2, "I'll don't WE'LL", "[I]['ll][ don]['t][ WE]['][LL]"},
		{gpt2, "a   b\n\n c  ", "[a][  ][ b][\n\n][ c][  ]"},
		{gpt2, "a\u00a0\u00a0b", "[a][\u00a0][\u00a0][b]"},
		{llama3, "WE'LL 12345", "[WE]['LL][ ][123][45]"},
		{llama3, "a \n  \n  b", "[a][ \n  \n][ ][ b]"},
		{llama3, "x = y;\n\n  }", "[x][ =][ y][;\n\n][ ][ }]"},
		{`a*`, "baac", "[]b[aa]c[]"},
		{`a|ab`, "ab", "[a]b"},
		{`(?:a|ab)(?:c|bcd)(d*)`, "abcd", "[abcd]"},
		{`a{2,3}?`, "aaaaa", "[aa][aa]a"},
		{`a++a`, "aaa", "aaa"},
		{`a?+a`, "aa", "[aa]"},
		{`a{1,2}+b`, "aaaab", "[aaaab]"}, // a repetition of a repetition
		{`(?<=x|yz)a`, "axayzaza", "ax[a]yz[a]za"},
		{`(?<!x)a`, "axa", "[a]xa"},
		{`^a|b$`, "ab\nab", "[a][b]\n[a][b]"},
		{`\Aa|b\z`, "ab\nab", "[a]b\na[b]"},
		{`\bé\B`, "é éa", "é [é]a"},
		{`(?i)é(?-i)b`, "Éb éB", "[Éb] éB"},
		{`a(?i)b|c`, "aB aC c", "[aB] [aC] c"},
		{`[^a-c&&[^b]]+`, "abcd", "a[b]c[d]"},
		{`[a-z&&[^aeiou]]+`, "abcde", "a[bcd]e"},
		{`[]a-]+`, "b]-a", "b[]-a]"},
		{`[[:^alpha:]]`, "a1", "a[1]"},
		{`\x41\x{1F642}\u0042\t`, "A🙂B\t", "[A🙂B\t]"},
		{`{|a{,2}b`, "{aab", "[{][aab]"},
	} {
		re, err := Compile(test.pattern)
		if err != nil {
			t.Fatalf("%s: %v", test.pattern, err)
		}
		for _, slow := range []bool{false, true} {
			if got := strings.Join(parts(re, test.text, slow), ""); got != test.want {
				t.Errorf("%.20s, slow %t: %q is %q, want %q", test.pattern, slow, test.text, got, test.want)
			}
		}
	}
}

func TestCompileErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		`(a`: "without an end", `a)`: "unmatched )", `*`: "nothing to repeat", `[a`: "without an end", `[`: "without an end", `\`: "backslash",
		`(a)\1`: `\1 is not supported`, `(?>a|b)`: "not supported", `(?<=a+)b`: "without a fixed length", `(?:ab)++`: "possessive",
		`\p{Nothing}`: "not known", `[[:nothing:]]`: "not known", `[b-a]`: "a range", `\p`: "without", `\x{110000}`: "not supported",
		`a{1001}`: "more than 1000", `a{3,2}`: "3 to 2", `(?:a{1000}){1000}`: "instructions", `(?:a?){300}`: "choices", `\R`: "not supported",
		strings.Repeat("(", 100): "deep", strings.Repeat("[", 100): "deep", strings.Repeat("a", 5000): "bytes", "\xff": "UTF-8",
		`(?=a)*`: "position", `(?:a*)*`: "may be empty", `(?:|a)+`: "may be empty", `(?:a|b?c*){2,}`: "may be empty", `(?<name`: "without an end", `(?#`: "without an end",
	} {
		if _, err := Compile(pattern); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want one about %s", pattern, err, want)
		}
	}
}

// TestHostile has patterns that would take time quadratic or exponential in the text if
// choices were tried again.
func TestHostile(t *testing.T) {
	const n = 1 << 15
	for _, pattern := range []string{`\s+x`, `(?:\s+)+x`, `(?:\s|\s\s)*x`, `(?=\s*x)y|\s(?=\s*z)`, `\s*+x`, `\s*\s*\s*x`, `\s*(?!\s*\S)x`, `(?<=\s\s)(?:\s?){20}x`, `\s+$x`, `(?:(?=(?:\s\s?)*z).)+x`} {
		re, err := Compile(pattern)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		text := strings.Repeat(" ", n)
		for _, text := range []string{text + "y", text + "z"} {
			re.Find(text, func(string, bool) {})
		}
		// A hundred times what it takes.
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: %v", pattern, took)
		}
	}
}

func FuzzRegex(f *testing.F) {
	for _, p := range []string{gpt2, llama3, `(?:a?b)*b`, `(?<=x)[^a&&b]{1,3}?`, `(?i)\bé$|(?!x)`} {
		f.Add(p, "a b  'll xÉ\n12 aab")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(text) > 1000 || !utf8.ValidString(text) {
			return
		}
		re, err := Compile(pattern)
		if err != nil {
			return
		}
		fast, slow := parts(re, text, false), parts(re, text, true)
		if !slices.Equal(fast, slow) {
			t.Fatalf("%q is %q and %q", text, fast, slow)
		}
		var all string
		re.Find(text, func(part string, match bool) {
			if !match && part == "" {
				t.Fatalf("an empty part that is no match")
			}
			all += part
		})
		if all != text {
			t.Fatalf("%q became %q", text, all)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The king's 3 daughters (aged 7, 9 and 12) walked 1,200 miles, or so they said.\n\nÜber Straßen, Привет мир! ", 10000)
	for name, pattern := range map[string]string{"gpt2": gpt2, "llama3": llama3} {
		re, err := Compile(pattern)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				re.Find(text, func(string, bool) {})
			}
		})
	}
}
