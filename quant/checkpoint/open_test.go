package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := Open(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	for _, content := range []string{"", "GG", "GGUF", "GGUF\x03\x00\x00\x00", "hello, world, this is no checkpoint"} {
		path := filepath.Join(dir, "x")
		os.WriteFile(path, []byte(content), 0o666)
		if _, err := Open(path); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// TestNeitherFormat checks the error for files of no known format.
func TestNeitherFormat(t *testing.T) {
	dir := t.TempDir()
	for content, want := range map[string]string{
		"module example.com/x\n\ngo 1.26\n":  "go.mod: invalid format: it is neither a safetensors nor a GGUF file",
		"":                                   "neither a safetensors nor a GGUF file",
		"GGU":                                "neither a safetensors nor a GGUF file",
		"\x02\x00\x00\x00\x00\x00\x00\x00[]": "neither a safetensors nor a GGUF file",
		"PK\x03\x04 and what follows":        "but may be one of PyTorch",
	} {
		path := filepath.Join(dir, "go.mod")
		os.WriteFile(path, []byte(content), 0o666)
		_, err := Open(path)
		if !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestTensorErrors(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	c := openSource(t, random(r, "w", "F32", 4, 8), random(r, "ids", "I64", 2))
	if _, err := c.Matrix("x"); !errors.Is(err, ErrNoTensor) {
		t.Error(err)
	}
	if _, err := c.Matrix("w"); !errors.Is(err, quant.ErrShape) {
		t.Error(err)
	}
	if err := c.ReadRows(nil, "x", 0, 0); !errors.Is(err, ErrNoTensor) {
		t.Error(err)
	}
	if err := c.ReadRows(make([]float32, 2), "ids", 0, 1); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	for _, x := range []struct{ n, lo, hi int }{{8, -1, 0}, {8, 0, 2}, {8, 4, 5}, {0, 1, 0}} {
		if err := c.ReadRows(make([]float32, x.n), "w", x.lo, x.hi); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%v: %v", x, err)
		}
	}
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	run(t, plan(t, c, Options{Rules: Rules{Include: []string{"w"}}}), dst, RunOptions{})
	q := open(t, dst)
	for _, x := range [][2]int{{-1, 1}, {1, 1}, {2, 1}, {0, 5}} {
		if _, err := q.MatrixRows("w", x[0], x[1]); !errors.Is(err, quant.ErrShape) {
			t.Errorf("%v: %v", x, err)
		}
	}
	if _, err := NewPlan(q, Options{}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("quantizing twice: %v", err)
	}
}

// TestHostileMetadata opens files whose metadata does not match their tensors.
func TestHostileMetadata(t *testing.T) {
	good := `{"type":"bitmod4","group_size":128,"shape":[2,8]}`
	parts := []safetensors.Tensor{
		{Name: "w.codes", DType: "U8", Shape: []int{2, 4}},
		{Name: "w.scales", DType: "U8", Shape: []int{2, 1}},
		{Name: "w.row_scales", DType: "F32", Shape: []int{2}},
		{Name: "w.special", DType: "U8", Shape: []int{2, 1}},
	}
	write := func(ts []safetensors.Tensor, meta map[string]string) string {
		path := filepath.Join(t.TempDir(), "h.safetensors")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		w, err := safetensors.NewWriter(f, ts, meta)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range ts {
			w.WriteAt(x.Name, make([]byte, x.Elements()*int64(x.DType.Bits()/8)), 0)
		}
		if err := w.Finish(meta); err != nil {
			t.Fatal(err)
		}
		return path
	}
	meta := func(tensors string) map[string]string {
		return map[string]string{keyVersion: "1", keyTensors: `{"w":` + tensors + `}`, keySHA256: "{}"}
	}
	c := open(t, write(parts, meta(good)))
	if _, err := c.Matrix("w"); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(context.Background(), c, nil, nil); !errors.Is(err, ErrChecksum) {
		t.Errorf("without checksums: %v", err)
	}
	for _, x := range []struct{ name, tensors string }{
		{"type", strings.Replace(good, "bitmod4", "bitmod5", 1)},
		{"other type", strings.Replace(good, "bitmod4", "int8", 1)},
		{"group", strings.Replace(good, "128", "0", 1)},
		{"negative group", strings.Replace(good, "128", "-128", 1)},
		{"small group", strings.Replace(good, "128", "8.5", 1)},
		{"huge group", strings.Replace(good, "128", "99999999999", 1)},
		{"shape", strings.Replace(good, "[2,8]", "[2,9]", 1)},
		{"rows", strings.Replace(good, "[2,8]", "[3,8]", 1)},
		{"1-D", strings.Replace(good, "[2,8]", "[16]", 1)},
		{"no shape", strings.Replace(good, "[2,8]", "null", 1)},
		{"zero", strings.Replace(good, "[2,8]", "[0,8]", 1)},
		{"negative", strings.Replace(good, "[2,8]", "[-2,-8]", 1)},
		{"overflow", strings.Replace(good, "[2,8]", "[4294967296,4294967296,8]", 1)},
		{"overflow to 2", strings.Replace(good, "[2,8]", "[1099511627776,1099511627776,1099511627776,8]", 1)},
		{"list", "[]"},
		{"other name", good + `,"x":` + good},
		{"not JSON", good + "}"},
	} {
		if c, err := Open(write(parts, meta(x.tensors))); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%s: %v", x.name, err)
			if err == nil {
				c.Close()
			}
		}
	}
	for i := range parts {
		wrong := append([]safetensors.Tensor{}, parts...)
		wrong[i].DType = "I8"
		if i == 2 {
			wrong[i].DType = "I32"
		}
		if _, err := Open(write(wrong, meta(good))); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%s as %s: %v", wrong[i].Name, wrong[i].DType, err)
		}
		if _, err := Open(write(append(append([]safetensors.Tensor{}, parts[:i]...), parts[i+1:]...), meta(good))); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("without %s: %v", parts[i].Name, err)
		}
	}
	m := meta(good)
	m[keyVersion] = "2"
	if _, err := Open(write(parts, m)); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "version") {
		t.Errorf("version 2: %v", err)
	}
	if _, err := Open(write(append(parts, safetensors.Tensor{Name: "w", DType: "U8"}), meta(good))); !errors.Is(err, quant.ErrFormat) {
		t.Errorf("a tensor of the same name: %v", err)
	}
}

