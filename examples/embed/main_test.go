package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/internal/llm/encoder"
	"github.com/bitmod-go/bitmod/internal/tinyembed"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

var program = clitest.Program{Name: "embed", Run: run, Any: true}

// Vectors are the same on every machine; the speed goes to standard error.
func TestDocs(t *testing.T) { program.Docs(t, nil) }

var sentences = []string{"A king and his queen.", "The queen of the king.", "It rained all day."}

// write writes a file of lines.
func write(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sentences.txt")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// vectors reads the printed vectors.
func vectors(t *testing.T, out string) [][]float32 {
	t.Helper()
	var all [][]float32
	for line := range strings.Lines(out) {
		var v []float32
		for _, f := range strings.Fields(line) {
			x, err := strconv.ParseFloat(f, 32)
			if err != nil {
				t.Fatal(err)
			}
			v = append(v, float32(x))
		}
		all = append(all, v)
	}
	return all
}

// The same comes out as text and as JSON, from arguments and from a file, whatever
// other sentences there are.
func TestVectors(t *testing.T) {
	out := program.Must(t, sentences...)
	want := vectors(t, out)
	if len(want) != len(sentences) {
		t.Fatalf("%d vectors of %d sentences", len(want), len(sentences))
	}
	if same, other := encoder.Cosine(want[0], want[1]), encoder.Cosine(want[0], want[2]); same < 0.5 || other > same-0.2 {
		t.Errorf("cosines %.2f and %.2f", same, other)
	}
	for i, s := range sentences {
		length := 0.0
		for _, x := range want[i] {
			length += float64(x) * float64(x)
		}
		if math.Abs(length-1) > 1e-6 {
			t.Errorf("%q: the squared length is %v", s, length)
		}
		if got := program.Must(t, s, "-threads", "1"); got+"" != strings.SplitAfter(out, "\n")[i] {
			t.Errorf("%q alone is another vector", s)
		}
	}
	file := write(t, sentences[0]+"\r", sentences[1], sentences[2])
	if got := program.Must(t, "-in", file); got != out {
		t.Error("a file gives other vectors than arguments")
	}
	scanner := bufio.NewScanner(strings.NewReader(program.Must(t, "-json", "-in", file)))
	for i := 0; scanner.Scan(); i++ {
		var l struct {
			Sentence  string
			Embedding []float32
		}
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		if l.Sentence != sentences[i] || fmt.Sprint(l.Embedding) != fmt.Sprint(want[i]) {
			t.Errorf("JSON of sentence %d: %.80s", i, scanner.Text())
		}
	}
	status, out, errs := program.Invoke(t, append(sentences, "-table")...)
	if lines := strings.Count(out, "\n"); status != 0 || lines != 4 || !strings.Contains(out, "1.00") || !strings.Contains(errs, "sentences/s") {
		t.Errorf("table, status %d: %s%s", status, out, errs)
	}
	if cls := program.Must(t, "-pooling", "cls", sentences[0]); cls == strings.SplitAfter(out, "\n")[0] {
		t.Error("-pooling changes nothing")
	}
}

// Quantized weights are near the others, and nearer with more bits; a result of quantize
// is what the same weights are that are quantized in memory.
func TestWeights(t *testing.T) {
	want := vectors(t, program.Must(t, sentences...))
	last := 0.0
	for _, args := range []string{"-type bitmod3", "-type bitmod4 -group 32", "-type int8", "-type int8 -activations float32 -embeddings int8"} {
		got := vectors(t, program.Must(t, append(strings.Fields(args), sentences...)...))
		mean, _ := similar(want, got)
		t.Logf("%s: cosine %.5f", args, mean)
		if mean < 0.8 || mean == 1 || mean < last {
			t.Errorf("%s: cosine %.5f, after %.5f", args, mean, last)
		}
		if last = mean; last > 0.999 {
			last = 0.999
		}
	}

	model := "../../internal/tinyembed"
	source, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: quant.Config{GroupSize: 32}})
	if err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(t.TempDir(), "result")
	if _, err := plan.Run(t.Context(), result, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	inMemory := program.Must(t, append([]string{"-type", "bitmod4", "-group", "32"}, sentences...)...)
	status, out, errs := program.Invoke(t, append([]string{"-model", result}, sentences...)...)
	if status != 0 || out != inMemory || !strings.Contains(errs, "packed as bitmod4 in groups of 32") || !strings.Contains(errs, "(modules.json)") {
		t.Errorf("a result: status %d, %s", status, errs)
	}
	if status, _, errs := program.Invoke(t, "-model", result, "-type", "bitmod3", "x"); status != 1 || !strings.Contains(errs, "already packed as bitmod4 in groups of 32") {
		t.Errorf("a result and -type: status %d, %s", status, errs)
	}
}

