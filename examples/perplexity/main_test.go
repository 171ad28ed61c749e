package main

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/internal/tinylm"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

var program = clitest.Program{Name: "perplexity", Run: run}

// A row ends with its seconds. The tables take a minute; .ci/run has them compared.
func TestDocs(t *testing.T) {
	if os.Getenv("PERPLEXITY_DOCS") != "all" {
		program.Flags(t)
		t.Skip("the tables are compared with PERPLEXITY_DOCS=all")
	}
	program.Docs(t, func(words []string) []string {
		if len(words) == 12 {
			return words[:11]
		}
		return words
	})
}

func TestJSON(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("Once upon a time there was a king. ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	out := program.Must(t, "-text", text, "-tokens", "120", "-types", "int8,bitmod3, kv:bitmod4,nvfp4,a8:bitmod3,a16:bitmod3", "-group", "64", "-json")
	var names []string
	kl := map[string]float64{}
	for line := range strings.Lines(out) {
		var m map[string]any
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, key := range []string{"type", "group", "bits", "ppl", "kl", "top1", "ppl_se", "kl_se", "top1_se"} {
			if _, ok := m[key]; !ok {
				t.Errorf("%s has no %q", line, key)
			}
		}
		name := m["type"].(string)
		names = append(names, name)
		kl[name] = m["kl"].(float64)
		group := map[string]float64{"float32": 0, "nvfp4": 16}
		want, ok := group[name]
		if !ok {
			want = 64
		}
		if m["group"] != want || m["tokens"] != 120.0 {
			t.Errorf("%s: want group %v, 120 tokens", line, want)
		}
		if name == "float32" && (m["kl"] != 0.0 || m["top1"] != 1.0 || m["bits"] != 32.0) {
			t.Errorf("%s: want no difference", line)
		}
	}
	if want := []string{"float32", "int8", "bitmod3", "kv:bitmod4", "nvfp4", "a8:bitmod3", "a16:bitmod3"}; !slices.Equal(names, want) {
		t.Errorf("rows %q, want %q", names, want)
	}
	if kl["a8:bitmod3"] == kl["bitmod3"] {
		t.Error("8-bit activations make no difference")
	}
	if !(0 < kl["int8"] && kl["int8"] < kl["nvfp4"] && kl["nvfp4"] < kl["bitmod3"]) {
		t.Errorf("divergences %v, want fewer bits to diverge more", kl)
	}
}

// Every option makes a difference, and what they promise holds where it is plain.
func TestOptions(t *testing.T) {
	if testing.Short() {
		t.Skip("quantizes many times")
	}
	names := []string{"bitmod3", "bitmod3+search", "bitmod3+importance", "bitmod3+gptq", "bitmod3+search+gptq",
		"bitmod3+awq", "a8:bitmod3+gptq", "bitmod3+all", "mixed3.5", "mixed3.5+gptq"}
	out := program.Must(t, "-tokens", "254", "-calibration", "750", "-types", strings.Join(names, ","), "-group", "128", "-json")
	kl, bits := map[string]float64{}, map[string]float64{}
	seen := map[float64]bool{}
	for line := range strings.Lines(out) {
		var row jsonRow
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		kl[row.Type], bits[row.Type] = row.KL, row.Bits
		if seen[row.KL] {
			t.Errorf("%s is the same as another row", row.Type)
		}
		seen[row.KL] = true
	}
	if len(kl) != len(names)+1 {
		t.Errorf("rows %v", kl)
	}
	for name, b := range bits {
		if strings.HasPrefix(name, "bitmod3") && b != bits["bitmod3"] {
			t.Errorf("%s takes %v bits, bitmod3 alone %v", name, b, bits["bitmod3"])
		}
		if strings.HasPrefix(name, "mixed") && (b > 3.5 || b < 3.49) {
			t.Errorf("%s takes %v bits", name, b)
		}
	}
	for _, better := range []string{"bitmod3+gptq", "bitmod3+search+gptq", "bitmod3+all", "mixed3.5"} {
		if !(kl[better] < kl["bitmod3"]) {
			t.Errorf("divergence %v of %s, %v of bitmod3", kl[better], better, kl["bitmod3"])
		}
	}
}

func TestTable(t *testing.T) {
	args := []string{"-tokens", "20", "-types", "bitmod4", "-group", "128"}
	out := program.Must(t, args...)
	for _, want := range []string{"20 tokens", "top-1", "float32", "bitmod4                          128  4.20"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A shorter window is a harder text.
func TestWindow(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("Once upon a time there was a king. ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	var ppl []float64
	for _, window := range []string{"200", "20", "10"} {
		var r jsonRow
		if err := json.Unmarshal([]byte(program.Must(t, "-text", text, "-tokens", "180", "-types", "float32", "-json", "-window", window)), &r); err != nil {
			t.Fatal(err)
		}
		ppl = append(ppl, r.PPL)
	}
	if !slices.IsSorted(ppl) || ppl[0] == ppl[2] {
		t.Errorf("perplexities %v, want them to rise", ppl)
	}
}

// One window has no standard errors, and says so.
func TestOneWindow(t *testing.T) {
	out := program.Must(t, "-tokens", "20", "-types", "bitmod4", "-group", "128")
	if !strings.Contains(out, "one window, and so no standard errors") || strings.Contains(out, "NaN") || strings.Contains(out, "±") {
		t.Errorf("output %s", out)
	}
}

// A result is evaluated as it is packed.
func TestResult(t *testing.T) {
	const model = "../../internal/tinylm"
	source, err := checkpoint.Open(model)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	plan, err := checkpoint.NewPlan(source, checkpoint.Options{Config: quant.Config{Type: datatype.BitMoD3, GroupSize: 64}})
	if err != nil {
		t.Fatal(err)
	}
	result := t.TempDir()
	if _, err := plan.Run(t.Context(), result, checkpoint.RunOptions{}); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("Once upon a time there was a king. ", 20)), 0o600); err != nil {
		t.Fatal(err)
	}
	rows := func(args ...string) (rows []jsonRow) {
		for line := range strings.Lines(program.Must(t, append(args, "-json", "-text", text, "-tokens", "200")...)) {
			var r jsonRow
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			if r.All != 0 && r.All < r.Bits {
				t.Errorf("%+v: with the embedding, which is not packed, it has fewer bits", r)
			}
			r.Seconds, r.All = 0, 0
			rows = append(rows, r)
		}
		return rows
	}
	want := rows("-model", model, "-types", "bitmod3", "-group", "64")
	got := rows("-model", result, "-reference", model)
	if len(got) != 2 || !reflect.DeepEqual(got, want) {
		t.Errorf("rows of a result\n%+v, want those of the type\n%+v", got, want)
	}
	alone := rows("-model", result)
	if len(alone) != 1 || alone[0].Type != "bitmod3" || alone[0].PPL != want[1].PPL || alone[0].Bits != want[1].Bits || alone[0].KL != 0 {
		t.Errorf("rows of a result alone\n%+v, want the perplexity of\n%+v", alone, want[1])
	}
	if other := rows("-model", model, "-reference", model, "-types", "bitmod3", "-group", "64"); len(other) != 3 || other[1].Type != modelRow || other[1].KL != 0 || other[2].PPL != want[1].PPL {
		t.Errorf("rows with a reference\n%+v", other)
	}
	for _, args := range [][]string{{"-model", result, "-types", "bitmod4"}, {"-model", result, "-group", "32"}, {"-model", model, "-reference", result}} {
		if code, _, errs := program.Invoke(t, args...); code != 1 || !strings.Contains(errs, "packed") {
			t.Errorf("%q: status %d, %q", args, code, errs)
		}
	}
}

// Another file of the same model is a row, with the bits that it takes.
func TestBeside(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(other, tinylm.FS()); err != nil {
		t.Fatal(err)
	}
	var rows []jsonRow
	out := program.Must(t, "-tokens", "100", "-types", "bitmod3", "-group", "64", "-beside", other+","+other, "-json")
	for line := range strings.Lines(out) {
		var r jsonRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 4 || rows[3].Type != "other" || rows[3].Bits != 16 || rows[3].PPL != rows[0].PPL || rows[3].KL != 0 || rows[1].KL == 0 {
		t.Errorf("rows %+v", rows)
	}
}

// A text to calibrate with makes a difference, and all that is asked of it is read.
func TestCalibrate(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("The king and the queen. ", 60)), 0o600); err != nil {
		t.Fatal(err)
	}
	var outs []string
	for _, more := range [][]string{nil, {"-calibrate", text}, {"-calibrate", text, "-calibration", "100"}} {
		out := program.Must(t, append([]string{"-tokens", "60", "-calibration", "600", "-types", "bitmod3+importance", "-group", "64"}, more...)...)
		line := strings.Split(strings.TrimSpace(out), "\n")
		words := strings.Fields(line[len(line)-1])
		outs = append(outs, strings.Join(words[:len(words)-1], " "))
	}
	if outs[0] == outs[1] || outs[1] == outs[2] {
		t.Errorf("rows %q are the same", outs)
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs strings.Builder
	if code := cli.Execute(ctx, "perplexity", run, nil, &out, &errs); code != 130 || out.String() != "" {
		t.Errorf("status %d, output %q, %q", code, out.String(), errs.String())
	}
}

func TestVariants(t *testing.T) {
	all, err := parseVariants(allTypes, 0)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, v := range all {
		count[v.name]++
	}
	want := map[string]int{"float32": 1}
	for _, typ := range datatype.Types() {
		if b := typ.Bits(); b == 3 || b == 4 {
			want[typ.String()] = 3
			if typ.Scale() != datatype.RowStep {
				want[typ.String()] = 1
			}
		}
	}
	for _, typ := range defaultInt8 {
		want[int8Prefix+typ.String()] = 3
	}
	for _, typ := range defaultCaches {
		want[cachePrefix+typ.String()] = 3
	}
	for _, name := range defaultOptions {
		want[name] = 1
	}
	if !maps.Equal(count, want) {
		t.Errorf("rows by type %v, want %v", count, want)
	}
}

func TestDistinct(t *testing.T) {
	all, err := parseVariants("bitmod4,kv:bitmod4,kv:bitmod3", 0)
	if err != nil {
		t.Fatal(err)
	}
	for width, want := range map[int]int{16: 1 + 3 + 2*1, 32: 1 + 3 + 2*1, 64: 1 + 3 + 2*2, 100: 1 + 3 + 2*3} {
		if got := distinct(all, width); len(got) != want {
			t.Errorf("keys %d wide: %d rows, want %d: %v", width, len(got), want, got)
		}
	}
}

func TestErrors(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	program.Errors(t, []clitest.Case{
		{"-tokens -1", 2, "-tokens is -1"},
		{"-tokens 0", 2, "it needs -text"},
		{"-window 1", 2, "-window is 1"},
		{"-calibration 0", 2, "-calibration is 0"},
		{"-beside none", 1, "-beside: "},
		{"-calibrate none -types bitmod3+gptq -tokens 5", 1, "none"},
		{"-types int9", 2, "unknown data type"},
		{"-types kv:int9", 2, "unknown data type"},
		{"-types bitmod3+", 2, `option ""`},
		{"-types bitmod3+magic", 2, `option "magic"`},
		{"-types bitmod3+awq+awq", 2, "twice"},
		{"-types bitmod3+awq+all", 2, `option "all"`},
		{"-types bitmod3+actorder", 2, `"actorder"`},
		{"-types kv:bitmod3+gptq", 2, "no options"},
		{"-types mixed", 2, "mixed rows"},
		{"-types mixed-1", 2, "mixed rows"},
		{"-types kv:mixed3.5", 2, "unknown data type"},
		{"-types mixed2 -tokens 10 -calibration 256", 1, "smallest"},
		{"-group 7", 2, "-group is 7"},
		{"-model none", 1, "none"},
		{"-tokenizer none", 1, "none"},
		{"-text none", 1, "none"},
		{"-text " + empty, 1, "no text"},
		{"-types kv:nvfp4 -tokens 10", 1, "kv:nvfp4"},
	})
}
