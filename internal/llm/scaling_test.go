package llm

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// scaleDir writes a model with scales to a new directory.
func scaleDir(t *testing.T, dir string, o ScaleOptions) (string, *Scaling) {
	t.Helper()
	f, err := OpenFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s, err := f.ScaleChannels(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := checkpoint.Save(t.Context(), out, s.Entries(), checkpoint.SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	config, err := fs.ReadFile(f.companions, "config.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "config.json"), config, 0o666); err != nil {
		t.Fatal(err)
	}
	return out, s
}

// TestScaleFamilies compares the logits of models with scales and without.
func TestScaleFamilies(t *testing.T) {
	for _, dir := range familyModels(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			m, err := Load(dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			places := map[string]bool{} // that could have scales
			o := ScaleOptions{
				Config: quant.Config{Type: datatype.BitMoD3, GroupSize: 8},
				Texts:  [][]int{tokens(&m.Config, 30, 1), tokens(&m.Config, 20, 2)},
				Report: func(x ScaledInput) {
					if x.Error > x.Unscaled || (x.Alpha != 0) != (x.Error < x.Unscaled) {
						t.Errorf("%+v", x)
					}
					places[x.Matrices] = true
				},
			}
			out, s := scaleDir(t, dir, o)
			if len(places)+len(s.Skipped) != stages || s.Scaled() == 0 {
				t.Errorf("%d tensors have scales; places: %v; skipped: %q", s.Scaled(), places, s.Skipped)
			}
			scaled, err := Load(out, Options{})
			if err != nil {
				t.Fatal(err)
			}
			j := readJudged(t, dir)[0]
			kv := KV{Length: len(j.IDs)}
			want, got := logits(t, m, j.IDs, len(j.IDs), 1, kv), logits(t, scaled, j.IDs, len(j.IDs), 1, kv)
			d := maxDiff(got, want) / float64(slices.Max(want)-slices.Min(want))
			t.Logf("%d tensors; logits differ by %.1e of their range; skipped: %q", s.Scaled(), d, s.Skipped)
			if d > 1e-5 {
				t.Errorf("logits differ by %.1e of their range", d)
			}
		})
	}
}

// Scales are chosen with feedback, on other texts.
func TestScaleFeedback(t *testing.T) {
	m, err := Load("testdata/families/llama", Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := ScaleOptions{
		Config: quant.Config{Type: datatype.BitMoD3, GroupSize: 8, Search: true, Feedback: calibrate.GPTQ().Feedback},
		Texts:  [][]int{tokens(&m.Config, 40, 1)},
		Held:   [][]int{tokens(&m.Config, 30, 2)},
	}
	n := 0
	o.Report = func(x ScaledInput) {
		n++
		if x.Error > x.Unscaled || x.Alpha > .5 {
			t.Errorf("%+v", x)
		}
	}
	scaleDir(t, "testdata/families/llama", o)
	if n != stages*m.Config.Layers {
		t.Errorf("%d inputs", n)
	}
}

func TestScaleErrors(t *testing.T) {
	f, err := OpenFile("testdata/families/llama")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text := [][]int{tokens(&f.Config, 10, 1)}
	config := quant.Config{GroupSize: 8}
	for name, o := range map[string]ScaleOptions{
		"no texts":      {Config: config},
		"none are held": {Config: quant.Config{GroupSize: 8, Feedback: &quant.Feedback{}}, Texts: text},
		"no such token": {Config: config, Texts: [][]int{{f.Config.Vocab}}},
		"group size":    {Config: quant.Config{GroupSize: 3}, Texts: text},
	} {
		if s, err := f.ScaleChannels(t.Context(), o); err == nil || s != nil {
			t.Errorf("%s: error %v", name, err)
		}
	}
	packed := quantizeDir(t, "testdata/families/llama", checkpoint.Options{Config: config})
	p, err := OpenFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.ScaleChannels(t.Context(), ScaleOptions{Config: config, Texts: text}); err == nil || !strings.Contains(err.Error(), "packed") {
		t.Errorf("packed: error %v", err)
	}
}