func TestCompare(t *testing.T) {
	out := program.Must(t, append(sentences, "-compare", "-rounds", "1")...)
	for _, want := range []string{"weights as stored", "1.00000", "bitmod4, groups of 32", "bitmod3", "int8", "sentences/s"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// Types may be named, and other files of the model compared: the same file gives the same.
func TestCompareOthers(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other, tinyembed.FS()); err != nil {
		t.Fatal(err)
	}
	out := program.Must(t, append(sentences, "-compare", "-rounds", "1", "-types", "int4_asym/64,nvfp4", "-beside", other)...)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 7 || !strings.HasPrefix(lines[4], "int4_asym, groups of 64") || !strings.HasPrefix(lines[5], "nvfp4 ") ||
		!strings.HasPrefix(lines[6], "other ") || !strings.Contains(lines[6], " 1.00000  1.00000") {
		t.Errorf("output %s", out)
	}
}

func TestErrors(t *testing.T) {
	program.Errors(t, []clitest.Case{
		{"-threads 0 x", 2, "-threads is 0"},
		{"-rounds 0 x", 2, "-rounds is 0"},
		{"-json -table x", 2, "use only one of"},
		{"-compare -type bitmod4 x", 2, "-compare takes its types from -types"},
		{"-types int8 x", 2, "-compare"},
		{"-compare -types int9 x", 2, "unknown data type"},
		{"-compare -types int8/x x", 2, `groups of "x"`},
		{"-compare -beside none x", 1, "-beside: "},
		{"-in none x", 2, "not both"},
		{"-in none", 1, "none"},
		{"-model none x", 1, "none"},
		{"-type int9 x", 2, "unknown data type"},
		{"-embeddings int9 x", 2, "unknown data type"},
		{"-pooling median x", 2, `"median"`},
		{"-type bitmod4 -group 3 x", 1, "GroupSize is 3"},
		{"-model ../../internal/tinylm x", 1, `model_type is "llama"`},
		{"-in /dev/null", 2, "no sentences"},
		{"-table -in /dev/null", 2, "no sentences"},
	})
}

// TestModels embeds with MiniLM, if it is there: BITMOD_MODELS names the folder.
func TestModels(t *testing.T) {
	dir := os.Getenv("BITMOD_MODELS")
	if dir == "" {
		t.Skip("BITMOD_MODELS does not say where published models are")
	}
	model := filepath.Join(dir, "minilm")
	texts := []string{"A man is eating food.", "A man eats a piece of bread.", "The girl carries a baby."}
	for _, args := range [][]string{nil, {"-type", "int8"}, {"-type", "bitmod4", "-group", "32"}} {
		v := vectors(t, program.Must(t, append(append([]string{"-model", model}, args...), texts...)...))
		near, far := encoder.Cosine(v[0], v[1]), encoder.Cosine(v[0], v[2])
		t.Logf("%q: cosines %.3f and %.3f", args, near, far)
		if near < 0.6 || far > 0.2 {
			t.Errorf("%q: cosines %.3f and %.3f", args, near, far)
		}
	}
}

func TestPrintable(t *testing.T) {
	if got := printable("a\x1b[2Jb\n" + strings.Repeat("x", 70)); got != "a [2Jb "+strings.Repeat("x", 53)+"…" {
		t.Errorf("printable is %q", got)
	}
}
