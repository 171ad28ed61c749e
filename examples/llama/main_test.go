package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/internal/tinylm"
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
	for _, more := range [][]string{nil, {"-type", "bitmod4"}, {"-group", "64"}, {"-mapped"}} {
		args := append(append(args, "-model", result), more...)
		code, out, errs := program.Invoke(t, args...)
		if code != 0 || out != want || !strings.Contains(errs, "packed as bitmod4 in groups of 64, embedding BF16: ") {
			t.Errorf("%q: status %d, text %q, %q, want %q", more, code, out, errs, want)
		}
	}
	for _, more := range [][]string{{"-type", "bitmod3"}, {"-type", "float32"}, {"-group", "32"}, {"-all"}} {
		args := append(append(args, "-model", result), more...)
		if code, _, errs := program.Invoke(t, args...); code != 1 || !strings.Contains(errs, "the weights are already packed as bitmod4 in groups of 64") {
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
		{"-topk -1", 2, "-topk is -1"},
		{"-prompt x -prompt-file y", 2, "use only one of"},
		{"-prompt-file none", 1, "none"},
		{"-chat -prompt-file -", 2, "-prompt-file - is standard input"},
		{"-system x", 2, "-chat"},
		{"-chat", 1, "there is no chat template with the model"},
		{"-mapped", 2, "-model"},
		{"-mapped -model ../../internal/tinylm", 1, "the weights are not packed"},
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

func TestTextWriter(t *testing.T) {
	var out strings.Builder
	w := newTextWriter(&out)
	for _, c := range []struct{ part, want string }{
		{"a\x1b[2Jb\n\x00\x7f\t", "a[2Jb\n\t"}, {"\xc3", ""}, {"\xa9\xf0\x9f", "é"}, {"\x99", ""}, {"\x82c", "🙂c"},
		{"\xc2", ""}, {"\x9b1m", "1m"}, {"\xff", "\ufffd"}, {"\xe2\x82", ""}, {"x", "\ufffd\ufffdx"}, {"\xe2", ""},
	} {
		out.Reset()
		if err := w.write([]byte(c.part)); err != nil || out.String() != c.want {
			t.Errorf("%q: %q, %v, want %q", c.part, out.String(), err, c.want)
		}
	}
	out.Reset()
	if err := w.flush(); err != nil || out.String() != "\ufffd" {
		t.Errorf("what is left: %q, %v", out.String(), err)
	}
}

// input makes text the standard input of this process for a test.
func input(t *testing.T, text string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdin
	os.Stdin = file
	t.Cleanup(func() {
		os.Stdin = old
		file.Close()
	})
}

func TestPromptFile(t *testing.T) {
	want := program.Must(t, "-n", "5", "-prompt", "Once upon\na")
	input(t, "Once upon\na")
	if got := program.Must(t, "-n", "5", "-prompt-file", "-"); got != want {
		t.Errorf("from standard input %q, want %q", got, want)
	}
	if got := program.Must(t, "-n", "5", "-prompt-file", os.Stdin.Name()); got != want {
		t.Errorf("from a file %q, want %q", got, want)
	}
}

// talker is the model of the module with other files beside it.
func talker(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, tinylm.FS()); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// An answer follows from the whole conversation, whether or not the model has read a part
// of it before.
func TestChat(t *testing.T) {
	const template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}A:"
	model := talker(t, map[string]string{"chat_template.jinja": template, "tokenizer_config.json": `{"bos_token":{"content":"\u0000"}}`, "generation_config.json": `{"do_sample":false,"eos_token_id":[46,10]}`})
	args := []string{"-model", model, "-type", "float32", "-n", "12"}
	input(t, "The dog\r\n\n a cat\n")
	status, out, errs := program.Invoke(t, append(args, "-chat", "-system", "S", "-prompt", "The king")...)
	if status != 0 {
		t.Fatal(errs)
	}
	conversation := "system: S\n"
	want := ""
	for _, message := range []string{"The king", "The dog", " a cat"} {
		conversation += "user: " + message + "\n"
		answer := strings.TrimPrefix(program.Must(t, append(args, "-prompt", conversation+"A:")...), conversation+"A:")
		want += answer
		conversation += "assistant: " + strings.TrimSuffix(answer, "\n") + "\n"
	}
	if out != want {
		t.Errorf("answers\n%q, want\n%q", out, want)
	}
	if strings.Count(errs, "> ") != 4 {
		t.Errorf("standard error %q", errs)
	}
}

func TestChatErrors(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"x", "", "there is no chat template"},
		{"chat_template.jinja", "{% if %}", "chat_template.jinja: line 1: "},
		{"chat_template.jinja", "{{ raise_exception('no ' ~ messages[0].role) }}", "chat_template.jinja: line 1: no user"},
		{"chat_template.jinja", "", "the prompt is empty"},
		{"tokenizer_config.json", `{"chat_template":[{"name":"tool_use","template":"x"}]}`, "none of 1 chat templates is named default"},
		{"tokenizer_config.json", `{"chat_template":5}`, "chat_template: "},
		{"generation_config.json", `{"temperature":-1}`, "generation_config.json: temperature is -1"},
		{"generation_config.json", `{"eos_token_id":"x"}`, `generation_config.json: "eos_token_id"`},
	} {
		model := talker(t, map[string]string{c.name: c.text})
		if status, _, errs := program.Invoke(t, "-model", model, "-chat", "-prompt", "x"); status != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%s %s: status %d, %q, want %q", c.name, c.text, status, errs, c.want)
		}
	}
}

// The files of a model say how to sample where the command line does not.
func TestSampling(t *testing.T) {
	args := []string{"-prompt", "Once upon a", "-n", "20", "-seed", "3", "-model"}
	plain := talker(t, nil)
	config := talker(t, map[string]string{"generation_config.json": `{"temperature":1.5,"top_p":0.9,"top_k":30,"min_p":0.1,"repetition_penalty":1.0}`})
	want := program.Must(t, append(args, plain, "-temperature", "1.5", "-topp", "0.9", "-topk", "30")...)
	status, out, errs := program.Invoke(t, append(args, config)...)
	if status != 0 || out != want || !strings.Contains(errs, "not used: min_p of generation_config.json") {
		t.Errorf("%q, %q, want %q", out, errs, want)
	}
	if out == program.Must(t, append(args, plain)...) {
		t.Error("the configuration makes no difference")
	}
	if got := program.Must(t, append(args, config, "-temperature", "0.8", "-topp", "0.95", "-topk", "0")...); got != program.Must(t, append(args, plain)...) {
		t.Errorf("%q with flags", got)
	}
}

// TestModels talks with SmolLM2, if it is there: BITMOD_MODELS names the folder.
func TestModels(t *testing.T) {
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		t.Skip("BITMOD_MODELS does not say where published models are")
	}
	for _, model := range []string{"smollm2", "smollm2.gguf"} {
		input(t, "And of Italy?\n")
		out := program.Must(t, "-model", filepath.Join(dir, model), "-chat", "-prompt", "What is the capital of France?", "-type", "bitmod4", "-group", "32", "-temperature", "0", "-n", "40")
		t.Logf("%s: %s", model, out)
		if !strings.Contains(out, "Paris") || !strings.Contains(out, "Rome") {
			t.Errorf("%s: %s", model, out)
		}
	}
}
