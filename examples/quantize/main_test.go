package main

import (
	"bytes"
	"context"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/internal/tinylm"
	"github.com/bitmod-go/bitmod/quant"
)

func command(t *testing.T, want int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, &out, &errs); code != want {
		t.Fatalf("quantize %v: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
	}
	return out.String(), errs.String()
}

func TestTable(t *testing.T) {
	out, _ := command(t, 0, "-types", "all")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3+len(datatype.Types()) {
		t.Errorf("%d lines for %d types:\n%s", len(lines), len(datatype.Types()), out)
	}
	if !strings.Contains(out, "+5: ") {
		t.Errorf("no special values:\n%s", out)
	}
}

func TestUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"usage:":                      {"-h"},
		"-in and -out go together":    {"-in", "x"},
		`unknown data type "int99"`:   {"-types", "int4,int99"},
		`unexpected argument "x"`:     {"x"},
		"flag provided but not defin": {"-what"},
	} {
		code := 2
		if args[0] == "-h" {
			code = 0
		}
		if _, errs := command(t, code, args...); !strings.Contains(errs, want) {
			t.Errorf("quantize %v says %q, want %q in it", args, errs, want)
		}
	}
	for want, args := range map[string][]string{
		"no such file": {"-in", "nowhere.safetensors", "-out", filepath.Join(t.TempDir(), "x")},
		"group size":   nil,
	} {
		if args == nil {
			want, args = "GroupSize is 3", []string{"-group", "3"}
		}
		if _, errs := command(t, 1, args...); !strings.Contains(errs, want) {
			t.Errorf("quantize %v says %q, want %q in it", args, errs, want)
		}
	}
}

// TestConvert quantizes the embedded model as a file, and reads the result back.
func TestConvert(t *testing.T) {
	dir := t.TempDir()
	src, err := tinylm.Open()
	if err != nil {
		t.Fatal(err)
	}
	in, out := filepath.Join(dir, "in.safetensors"), filepath.Join(dir, "out.safetensors")
	copyModel(t, src, in)
	for _, typ := range []datatype.Type{datatype.BitMoD3, datatype.MXFP4} {
		command(t, 0, "-in", in, "-out", out, "-type", typ.String())
		f, err := safetensors.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range src.Tensors() {
			if !linear(tensor) {
				got, ok := f.Tensor(tensor.Name)
				if !ok || !bytes.Equal(content(t, f, got), content(t, src, tensor)) {
					t.Errorf("%s was not copied", tensor.Name)
				}
				continue
			}
			l, err := load(src, tensor)
			if err != nil {
				t.Fatal(err)
			}
			m, err := quant.Group(l.w, l.cols, quant.Config{Type: typ})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts(m) {
				got, ok := f.Tensor(tensor.Name + p.suffix)
				if !ok || !bytes.Equal(content(t, f, got), p.data) {
					t.Errorf("%s%s is not the matrix's", tensor.Name, p.suffix)
				}
			}
		}
		f.Close()
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 2 {
		t.Errorf("files left: %v", left)
	}
}

// TestConvertBadWeights checks that a file with a NaN is refused by name and
// place, and that nothing is written.
func TestConvertBadWeights(t *testing.T) {
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.safetensors"), filepath.Join(dir, "out.safetensors")
	file, err := os.Create(in)
	if err != nil {
		t.Fatal(err)
	}
	w, err := safetensors.NewWriter(file, []safetensors.Tensor{{Name: "a.weight", DType: safetensors.F32, Shape: []int{2, 16}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 4*32)
	bits := math.Float32bits(float32(math.NaN()))
	copy(data[4*20:], []byte{byte(bits), byte(bits >> 8), byte(bits >> 16), byte(bits >> 24)})
	if err := w.WriteAt("a.weight", data, 0); err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(nil); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, errs := command(t, 1, "-in", in, "-out", out); !strings.Contains(errs, "a.weight: quant: weight at row 1, column 4 is NaN") {
		t.Error(errs)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("files left: %v", left)
	}
}

func copyModel(t *testing.T, src *safetensors.File, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := safetensors.NewWriter(file, src.Tensors(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tensor := range src.Tensors() {
		if err := w.WriteAt(tensor.Name, content(t, src, tensor), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finish(nil); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}

func content(t *testing.T, f *safetensors.File, tensor safetensors.Tensor) []byte {
	t.Helper()
	b, err := io.ReadAll(f.Section(tensor))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
