package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestEncodings assembles the comments in neon_arm64.h with the GNU assembler for arm64,
// and compares the instruction words.
func TestEncodings(t *testing.T) {
	as, err := exec.LookPath("aarch64-linux-gnu-as")
	if err != nil {
		t.Skip(err)
	}
	header, err := os.ReadFile("neon_arm64.h")
	if err != nil {
		t.Fatal(err)
	}
	macro := regexp.MustCompile(`(?m)^#define (\w+)\([dmn, ]+\) WORD \$\((.*)\) // (.*)$`)
	macros := macro.FindAllStringSubmatch(string(header), -1)
	if len(macros) != strings.Count(string(header), "#define") {
		t.Fatal("a macro is not of the form that is read here")
	}
	// Each instruction and its word, in turn, with register numbers that set each bit.
	var source strings.Builder
	registers := []map[string]string{{"m": "21", "n": "10", "d": "31"}, {"m": "10", "n": "21", "d": "0"}}
	operand := regexp.MustCompile(`\b([vhs])([mnd])\b`)
	parameter := regexp.MustCompile(`\(([mnd])\)`)
	for _, m := range macros {
		for _, r := range registers {
			number := func(re *regexp.Regexp) func(string) string {
				return func(s string) string {
					sub := re.FindStringSubmatch(s)
					return strings.Join(sub[1:len(sub)-1], "") + r[sub[len(sub)-1]]
				}
			}
			word := parameter.ReplaceAllStringFunc(m[2], number(parameter))
			fmt.Fprintf(&source, "%s\n.inst %s\n", operand.ReplaceAllStringFunc(m[3], number(operand)), word)
		}
	}
	object := filepath.Join(t.TempDir(), "encodings.o")
	cmd := exec.Command(as, "-march=armv8.2-a+dotprod", "-o", object, "-")
	cmd.Stdin = strings.NewReader(source.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text := objectText(t, object)
	if len(text) != 8*len(registers)*len(macros) {
		t.Fatalf("%d bytes for %d macros", len(text), len(macros))
	}
	for i, m := range macros {
		for range registers {
			if !bytes.Equal(text[:4], text[4:8]) {
				t.Errorf("macro %d, %s: %#08x, want %#08x", i, m[1],
					binary.LittleEndian.Uint32(text[4:]), binary.LittleEndian.Uint32(text))
			}
			text = text[8:]
		}
	}
}

func objectText(t *testing.T, name string) []byte {
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
