package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

func TestCompareNames(t *testing.T) {
	want := []string{
		"a", "a.0.x", "a.1.x", "a.2.w", "a.2.x", "a.9.x", "a.10.x", "a.19.x", "a.100.x",
		"a.99999999999999999999998.x", "a.99999999999999999999999.x", "a.b", "b.01", "b.1", "b.02",
	}
	got := slices.Clone(want)
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, compareNames)
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestShow(t *testing.T) {
	for text, want := range map[string]string{
		"model.layers.0.up_proj.weight": "model.layers.0.up_proj.weight",
		"модель.вес":                    "модель.вес",
		"":                              `""`,
		"a b":                           `"a b"`,
		"a\nb":                          `"a\nb"`,
		"\x1b[2J":                       `"\x1b[2J"`,
		"a\u202eb":                      `"a\u202eb"`,
		`a"b`:                           `"a\"b"`,
		"a\xffb":                        `"a\xffb"`,
		"a\u00a0b":                      `"a\u00a0b"`,
		strings.Repeat("x", 300):        `"` + strings.Repeat("x", 200) + `"… (300 bytes)`,
	} {
		if got := show(text); got != want {
			t.Errorf("%q is shown as %s, want %s", text, got, want)
		}
	}
}

func TestKindOf(t *testing.T) {
	for name, want := range map[string]struct {
		kind  string
		layer int
	}{
		"model.layers.12.mlp.up_proj.weight":               {"model.layers.*.mlp.up_proj.weight", 12},
		"model.layers.3.mlp.experts.17.up_proj.weight":     {"model.layers.*.mlp.experts.*.up_proj.weight", 3},
		"encoder.block.2.layer.1.DenseReluDense.wi.weight": {"encoder.block.*.layer.1.DenseReluDense.wi.weight", 2},
		"lm_head.weight": {"lm_head.weight", -1},
	} {
		if kind, layer := kindOf(name); kind != want.kind || layer != want.layer {
			t.Errorf("%s: %s, %d", name, kind, layer)
		}
	}
}

