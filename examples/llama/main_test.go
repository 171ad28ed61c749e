package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

var program = clitest.Program{Name: "llama", Run: run}

// The text is the same on every machine; the speed goes to standard error.
func TestDocs(t *testing.T) { program.Docs(t, nil) }

func TestText(t *testing.T) {
	args := []string{"-prompt", "Once upon a", "-n", "20", "-seed", "3"}
	for _, more := range [][]string{
		nil,
		{"-type", "float32"},
		{"-type", "bitmod3", "-group", "64", "-all"},
		{"-kv", "bitmod4", "-kvgroup", "64"},
		{"-temperature", "0"},
		{"-topp", "1", "-threads", "1"},
	} {
		args := append(args, more...)
		code, out, errs := program.Invoke(t, args...)
		if code != 0 {
			t.Errorf("%q: exit code %d: %s", args, code, errs)
			continue
		}
		if !strings.HasPrefix(out, "Once upon a") || len(out) < 20 {
			t.Errorf("%q: output %q", args, out)
		}
		if !strings.Contains(errs, "tokens/s") {
			t.Errorf("%q: no speed in %q", args, errs)
		}
		if _, again, _ := program.Invoke(t, args...); again != out {
			t.Errorf("%q: first %q, then %q", args, out, again)
		}
	}
}

// A result of quantize is used as it is packed.
func TestResult(t *testing.T) {
	model := "../../internal/tinylm"
	source, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: quant.Config{GroupSize: 64}})
	if err != nil {
		t.Fatal(err)
	}
	result := t.TempDir()
	if _, err := plan.Run(t.Context(), result, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(model, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(result, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-prompt", "Once upon a", "-n", "20"}
	want := program.Must(t, append(args, "-type", "bitmod4", "-group", "64", "-model", model)...)
	for _, more := range [][]string{nil, {"-type", "bitmod4"}, {"-group", "64"}} {
		args := append(append(args, "-model", result), more...)
		code, out, errs := program.Invoke(t, args...)
		if code != 0 || out != want || !strings.Contains(errs, "packed as bitmod4 in groups of 64, embedding BF16: ") {
			t.Errorf("%q: status %d, text %q, %q, want %q", more, code, out, errs, want)
		}
	}
	for _, more := range [][]string{{"-type", "bitmod3"}, {"-type", "float32"}, {"-group", "32"}, {"-all"}} {
		args := append(append(args, "-model", result), more...)
		if code, _, errs := program.Invoke(t, args...); code != 1 || !strings.Contains(errs, "the weights are packed as bitmod4 in groups of 64 already") {
			t.Errorf("%q: status %d, %q", more, code, errs)
		}
	}
}

func TestSpeed(t *testing.T) {
	if testing.Short() {
		t.Skip("loads five models")
	}
	out := program.Must(t, "-speed", "-n", "3", "-rounds", "2", "-promptlen", "20")
	for _, want := range []string{"float32", "bitmod4", "bitmod3", "tokens/s"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestErrors(t *testing.T) {
	program.Errors(t, []clitest.Case{
		{"-temperature -1", 2, "-temperature is -1"},
		{"-temperature NaN", 2, "-temperature is NaN"},
		{"-topp 0", 2, "-topp is 0"},
		{"-n 0", 2, "-n is 0"},
		{"-threads 0", 2, "-threads is 0"},
		{"-rounds 0", 2, "-rounds is 0"},
		{"-promptlen 1", 2, "-promptlen is 1"},
		{"-synthetic", 2, "-speed"},
		{"-type int9", 2, "unknown data type"},
		{"-kv int9", 2, "unknown data type"},
		{"-group 3", 1, "GroupSize is 3"},
		{"-kv nvfp4", 1, "one scale for all tokens"},
		{"-model none", 1, "none"},
		{"-tokenizer none", 1, "none"},
		{"-prompt " + strings.Repeat("x", 300), 1, "model's context is 256"},
	})
}

func TestPrintable(t *testing.T) {
	if got := printable([]byte("a\x1b[2Jb\n\x00\xc3\x7f\t")); string(got) != "a[2Jb\n\xc3\t" {
		t.Errorf("printable bytes are %q", got)
	}
}
