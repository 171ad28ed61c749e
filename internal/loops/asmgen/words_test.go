package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestWords checks instructions written as words (arm64) or bytes (amd64): it assembles
// the comments after them with the GNU assemblers and compares.
func TestWords(t *testing.T) {
	word := regexp.MustCompile(`(?m)^\tWORD \$(0x[0-9a-f]{8}) // (.*)$`)
	oneByte := regexp.MustCompile(`BYTE \$0x([0-9a-f]{2})`)
	var want, got [2]bytes.Buffer // source, bytes: for arm64 and amd64
	seen := map[string]bool{}
	for _, text := range files() {
		for line := range strings.Lines(string(text)) {
			if seen[line] {
				continue
			}
			seen[line] = true
			if m := word.FindStringSubmatch(line); m != nil {
				v, err := strconv.ParseUint(m[1], 0, 32)
				if err != nil {
					t.Fatal(err)
				}
				got[0].Write(binary.LittleEndian.AppendUint32(nil, uint32(v)))
				fmt.Fprintln(&want[0], m[2])
			} else if strings.Contains(line, "WORD") {
				t.Fatalf("%q is not of the form that is read here", line)
			}
			if all := oneByte.FindAllStringSubmatch(line, -1); all != nil {
				for _, m := range all {
					v, err := strconv.ParseUint(m[1], 16, 8)
					if err != nil {
						t.Fatal(err)
					}
					got[1].WriteByte(byte(v))
				}
				fmt.Fprintln(&want[1], line[strings.Index(line, "// ")+3:])
			}
		}
	}
	for i, as := range [][]string{{"aarch64-linux-gnu-as", "-march=armv8.2-a+dotprod+i8mm"}, {"as", "--64"}} {
		if got[i].Len() == 0 {
			t.Fatalf("nothing for %s", as[0])
		}
		object := filepath.Join(t.TempDir(), "words.o")
		path, err := exec.LookPath(as[0])
		if err != nil {
			t.Log(err)
			continue
		}
		cmd := exec.Command(path, append(as[1:], "-o", object, "-")...)
		cmd.Stdin = &want[i]
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		f, err := elf.Open(object)
		if err != nil {
			t.Fatal(err)
		}
		text, err := f.Section(".text").Data()
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if len(text) < got[i].Len() || !bytes.Equal(text[:got[i].Len()], got[i].Bytes()) {
			t.Errorf("%s makes %x, the files have %x", as[0], text, got[i].Bytes())
		}
	}
}
