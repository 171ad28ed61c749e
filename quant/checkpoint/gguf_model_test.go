package checkpoint

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/internal/gguf"
)

// TestGGUFModels converts a small model of each family. Tensors get Hugging Face's names,
// and a run keeps their values.
func TestGGUFModels(t *testing.T) {
	paths, err := filepath.Glob("../../internal/gguf/hf/testdata/*.gguf")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := open(t, path)
			if _, err := fs.Stat(c.Companions(), "config.json"); err != nil {
				t.Fatal(err)
			}
			for _, x := range c.Tensors() {
				v := floats(t, c, x.Name)
				r, ok := c.dataOf(x).(raw)
				if !ok {
					continue
				}
				b, err := io.ReadAll(r.Bytes())
				if err != nil || int64(len(b)) != x.Bytes {
					t.Fatalf("%s: %d bytes, %v, want %d", x.Name, len(b), err, x.Bytes)
				}
				if typ, _ := gguf.ParseType(x.DType); x.DType == "F32" && !slices.Equal(leBytes(v), b) || typ.Size(x.Elements()) != x.Bytes {
					t.Errorf("%s: other bytes than elements", x.Name)
				}
			}
			dst := t.TempDir()
			p := plan(t, c, Options{Rules: Rules{Transposed: []string{"c_attn", "c_fc", "c_proj"}}})
			r := run(t, p, dst, RunOptions{})
			for _, f := range r.Companions {
				if why := f.LeftOut; why != "" && !strings.Contains(why, "tokenizer.ggml.model") {
					t.Errorf("%s is left out: %s", f.Name, why)
				}
			}
			q := open(t, dst)
			if len(q.Tensors()) != len(c.Tensors()) {
				t.Errorf("%d tensors, want %d", len(q.Tensors()), len(c.Tensors()))
			}
			vs, err := Verify(context.Background(), q, c, nil)
			if err != nil {
				t.Fatal(err)
			}
			quantized := 0
			for _, v := range vs {
				if v.Quantized {
					quantized++
				}
				if v.Quantized && v.Stats.SQNR() < 10 {
					t.Errorf("%s: %.1f dB", v.Name, v.Stats.SQNR())
				}
			}
			if quantized == 0 {
				t.Error("nothing is quantized")
			}
			_, err = fs.Stat(q.Companions(), "tokenizer.json")
			if _, carried := q.Metadata()["gguf.tokenizer.ggml.bos_token_id"]; carried == (err == nil) {
				t.Errorf("keys about the tokenizer are carried: %v, beside tokenizer.json: %v", carried, err)
			}
			if q.Metadata()["gguf.general.name"] == "" {
				t.Errorf("the name is not carried: %v", q.Metadata())
			}
			for k, v := range q.Metadata() {
				if len(v) > maxCarried && !slices.Contains([]string{keyTensors, keySHA256, keySettings}, k) {
					t.Errorf("the metadata %s has %d bytes", k, len(v))
				}
			}
		})
	}
}

// TestGGUFModelDirectory checks that files beside a GGUF file are copied if the directory
// was named, but that files made from the GGUF file take precedence.
func TestGGUFModelDirectory(t *testing.T) {
	b, err := os.ReadFile("../../internal/gguf/hf/testdata/llama.gguf")
	if err != nil {
		t.Fatal(err)
	}
	src := t.TempDir()
	for name, content := range map[string]string{
		"m.gguf": string(b), "LICENSE": "terms", "config.json": `{"model_type": "nonsense"}`, "images/a.png": "png", "model.onnx": "weights",
	} {
		path := filepath.Join(src, name)
		os.MkdirAll(filepath.Dir(path), 0o777)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	file, dir := open(t, filepath.Join(src, "m.gguf")), open(t, src)
	alone := run(t, plan(t, file, Options{}), t.TempDir(), RunOptions{}).Companions
	dst := t.TempDir()
	var beside []string
	for _, c := range run(t, plan(t, dir, Options{}), dst, RunOptions{}).Companions {
		if !slices.ContainsFunc(alone, func(a Companion) bool { return a == c }) {
			beside = append(beside, c.Name+": "+c.LeftOut)
		}
	}
	if want := []string{"LICENSE: ", "images/a.png: ", "model.onnx: other weights"}; !slices.Equal(beside, want) {
		t.Errorf("beside what is made are %q, want %q", beside, want)
	}
	for name, want := range map[string]string{"LICENSE": "terms", "images/a.png": "png"} {
		if got, err := os.ReadFile(filepath.Join(dst, name)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, fsys := range []fs.FS{file.Companions(), dir.Companions()} {
		if got, err := fs.ReadFile(fsys, "config.json"); err != nil || strings.Contains(string(got), "nonsense") {
			t.Errorf("config.json: %s, %v", got, err)
		}
	}
	if _, err := fs.Stat(file.Companions(), "LICENSE"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("beside a file: %v", err)
	}
	if err := fstest.TestFS(dir.Companions(), "config.json", "LICENSE", "images/a.png"); err != nil {
		t.Error(err)
	}
}
