package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

func TestTable(t *testing.T) {
	out := program.Must(t, "-types", "all")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3+len(datatype.Types()) {
		t.Errorf("%d lines for %d types:\n%s", len(lines), len(datatype.Types()), out)
	}
	if !strings.Contains(out, "+5: ") {
		t.Errorf("no special values:\n%s", out)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	program.Errors(t, []clitest.Case{
		{"verify -h", 0, "usage:"},
		{"-in x", 2, "-out (or -dry-run) is missing"},
		{"-out x", 2, "-in is missing"},
		{"-types int4,int99", 2, `unknown data type "int99"`},
		{"-in x -out y -type int99", 2, `unknown data type "int99"`},
		{"verify", 2, "the checkpoint is missing"},
		{"inspect a b", 2, `unexpected argument "b"`},
		{"-tensor-type x", 2, "PATTERN=TYPE"},
		{"-tensor-type x=int4:0", 2, "is not a group size"},
		{"-shard-size 5X", 2, "is not a size"},
		{"-shard 3/3", 2, "0 ≤ i < n"},
		{"-include re:(", 2, "error parsing regexp"},
		{"-in x -out y.safetensors -shard 0/2", 2, "is one file"},
		{"-in nowhere -out " + dir, 1, "no such file"},
		{"verify nowhere", 1, "no such file"},
		{"merge " + dir, 1, "there are none"},
		{"-group 3", 1, "is 3"},
	})
}

// Rows of types have their milliseconds and speed behind six other cells.
func TestDocs(t *testing.T) {
	program.Docs(t, func(words []string) []string {
		if len(words) >= 7 && words[0] != "type" && words[0] != "21" {
			return slices.Delete(words, 5, 7)
		}
		return words
	})
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"1": 1, "7K": 7 << 10, "500M": 500 << 20, "2G": 2 << 30, "1T": 1 << 40} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "0", "-1", "K", "1KK", "1.5G", "9999999999999T", "1g"} {
		if n, err := parseSize(s); err == nil {
			t.Errorf("%q: %d", s, n)
		}
	}
}

// TestWhole goes from a model directory to a verified checkpoint and back.
func TestWhole(t *testing.T) {
	src := source(t)
	dst := filepath.Join(t.TempDir(), "out")
	page := filepath.Join(t.TempDir(), "report.html")
	flags := []string{"-in", src, "-shard-size", "1M",
		"-tensor-type", "mlp.down_proj=bitmod3", "-tensor-type", "layers.0=int6:64", "-exclude", "layers.11.self_attn", "-report", page}

	out := program.Must(t, append(flags, "-dry-run")...)
	for _, want := range []string{
		"80 tensors quantized, 7 to int6 in groups of 64, 62 to bitmod4",
		"kept 1 embedding (bfloat16, 65.5 kB)\n",
		"kept 25 norms (bfloat16, 6.40 kB)\n",
		"kept 4 linear layers (bfloat16, 131 kB, 9 % of the result): excluded\n",
		"\nSQNR",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("preview lacks %q:\n%s", want, out)
		}
	}
	if _, err := os.Stat(dst); err == nil {
		t.Error("-dry-run has written")
	}
	out = program.Must(t, append(flags, "-out", dst)...)
	if !strings.Contains(out, "model.safetensors.index.json is written") || !strings.Contains(out, "config.json is copied: quantization_config") {
		t.Errorf("output\n%s", out)
	}
	if out = program.Must(t, append(flags, "-out", dst)...); strings.Count(out, "was finished already") < 3 {
		t.Errorf("second run\n%s", out)
	}
	checkPage(t, page)
	if out = program.Must(t, "verify", dst, "-original", src); !strings.Contains(out, "kept tensors equal") {
		t.Errorf("verify\n%s", out)
	}
	program.Must(t, "merge", dst)
	program.Must(t, "verify", dst)

	c, err := checkpoint.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, want := range map[string]string{
		"model.layers.1.mlp.down_proj.weight":    "128×344 bitmod3, group 128",
		"model.layers.0.mlp.down_proj.weight":    "128×344 int6, group 64",
		"model.layers.3.self_attn.q_proj.weight": "128×128 bitmod4, group 128",
	} {
		if m, err := c.Matrix(name); err != nil || !strings.HasPrefix(m.String(), want) {
			t.Errorf("%s: %v, %v; want %s", name, m, err, want)
		}
	}

	out = program.Must(t, "inspect", dst)
	for _, want := range []string{"bitmod.settings:", "+5: ", "model.layers.0.mlp.down_proj.weight"} {
		if !strings.Contains(out, want) {
			t.Errorf("inspect lacks %q:\n%s", want, out)
		}
	}
	var s summary
	if err := json.Unmarshal([]byte(program.Must(t, "inspect", "-json", dst)), &s); err != nil || len(s.Tensors) != len(c.Tensors()) || s.Tensors[0].Shape == nil {
		t.Errorf("inspect -json: %v, %d tensors", err, len(s.Tensors))
	}
	program.Must(t, "inspect", src)
}

