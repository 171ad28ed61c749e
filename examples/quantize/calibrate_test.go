package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
	"github.com/bitmod-go/bitmod/quant/calibrate"
)

// TestCalibrate goes from a model and a text to a verified checkpoint.
func TestCalibrate(t *testing.T) {
	model := filepath.Join("..", "..", "internal", "tinylm")
	text := filepath.Join(t.TempDir(), "text")
	data, err := os.ReadFile(filepath.Join("..", "..", "quant", "checkpoint", "FORMAT.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, data[:8000], 0o666); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "out")
	flags := []string{"-in", model, "-out", dst, "-type", "bitmod3", "-group", "32", "-calibrate", text, "-nsamples", "3", "-length", "100"}
	out := program.Must(t, flags...)
	for _, want := range []string{
		`calibrating with 3 texts of up to 100 tokens from `,
		`layer 0: error of outputs \S+ with the paper's choice, \S+ calibrated: -\S+ dB \(300 vectors\)`,
		`model.safetensors is written`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, wouldGive) {
		t.Errorf("it says what calibration would give:\n%s", out)
	}
	if again := program.Must(t, flags...); !strings.Contains(again, "was finished already") {
		t.Errorf("a second run:\n%s", again)
	}
	if out := program.Must(t, "verify", dst, "-original", model); !strings.Contains(out, "are calibrated: the original alone does not determine") {
		t.Errorf("verify:\n%s", out)
	}
	encoder := filepath.Join("..", "..", "internal", "tinyembed")
	out = program.Must(t, "-in", encoder, "-out", filepath.Join(t.TempDir(), "out"), "-type", "bitmod3", "-group", "32", "-calibrate", "default", "-nsamples", "4", "-length", "40")
	if !strings.Contains(out, "calibrating with 4 texts of up to 40 tokens from the module's own text") || !strings.Contains(out, "layer 0: error of outputs") {
		t.Errorf("an encoder:\n%s", out)
	}
	dry := program.Must(t, "-in", model, "-dry-run", "-type", "bitmod3")
	if !strings.Contains(dry, wouldGive) {
		t.Errorf("without -calibrate:\n%s", dry)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	program.Errors(t, []clitest.Case{
		{"-calibrate " + text, 2, "-calibrate needs -in"},
		{"-in x -out y -by-tensor", 2, "-by-tensor needs -bits"},
		{"-in x -out y -bits 1 -calibrate z", 2, "-bits is 1"},
		{"-in " + model + " -out y -bits 2.5 -calibrate " + text + " -nsamples 1", 1, "2.5 bits a weight"},
		{"-in x -out y -calibrate z -shard 0/2", 2, "-calibrate does not work with -shard"},
		{"-in x -out y -calibrate z -nsamples -1", 2, "-nsamples is -1"},
		{"-in " + model + " -out y -calibrate nowhere", 1, "nowhere: no such file"},
		{"-in " + model + " -out y -calibrate " + empty, 1, "no tokens"},
	})
}

// TestCalibrateStatistics takes statistics in the place of a text.
func TestCalibrateStatistics(t *testing.T) {
	model := filepath.Join("..", "..", "internal", "tinylm")
	file := filepath.Join(t.TempDir(), "statistics.safetensors")
	for tensor, want := range map[string]string{
		"blk.0.attn_q.weight": "calibrating with statistics of 1 tensor from ",
		"other":               "",
	} {
		s := calibrate.Statistics{Moments: true}
		if err := s.Add(tensor, 0, make([]float32, 128), 128); err != nil {
			t.Fatal(err)
		}
		if err := s.Save(t.Context(), file); err != nil {
			t.Fatal(err)
		}
		flags := []string{"-in", model, "-dry-run", "-calibrate", file}
		if want == "" {
			program.Errors(t, []clitest.Case{{strings.Join(flags, " "), 1, "no statistics of tensors"}})
		} else if out := program.Must(t, flags...); !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}