// hostile writes a checkpoint whose names and metadata would act upon a terminal, or
// look like messages of the program.
func hostile(t *testing.T, path string) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 5))
	var ts []safetensors.Tensor
	for name, shape := range map[string][]int{
		"model.layers.0.\x1b[2J\x1b[31m.up_proj.weight":                 {64, 64},
		"model.layers.1.up_proj\nmodel.safetensors is written\n.weight": {64, 64},
		"model.layers.2.up_proj\r\u202enettirw si.weight":               {64, 64},
		"model.\x1b]0;title\x07norm.weight":                             {64},
		"x\u009b2J\nSKIPPED":                                            {2, 3, 64},
		"embed_tokens\u2028.weight":                                     {64, 64},
	} {
		ts = append(ts, safetensors.Tensor{Name: name, DType: "BF16", Shape: shape})
	}
	slices.SortFunc(ts, func(a, b safetensors.Tensor) int { return strings.Compare(a.Name, b.Name) })
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	meta := map[string]string{"key\x1b[2J": "value", "note": "line\nmodel.safetensors is written\n\u202e", "json": "{\"a\": 1}"}
	w, err := safetensors.NewWriter(f, ts, meta)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ts {
		b := make([]byte, x.Elements()*2)
		for i := 0; i < len(b); i += 2 {
			b[i], b[i+1] = byte(r.Uint32()), 0x3c
		}
		if err := w.WriteAt(x.Name, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(meta); err != nil {
		t.Fatal(err)
	}
}

// TestHostileNames runs every command on such a checkpoint.
func TestHostileNames(t *testing.T) {
	dir := t.TempDir()
	src, other := filepath.Join(dir, "src.safetensors"), filepath.Join(dir, "other.safetensors")
	dst, page := filepath.Join(dir, "q.safetensors"), filepath.Join(dir, "report.html")
	hostile(t, src)
	generate(t, other, []weight{{"up.weight", "BF16", []int{8, 64}}})
	check := func(what, text string) {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.TrimSpace(line) == "model.safetensors is written" || strings.HasPrefix(line, "SKIPPED\"") {
				t.Errorf("%s: a name passes for a line:\n%s", what, text)
			}
			for _, r := range line {
				if !strconv.IsPrint(r) {
					t.Errorf("%s: there is a %U in %q", what, r, line)
					break
				}
			}
		}
	}
	for _, args := range [][]string{
		{"-in", src, "-dry-run"},
		{"-in", src, "-dry-run", "-v"},
		{"-in", src, "-dry-run", "-measure"},
		{"-in", src, "-dry-run", "-measure", "-v", "-embeddings", "int8"},
		{"-in", src, "-dry-run", "-strict"},
		{"-in", src, "-out", dst, "-report", page},
		{"-in", src, "-out", dst, "-type", "int4"},
		{"verify", dst, "-original", src},
		{"verify", dst, "-original", other},
		{"verify", src},
		{"inspect", src},
		{"inspect", dst},
		{"inspect", "-json", dst},
	} {
		_, out, errs := program.Invoke(t, args...)
		check(strings.Join(args, " "), out+errs)
		if out+errs == "" {
			t.Errorf("%q says nothing", args)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	check("the report", string(b))
	damaged, _ := os.ReadFile(dst)
	for i := 1; i < 2000; i++ {
		damaged[len(damaged)-i] ^= 0x55
	}
	os.WriteFile(dst, damaged, 0o666)
	_, out, errs := program.Invoke(t, "verify", dst)
	check("verify of a damaged file", out+errs)
	for _, word := range []string{`"codes"`, `{"type":7}`, `{"type":"bitmod4","group_size":128,"shape":[64,64],"original":"\u001b[2J"}`} {
		bad := strings.ReplaceAll(string(damaged), `{\"type\":\"bitmod4\",\"group_size\":128,\"shape\":[64,64],\"original\":\"BF16\"}`, strings.ReplaceAll(word, `"`, `\"`))
		path := filepath.Join(dir, "bad.safetensors")
		os.WriteFile(path, []byte(bad), 0o666)
		_, out, errs := program.Invoke(t, "inspect", path)
		check("inspect of bad metadata", out+errs)
	}
}

// TestSummary wants the sums first, a line for each kind that is kept, and layers
// by number with -v, in verify, inspect and the report.
func TestSummary(t *testing.T) {
	src := source(t) // in the order of the layers
	shuffled := filepath.Join(t.TempDir(), "model.safetensors")
	ws := transformer(12, 128, 344)
	slices.SortFunc(ws, func(a, b weight) int { return strings.Compare(a.name, b.name) }) // as Hugging Face's
	generate(t, shuffled, ws)
	for _, in := range []string{src, shuffled} {
		out := program.Must(t, "-in", in, "-dry-run")
		want := "84 tensors quantized to bitmod4 in groups of 128: 4.74 MB to 1.28 MB, 4.333 bits a weight\n" +
			"111 tensors in all: 4.88 MB to 1.42 MB\n" +
			"kept 1 embedding (bfloat16, 65.5 kB)\n" +
			"kept 1 output head (bfloat16, 65.5 kB)\n" +
			"kept 25 norms (bfloat16, 6.40 kB)\n" + wouldGive + "\n"
		if out != want {
			t.Errorf("got\n%swant\n%s", out, want)
		}
		out = program.Must(t, "-in", in, "-dry-run", "-v")
		if !strings.HasPrefix(out, want) {
			t.Errorf("-v begins otherwise:\n%s", out)
		}
		if n := strings.Count(out, "\n"); n != 6+1+111 {
			t.Errorf("-v has %d lines", n)
		}
		inOrder(t, "-v", out, "model.layers.%d.mlp.up_proj.weight ")
	}
	dst, page := filepath.Join(t.TempDir(), "q.safetensors"), filepath.Join(t.TempDir(), "r.html")
	program.Must(t, "-in", shuffled, "-out", dst, "-report", page)
	inOrder(t, "verify", program.Must(t, "verify", dst, "-original", shuffled), "model.layers.%d.mlp.up_proj.weight ")
	inOrder(t, "inspect", program.Must(t, "inspect", dst), "model.layers.%d.mlp.up_proj.weight ")
	b, _ := os.ReadFile(page)
	_, special, ok := strings.Cut(string(b), "Special values chosen")
	special, _, _ = strings.Cut(special, "<h2>")
	if !ok {
		t.Fatal("no special values in the report")
	}
	inOrder(t, "the report", special, "<title>layer %d, +5: ")
}

// inOrder checks that a text has something of each of 12 layers, in their order.
func inOrder(t *testing.T, what, text, format string) {
	t.Helper()
	at := -1
	for layer := range 12 {
		i := strings.Index(text, strings.ReplaceAll(format, "%d", strconv.Itoa(layer)))
		if i <= at {
			t.Errorf("%s: layer %d is at %d, the one before at %d:\n%s", what, layer, i, at, text)
			return
		}
		at = i
	}
}

// TestHints checks that the output names the size of the tables, and flags that reduce
// it.
func TestHints(t *testing.T) {
	src := filepath.Join(t.TempDir(), "m.safetensors")
	generate(t, src, []weight{{"model.embed_tokens.weight", "BF16", []int{2000, 128}}, {"model.layers.0.up_proj.weight", "BF16", []int{128, 128}}})
	out := program.Must(t, "-in", src, "-dry-run")
	if want := "kept 1 embedding (bfloat16, 512 kB, 98 % of the result): it would be 140 kB with -embeddings bitmod4\n"; !strings.Contains(out, want) {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	out = program.Must(t, "-in", src, "-dry-run", "-embeddings", "bitmod4")
	if want := "2 tensors quantized to bitmod4 in groups of 128: 545 kB to 149 kB"; !strings.HasPrefix(out, want) || strings.Contains(out, "kept") {
		t.Errorf("got\n%swant\n%s", out, want)
	}
	for args, want := range map[string]string{
		"-embeddings int8 -head int4":   "one table",
		"-embeddings int99":             `unknown data type "int99"`,
		"-kept f8":                      "want bf16, f16 or f32",
		"-exclude * -embeddings int8":   "there is no tensor to quantize",
		"-head int8:4 -embeddings int8": "group size of 4",
	} {
		if code, _, errs := program.Invoke(t, append([]string{"-in", src, "-dry-run"}, strings.Fields(args)...)...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit status %d, %s", args, code, errs)
		}
	}
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	generate(t, src, []weight{{"model.norm.weight", "BF16", []int{128}}, {"model.layers.0.up_proj.weight", "BF16", []int{128, 128}}})
	program.Must(t, "-in", src, "-out", dst, "-kept", "f16")
	if out := program.Must(t, "verify", dst, "-original", src); !strings.Contains(out, "kept tensors equal the original's") {
		t.Errorf("verify\n%s", out)
	}
}
