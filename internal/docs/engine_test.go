package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var goBlock = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")

// The pieces of docs/engine.md are a program, which prints what the page says.
func TestEngine(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	page := Texts(t)["docs/engine.md"]
	program := ""
	for _, m := range goBlock.FindAllStringSubmatch(page, -1) {
		program += m[1] + "\n"
	}
	path := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(path, []byte(program), 0o666); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "run", path)
	cmd.Dir = Root(t)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, want, _ := strings.Cut(page, "It prints\n\n```\n"); strings.TrimSuffix(want, "```\n") != string(out) {
		t.Errorf("it prints\n%s", out)
	}
}
