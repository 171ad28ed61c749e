package checkpoint

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// table writes the codebooks of all types in the form of FORMAT.md and the Python reader:
// name, bits, scale format, and the values of each codebook by code.
func table() string {
	var b strings.Builder
	for _, t := range datatype.Types() {
		fmt.Fprintf(&b, "%s %d %v", t, t.Bits(), t.Scale())
		switch {
		case t.Asymmetric():
			fmt.Fprintf(&b, " code-selector\n")
			continue
		case t >= datatype.Int2 && t <= datatype.Int8:
			fmt.Fprintf(&b, " code-%d\n", t.Codebooks()[0].Len()/2)
			continue
		}
		for _, cb := range t.Codebooks() {
			b.WriteString("\n   ")
			for _, v := range cb.Values() {
				fmt.Fprintf(&b, " %v", v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTableOfTypes(t *testing.T) {
	for _, path := range []string{"FORMAT.md", "testdata/read.py"} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "\n"+table()) {
			t.Errorf("%s does not have the table of types; it should be\n%s", path, table())
		}
	}
}