// checkPage checks that a report stands by itself and has its parts.
func checkPage(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, want := range []string{"Special values chosen", "<h3>bitmod4<", "<h3>bitmod3<", "<svg", "Kept as they were", "self_attn.o_proj", "excluded"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	for _, not := range []string{"http:", "https:", "src=", "NaN", "Inf", "<script", "ZgotmplZ"} {
		if strings.Contains(page, not) {
			t.Errorf("the report has %q", not)
		}
	}
}

func TestSkippedAndStrict(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m.safetensors")
	generate(t, src, []weight{{"up.weight", "BF16", []int{8, 64}}, {"stack.weight", "BF16", []int{2, 3, 64}}})
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	if out := program.Must(t, "-in", src, "-out", dst); !strings.Contains(out, "\nSKIPPED stack.weight (BF16 [2 3 64]): 3 dimensions") {
		t.Errorf("output\n%s", out)
	}
	if code, _, errs := program.Invoke(t, "-in", src, "-out", dst+".safetensors", "-strict"); code != 1 || !strings.Contains(errs, "stack.weight") {
		t.Errorf("-strict: exit code %d, %s", code, errs)
	}
	if code, _, errs := program.Invoke(t, "-in", src, "-out", dst, "-type", "int4"); code != 1 || !strings.Contains(errs, "other settings") {
		t.Errorf("other settings: exit code %d, %s", code, errs)
	}
	program.Must(t, "-in", src, "-out", dst, "-type", "int4", "-overwrite")
	if code, _, errs := program.Invoke(t, "-in", src, "-out", dst+".safetensors", "-exclude", "*"); code != 1 || !strings.Contains(errs, "no tensor") {
		t.Errorf("nothing to do: exit code %d, %s", code, errs)
	}
	b, _ := os.ReadFile(dst)
	b[len(b)-1] ^= 1
	os.WriteFile(dst, b, 0o666)
	if code, _, errs := program.Invoke(t, "verify", dst); code != 1 || !strings.Contains(errs, "damaged") || !strings.Contains(errs, "tensor") {
		t.Errorf("damaged: exit code %d, %s", code, errs)
	}
}

// TestTransposedAndInclude quantizes only the chosen tensors, [in, out] as [out, in].
func TestTransposedAndInclude(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m.safetensors")
	generate(t, src, []weight{{"h.0.c_fc.weight", "BF16", []int{64, 96}}, {"h.0.c_proj.weight", "BF16", []int{96, 64}}})
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	flags := []string{"-in", src, "-include", "c_fc", "-transposed", "re:c_(fc|proj)", "-group", "32"}
	if out := program.Must(t, append(flags, "-dry-run", "-measure")...); !strings.Contains(out, "SQNR") || !strings.Contains(out, "kept 1 linear layer (bfloat16, 12.3 kB, 77 % of the result): not included") {
		t.Errorf("-dry-run -measure\n%s", out)
	}
	program.Must(t, append(flags, "-out", dst)...)
	if out := program.Must(t, "verify", dst, "-original", src); !strings.Contains(out, "[96 64]") {
		t.Errorf("verify\n%s", out)
	}
	c, err := checkpoint.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if m, err := c.Matrix("h.0.c_fc.weight"); err != nil || m.Rows() != 96 || m.Cols() != 64 {
		t.Errorf("%v, %v; want 96×64", m, err)
	}
}

// TestSearch checks that the flag alone makes the error of the result smaller.
func TestSearch(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m.safetensors")
	generate(t, src, []weight{{"up.weight", "BF16", []int{64, 512}}})
	var errs []float64
	for _, args := range [][]string{nil, {"-search"}} {
		dst := filepath.Join(t.TempDir(), "q.safetensors")
		program.Must(t, append([]string{"-in", src, "-out", dst, "-type", "bitmod3", "-group", "64"}, args...)...)
		c, err := checkpoint.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		m, err := c.Matrix("up.weight")
		if err != nil {
			t.Fatal(err)
		}
		w := make([]float32, 64*512)
		o, err := checkpoint.Open(src)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		if err := o.ReadRows(w, "up.weight", 0, 64); err != nil {
			t.Fatal(err)
		}
		e, err := quant.Measure(w, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		errs = append(errs, e.MSE)
	}
	if !(errs[1] < errs[0]) {
		t.Errorf("mean squared errors %v, want the second smaller", errs)
	}
}

func TestInspectParts(t *testing.T) {
	w := make([]float32, 4*64)
	for i := range w {
		w[i] = float32(i%13) - 6
	}
	m, err := quant.GroupMixed(context.Background(), w, 64, []uint8{0, 1, 0, 0}, []quant.Config{{Type: datatype.BitMoD3, GroupSize: 32}, {Type: datatype.Int8}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := checkpoint.Save(context.Background(), path, []checkpoint.Entry{{Name: "w", Matrix: m}}, checkpoint.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	if out, want := program.Must(t, "inspect", path), "3 rows bitmod3:32, 1 rows int8:128"; !strings.Contains(out, "mixed") || !strings.Contains(out, want) {
		t.Errorf("inspect lacks %q:\n%s", want, out)
	}
	var s summary
	want := []partSummary{{"bitmod3", 32, 3}, {"int8", 128, 1}}
	if err := json.Unmarshal([]byte(program.Must(t, "inspect", "-json", path)), &s); err != nil || len(s.Tensors) != 1 || !slices.Equal(s.Tensors[0].Parts, want) {
		t.Errorf("inspect -json: %v, %+v", err, s.Tensors)
	}
	program.Must(t, "verify", path)
}