// TestInvalidCodes reads codes that no quantizer writes.
func TestInvalidCodes(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 3))
	c := openSource(t, random(r, "w", "F32", 4, 64))
	for _, x := range []struct {
		typ    datatype.Type
		suffix string
		b      byte
	}{
		{datatype.Int4, suffixCodes, 0xff},
		{datatype.MXFP4, suffixScales, 0xff},
		{datatype.NVFP4, suffixScales, 0x7f},
		{datatype.NVFP4, suffixRowScales, 1},
		{datatype.MXFP4, suffixRowScales, 1},
		{datatype.BitMoD4, suffixSpecial, 0xff},
	} {
		dst := filepath.Join(t.TempDir(), "q.safetensors")
		run(t, plan(t, c, Options{Config: quant.Config{Type: x.typ}, Rules: Rules{Include: []string{"w"}}}), dst, RunOptions{})
		f, err := safetensors.Open(dst)
		if err != nil {
			t.Fatal(err)
		}
		part, _ := f.Tensor("w" + x.suffix)
		f.Close()
		b, _ := os.ReadFile(dst)
		b[part.End-1] = x.b
		os.WriteFile(dst, b, 0o666)
		q := open(t, dst)
		if _, err := q.Matrix("w"); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("%v%s: %v", x.typ, x.suffix, err)
		}
		if _, err := Verify(context.Background(), q, c, nil); !errors.Is(err, ErrChecksum) {
			t.Errorf("%v%s: %v", x.typ, x.suffix, err)
		}
	}
}

func TestVerifyOriginal(t *testing.T) {
	ws := model(11)
	c := openSource(t, ws...)
	dst := t.TempDir()
	run(t, plan(t, c, Options{ShardSize: 50_000}), dst, RunOptions{})
	q := open(t, dst)
	var last Progress
	vs, err := Verify(context.Background(), q, c, func(p Progress) { last = p })
	if err != nil || len(vs) != len(ws) {
		t.Fatalf("%d of %d, %v", len(vs), len(ws), err)
	}
	if last.Done != last.Total {
		t.Errorf("progress ends at %+v", last)
	}
	for _, v := range vs {
		if v.Quantized && (v.Stats.SQNR() < 15 || v.Stats.Weights != v.Elements()) {
			t.Errorf("%s: %+v", v.Name, v.Stats)
		}
	}
	byName := func(name string) int {
		for i, w := range ws {
			if w.name == name {
				return i
			}
		}
		t.Fatal(name)
		return 0
	}
	for _, x := range []struct {
		name string
		edit func(ws []weight) []weight
		want error
	}{
		{"model.norm.weight", func(ws []weight) []weight {
			ws[byName("model.norm.weight")].bytes[0] ^= 1
			return ws
		}, quant.ErrFormat},
		{"model.layers.1.mlp.up_proj.weight", func(ws []weight) []weight {
			ws[byName("model.layers.1.mlp.up_proj.weight")].shape = []int{96, 60}
			return ws
		}, quant.ErrShape},
		{"lm_head.weight", func(ws []weight) []weight { return append(ws[:2:2], ws[3:]...) }, ErrNoTensor},
		{"more", func(ws []weight) []weight { return append(ws, random(rand.New(rand.NewPCG(1, 1)), "more", "F32", 2)) }, ErrNoTensor},
	} {
		_, err := Verify(context.Background(), q, openSource(t, x.edit(model(11))...), nil)
		if !errors.Is(err, x.want) || !strings.Contains(fmt.Sprint(err), x.name) {
			t.Errorf("%s: got %v, want %v", x.name, err, x.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Verify(ctx, q, c, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestMetadata(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "q.safetensors")
	run(t, plan(t, openSource(t, model(1)...), Options{Tool: "a test"}), dst, RunOptions{})
	m := open(t, dst).Metadata()
	if m["format"] != "bitmod" || m[keyVersion] != "1" {
		t.Errorf("metadata %v", m)
	}
	var s struct{ Tool, Type string }
	if err := json.Unmarshal([]byte(m[keySettings]), &s); err != nil || s.Tool != "a test" || s.Type != "bitmod4" {
		t.Errorf("settings %s: %v", m[keySettings], err)
	}
}
