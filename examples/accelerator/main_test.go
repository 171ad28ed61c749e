package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
)

var program = clitest.Program{Name: "accelerator", Run: run}

func TestDocs(t *testing.T) { program.Docs(t, nil) }

func TestJSON(t *testing.T) {
	status, out, stderr := program.Invoke(t, "-json")
	if status != 0 || stderr != "" {
		t.Fatal(status, stderr)
	}
	var got struct {
		Speedup map[string]map[string]float64
		Cycles  map[string]map[string]map[string]int64
	}
	dec := json.NewDecoder(strings.NewReader(out))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&got); err != nil {
		t.Fatal(err)
	}
	for design, want := range map[string][3]float64{
		"fp16": {1.99, 2.41, 2.20}, "ant": {1.72, 1.66, 1.69}, "olive": {1.56, 1.39, 1.48},
	} {
		s := got.Speedup[design]
		for i, key := range []string{"discriminative", "generative", "overall"} {
			if math.Abs(s[key]/want[i]-1) > .01 {
				t.Errorf("%s %s: %v, want %v", design, key, s[key], want[i])
			}
		}
		if len(s) != 3 {
			t.Errorf("%s: %v", design, s)
		}
	}
	for design, want := range map[string][2]int64{
		"fp16": {3156574208, 413518608}, "bitmod_lossless": {1649680384, 156919888}, "bitmod_lossy": {1202921472, 79493200},
		"ant": {1949564928, 129497936}, "olive": {1768062976, 97236816},
	} {
		for _, model := range []string{"opt-1.3b", "phi-2", "yi-6b", "llama-2-7b", "llama-2-13b", "llama-3-8b"} {
			if c := got.Cycles[design][model]; len(c) != 2 || c["discriminative"] <= 0 || c["generative"] <= 0 {
				t.Errorf("%s, %s: %v", design, model, c)
			}
		}
		if c := got.Cycles[design]["llama-2-7b"]; c["discriminative"] != want[0] || c["generative"] != want[1] {
			t.Errorf("%s: %v, want %v", design, c, want)
		}
		if len(got.Cycles[design]) != 6 {
			t.Errorf("%s: %d models", design, len(got.Cycles[design]))
		}
	}
	if len(got.Speedup) != 3 || len(got.Cycles) != 5 {
		t.Errorf("%d speedups, %d designs", len(got.Speedup), len(got.Cycles))
	}
}

func TestTables(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	err := os.WriteFile(config, []byte(`{"_name_or_path": "tiny", "model_type": "llama", "hidden_size": 256, "intermediate_size": 768,
		"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 1000}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want []string
		not  string
	}{
		{nil, []string{"llama-3-8b", "paper:", "1202921472 cycles", "over olive"}, ""},
		{[]string{"-model", config, "-design", "fp16"}, []string{"tiny on fp16, 32 × 24 elements"}, "paper:"},
		{[]string{"-model", "yi-6b", "-bits", "8", "-rows", "16", "-cols", "8", "-tokens", "5", "-context", "1000"},
			[]string{"yi-6b on bitmod_lossy, 16 × 8 elements, 8-bit weights: 5 new tokens, context 1000"}, "paper:"},
		{[]string{"-bandwidth", "1000"}, []string{"compute"}, "paper:"},
		{[]string{"-per-head"}, []string{"compute"}, "paper:"},
	} {
		status, out, stderr := program.Invoke(t, c.args...)
		if status != 0 || stderr != "" {
			t.Fatalf("%v: %d, %s", c.args, status, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: no %q in\n%s", c.args, want, out)
			}
		}
		if c.not != "" && strings.Contains(out, c.not) {
			t.Errorf("%v: %q in\n%s", c.args, c.not, out)
		}
	}
}

func TestErrors(t *testing.T) {
	program.Errors(t, []clitest.Case{
		{"-model gpt-5", 2, "llama-2-13b"},
		{"-model missing/config.json", 2, "missing/config.json"},
		{"-design tpu", 2, "tpu"},
		{"-svg plots", 1, "examples/accelerator/svg"}, // not from this folder
		{"-bandwidth 0", 1, "DRAMBits"},
		{"-tokens -1", 1, "Tokens"},
		{"-rows -1", 1, "Rows"},
		{"-bits 99", 1, "WeightBits"},
	})
}

type brokenPipe struct{ bytes.Buffer }

var errBroken = errors.New("broken pipe")

func (*brokenPipe) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteError(t *testing.T) {
	for _, args := range [][]string{nil, {"-json"}} {
		var stderr bytes.Buffer
		if status := cli.Execute(t.Context(), "accelerator", run, args, new(brokenPipe), &stderr); status != 1 || !strings.Contains(stderr.String(), "broken pipe") {
			t.Errorf("%v: %d, %q", args, status, stderr.String())
		}
	}
}
