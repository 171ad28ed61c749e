package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/internal/gguf"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

// keyValues are pairs for writeGGUF: names, types by number, values.
type keyValues []any

func (kv keyValues) write(num func(...any)) int {
	num(kv...)
	return len(kv) / 3
}

// splitKeys are the keys that llama.cpp writes to part no, from 0 on.
func splitKeys(no, count, tensors int) keyValues {
	return keyValues{
		"split.no", uint32(2), uint16(no), "split.count", uint32(2), uint16(count), "split.tensors.count", uint32(5), int32(tensors),
	}
}

// A testPart is a file of a split model.
type testPart struct {
	name string
	keys keyValues
	ws   []weight
}

func writeParts(t *testing.T, parts []testPart) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range parts {
		writeGGUF(t, filepath.Join(dir, p.name), p.keys.write, p.ws...)
	}
	return dir
}

// threeParts are a model with 6 tensors in three parts.
func threeParts() []testPart {
	ws := llamaWeights(rand.New(rand.NewPCG(1, 3)))[:6]
	var ps []testPart
	for i := range 3 {
		ps = append(ps, testPart{fmt.Sprintf("m-%05d-of-00003.gguf", i+1), splitKeys(i, 3, 6), ws[2*i : 2*i+2]})
	}
	return ps
}

func TestSplitGGUF(t *testing.T) {
	for _, c := range []struct {
		name string
		keys func(i int) keyValues
	}{
		{"as llama.cpp", func(i int) keyValues { return splitKeys(i, 3, 6) }},
		{"no keys", func(i int) keyValues { return keyValues{"general.name", uint32(8), "m"} }},
		{"no number of tensors", func(i int) keyValues { return splitKeys(i, 3, 6)[:6] }},
		{"u8", func(i int) keyValues {
			return keyValues{"split.no", uint32(0), uint8(i), "split.count", uint32(0), uint8(3), "split.tensors.count", uint32(0), uint8(6)}
		}},
		{"i8", func(i int) keyValues {
			return keyValues{"split.no", uint32(1), int8(i), "split.count", uint32(1), int8(3), "split.tensors.count", uint32(1), int8(6)}
		}},
		{"i16 and u32", func(i int) keyValues {
			return keyValues{"split.no", uint32(3), int16(i), "split.count", uint32(4), uint32(3), "split.tensors.count", uint32(4), uint32(6)}
		}},
		{"64 bits", func(i int) keyValues {
			return keyValues{"split.no", uint32(10), uint64(i), "split.count", uint32(11), int64(3), "split.tensors.count", uint32(10), uint64(6)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			parts := threeParts()
			for i := range parts {
				parts[i].keys = c.keys(i)
			}
			dir := writeParts(t, parts)
			for _, p := range parts {
				got := open(t, filepath.Join(dir, p.name))
				for key := range got.Metadata() {
					if strings.Contains(key, "split") {
						t.Errorf("%s has %s in its metadata", p.name, key)
					}
				}
				if len(got.Tensors()) != 6 || len(got.Files()) != 3 || got.Files()[2] != filepath.Join(dir, parts[2].name) {
					t.Errorf("%s opens %d tensors in %v", p.name, len(got.Tensors()), got.Files())
				}
			}
		})
	}
}

// TestWholeGGUFWithSplitKeys opens whole files with keys of splits: of gguf-split
// --merge, and of a split into one.
func TestWholeGGUFWithSplitKeys(t *testing.T) {
	for _, p := range []testPart{
		{"merged.gguf", splitKeys(0, 0, 6), nil},
		{"merged-00001-of-00001.gguf", splitKeys(0, 0, 6), nil},
		{"single-00001-of-00001.gguf", splitKeys(0, 1, 6), nil},
		{"single-00001-of-00001.gguf", nil, nil},
		{"renamed.gguf", splitKeys(0, 1, 6), nil},
	} {
		for _, part := range threeParts() {
			p.ws = append(p.ws, part.ws...)
		}
		c := open(t, filepath.Join(writeParts(t, []testPart{p}), p.name))
		if len(c.Tensors()) != 6 {
			t.Errorf("%s: %d tensors", p.name, len(c.Tensors()))
		}
	}
}

func TestBadSplitGGUF(t *testing.T) {
	set := func(ps []testPart, i int, kv ...any) []testPart {
		ps[i].keys = kv
		return ps
	}
	for _, c := range []struct {
		name  string
		parts func(ps []testPart) []testPart
		open  string // the first part if it is empty
		want  string
		is    error
	}{
		{"two are missing", func(ps []testPart) []testPart { return ps[2:] }, "m-00003-of-00003.gguf", "m-00003-of-00003.gguf: shards are missing: it is one of 3 parts, and 2 of them do not exist: DIR/m-00001-of-00003.gguf, DIR/m-00002-of-00003.gguf", fs.ErrNotExist},
		{"the same without keys", func(ps []testPart) []testPart { return set(ps, 0)[:1] }, "", "it is one of 3 parts, and 2 of them do not exist", ErrIncomplete},
		{"no pattern in the name", func(ps []testPart) []testPart { ps[0].name = "m.gguf"; return ps }, "m.gguf", "m.gguf: it is one of 3 parts (split.count), but its name does not end in", quant.ErrFormat},
		{"part 0", func(ps []testPart) []testPart { ps[0].name = "m-00000-of-00003.gguf"; return ps }, "m-00000-of-00003.gguf", "its name says that it is part 0 of 3", quant.ErrFormat},
		{"part 4 of 3", func(ps []testPart) []testPart { ps[0].name = "m-00004-of-00003.gguf"; return ps }, "m-00004-of-00003.gguf", "its name says that it is part 4 of 3", quant.ErrFormat},
		{"another count in the name", func(ps []testPart) []testPart { ps[0].name = "m-00001-of-00002.gguf"; return ps }, "m-00001-of-00002.gguf", "m-00001-of-00002.gguf: split.count is 3, but it is one of 2 parts by its name", quant.ErrFormat},
		{"a count of 1", func(ps []testPart) []testPart { ps[0].keys = splitKeys(0, 1, 6); return ps }, "", "m-00001-of-00003.gguf: split.count is 1, but", quant.ErrFormat},
		{"a count of 0", func(ps []testPart) []testPart { ps[0].keys = splitKeys(0, 0, 6); return ps }, "", "m-00001-of-00003.gguf: split.count is 0, but", quant.ErrFormat},
		{"another count in a part", func(ps []testPart) []testPart { ps[1].keys = splitKeys(1, 4, 6); return ps }, "", "m-00002-of-00003.gguf: split.count is 4", quant.ErrFormat},
		{"out of order", func(ps []testPart) []testPart { ps[1].name, ps[2].name = ps[2].name, ps[1].name; return ps }, "", "m-00002-of-00003.gguf: split.no is 2, and has to be 1, as it is part 2 by its name", quant.ErrFormat},
		{"a part twice", func(ps []testPart) []testPart { ps[2].keys, ps[2].ws = ps[1].keys, ps[1].ws; return ps }, "", "m-00003-of-00003.gguf: split.no is 1, and has to be 2", quant.ErrFormat},
		{"a part twice without keys", func(ps []testPart) []testPart {
			for i := range ps {
				ps[i].keys, ps[i].ws = nil, ps[0].ws
			}
			return ps
		}, "", `tensor "token_embd.weight": invalid format: it is in both DIR/m-00001-of-00003.gguf and DIR/m-00002-of-00003.gguf`, quant.ErrFormat},
		{"tensors of another model", func(ps []testPart) []testPart { ps[2].ws = ps[1].ws; return ps }, "", "it is in both DIR/m-00002-of-00003.gguf and DIR/m-00003-of-00003.gguf", quant.ErrFormat},
		{"metadata of another model", func(ps []testPart) []testPart {
			for i := range ps {
				ps[i].keys = append(ps[i].keys, "general.architecture", uint32(8), []string{"llama", "llama", "qwen2"}[i])
			}
			return ps
		}, "", `m-00003-of-00003.gguf: "general.architecture" differs from an earlier part`, quant.ErrFormat},
		{"a tensor less", func(ps []testPart) []testPart { ps[2].ws = ps[2].ws[:1]; return ps }, "", "m-00001-of-00003.gguf: split.tensors.count is 6, but there are 5 tensors in the 3 parts", quant.ErrFormat},
		{"another number of tensors", func(ps []testPart) []testPart { ps[1].keys = splitKeys(1, 3, 2); return ps }, "", "m-00002-of-00003.gguf: split.tensors.count is 2, but there are 6", quant.ErrFormat},
		{"a part without keys", func(ps []testPart) []testPart { return set(ps, 1) }, "", "m-00002-of-00003.gguf: split.count is in some parts and missing in others", quant.ErrFormat},
		{"a part without one key", func(ps []testPart) []testPart { ps[1].keys = ps[1].keys[:6]; return ps }, "", "m-00002-of-00003.gguf: split.tensors.count is in some parts", quant.ErrFormat},
		{"no without count", func(ps []testPart) []testPart { ps[0].keys = ps[0].keys[:3]; return ps }, "", "it has split.no, but no split.count", quant.ErrFormat},
		{"count without no", func(ps []testPart) []testPart { ps[0].keys = ps[0].keys[3:]; return ps }, "", "it has split.count, but no split.no", quant.ErrFormat},
		{"an extra part", func(ps []testPart) []testPart {
			return append(ps, testPart{"m-00004-of-00003.gguf", nil, ps[0].ws})
		}, "", "m-00004-of-00003.gguf: it lies beside parts 1 to 3", quant.ErrFormat},
		{"a count that is a string", func(ps []testPart) []testPart { return set(ps, 0, "split.count", uint32(8), "3") }, "", "m-00001-of-00003.gguf: split.count is no integer but a string", quant.ErrFormat},
		{"a count that is a float", func(ps []testPart) []testPart { return set(ps, 0, "split.count", uint32(6), float32(3)) }, "", "split.count is no integer but a float32", quant.ErrFormat},
		{"a negative number", func(ps []testPart) []testPart {
			return set(ps, 0, "split.no", uint32(5), int32(-1), "split.count", uint32(5), int32(3))
		}, "", "split.no is -1", quant.ErrFormat},
		{"a huge count", func(ps []testPart) []testPart {
			return set(ps, 0, "split.no", uint32(10), uint64(0), "split.count", uint32(10), uint64(1<<63+3))
		}, "", "split.count is 9223372036854775807, but it is one of 3", quant.ErrFormat},
		{"a number that is another modulo 2^32", func(ps []testPart) []testPart {
			return set(ps, 0, "split.no", uint32(10), uint64(1<<32), "split.count", uint32(10), uint64(3))
		}, "", "split.no is 4294967296", quant.ErrFormat},
		{"a part that is no GGUF file", func(ps []testPart) []testPart { return ps }, "", "m-00002-of-00003.gguf: it starts with", quant.ErrFormat},
		{"a whole file that misses tensors", func(ps []testPart) []testPart {
			return []testPart{{"m-00001-of-00001.gguf", splitKeys(0, 0, 6), ps[0].ws}}
		}, "m-00001-of-00001.gguf", "split.tensors.count is 6, but there are 2", quant.ErrFormat},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeParts(t, c.parts(threeParts()))
			if strings.Contains(c.name, "no GGUF file") {
				if err := os.WriteFile(filepath.Join(dir, "m-00002-of-00003.gguf"), []byte("not a model"), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			if c.open == "" {
				c.open = "m-00001-of-00003.gguf"
			}
			_, err := Open(filepath.Join(dir, c.open))
			want := strings.ReplaceAll(c.want, "DIR", dir)
			if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), want) || strings.Contains(fmt.Sprint(err), "\n") {
				t.Errorf("got %v, want %v with %s", err, c.is, want)
			}
		})
	}
}

func TestGGUFDirectory(t *testing.T) {
	parts := threeParts()
	if c := open(t, writeParts(t, parts)); len(c.Tensors()) != 6 {
		t.Errorf("a split: %d tensors", len(c.Tensors()))
	}
	one := testPart{"model.gguf", nil, parts[0].ws}
	dir := writeParts(t, []testPart{one, {".hidden.gguf", nil, parts[1].ws}})
	if c := open(t, dir); len(c.Tensors()) != 2 || c.Path() != dir {
		t.Errorf("a file: %d tensors, opened with %q", len(c.Tensors()), c.Path())
	}
	_, err := Open(writeParts(t, append(parts, one)))
	if !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), "it has 2 GGUF models: name one of m-00001-of-00003.gguf, model.gguf") {
		t.Errorf("two models: %v", err)
	}
	writeFile(t, filepath.Join(dir, "model.safetensors"), random(rand.New(rand.NewPCG(1, 4)), "w", "F32", 2, 64))
	if c := open(t, dir); len(c.Tensors()) != 1 {
		t.Errorf("beside a safetensors file: %d tensors", len(c.Tensors()))
	}
}

// smallLlama is the metadata and the tensors of a model of a known family, with
// linear layers of the given type.
func smallLlama(typ string) (keyValues, []weight) {
	r := rand.New(rand.NewPCG(1, 5))
	keys := keyValues{
		"general.architecture", uint32(8), "llama",
		"llama.context_length", uint32(4), uint32(32),
		"llama.embedding_length", uint32(4), uint32(256),
		"llama.feed_forward_length", uint32(4), uint32(256),
		"llama.block_count", uint32(4), uint32(1),
		"llama.attention.head_count", uint32(4), uint32(4),
		"llama.attention.layer_norm_rms_epsilon", uint32(6), float32(1e-5),
	}
	ws := []weight{random(r, "token_embd.weight", "F16", 20, 256), random(r, "output_norm.weight", "F32", 256)}
	for _, name := range []string{"attn_norm", "ffn_norm"} {
		ws = append(ws, random(r, "blk.0."+name+".weight", "F32", 256))
	}
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"} {
		ws = append(ws, blocks(r, "blk.0."+name+".weight", typ, 256, 256))
	}
	return keys, ws
}

// TestSplitFamily opens a model by a part that has no metadata of its own.
func TestSplitFamily(t *testing.T) {
	keys, ws := smallLlama("Q4_1")
	dir := writeParts(t, []testPart{
		{"m-00001-of-00002.gguf", append(splitKeys(0, 2, len(ws)), keys...), ws[:3]},
		{"m-00002-of-00002.gguf", splitKeys(1, 2, len(ws)), ws[3:]},
	})
	first, second := open(t, filepath.Join(dir, "m-00001-of-00002.gguf")), open(t, filepath.Join(dir, "m-00002-of-00002.gguf"))
	if diff := cmp.Diff(first.Tensors(), second.Tensors()); diff != "" {
		t.Errorf("by the first part (-) and the second (+)\n%s", diff)
	}
	if _, ok := second.Tensor("model.layers.0.self_attn.q_proj.weight"); !ok {
		t.Errorf("tensors %v", second.Tensors())
	}
}

func TestUnsupportedFamily(t *testing.T) {
	keys, ws := smallLlama("IQ2_XXS")
	path := filepath.Join(writeParts(t, []testPart{{"m.gguf", keys, ws}}), "m.gguf")
	_, err := NewPlan(open(t, path), Options{})
	if want := fmt.Sprintf("checkpoint: %s: 7 tensors are of IQ2_XXS, which can't be read", path); !errors.Is(err, ErrUnsupported) || fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// splitFS is a model in two parts, the first with its metadata.
func splitFS(t *testing.T) fstest.MapFS {
	keys, ws := smallLlama("Q4_1")
	dir := t.TempDir()
	writeGGUF(t, filepath.Join(dir, "m-00001-of-00002.gguf"), append(splitKeys(0, 2, len(ws)), keys...).write, ws[:8]...)
	writeGGUF(t, filepath.Join(dir, "m-00002-of-00002.gguf"), splitKeys(1, 2, len(ws)).write, ws[8:]...)
	fsys := make(fstest.MapFS)
	for _, name := range dirtest.Names(t, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		fsys[name] = &fstest.MapFile{Data: b}
	}
	return fsys
}

// TestSplitCut cuts the second part of two at many lengths, and at every length of its
// header.
func TestSplitCut(t *testing.T) {
	const name = "m-00002-of-00002.gguf"
	fsys := splitFS(t)
	whole := fsys[name].Data
	c, err := OpenFS(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for n := 0; n < len(whole); n++ {
		if n > 1000 {
			n = min(n+997, len(whole)-32) // 32 may be padding
		}
		fsys[name] = &fstest.MapFile{Data: whole[:n]}
		if _, err := OpenFS(fsys, "."); !errors.Is(err, quant.ErrFormat) || !strings.Contains(fmt.Sprint(err), name) {
			t.Fatalf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
		if n == len(whole)-32 {
			break
		}
	}
}

// FuzzSplit replaces the second part of a model by arbitrary bytes. Either part opens the
// same model, with all tensors of both parts.
func FuzzSplit(f *testing.F) {
	path := filepath.Join(f.TempDir(), "part.gguf")
	part := func(keys keyValues, name string) []byte {
		writeGGUF(f, path, keys.write, weight{name: name, dtype: "F32", shape: []int{1}, bytes: make([]byte, 4)})
		b, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	const first, second = "m-00001-of-00002.gguf", "m-00002-of-00002.gguf"
	opened := part(append(splitKeys(0, 2, 2)[:6], "general.name", uint32(8), "m"), "a")
	f.Add(opened)
	f.Add(part(splitKeys(1, 2, 2)[:6], "b"))
	f.Add(part(append(splitKeys(1, 2, 2)[:6], "general.name", uint32(8), "m"), "a"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fsys := fstest.MapFS{first: &fstest.MapFile{Data: opened}, second: &fstest.MapFile{Data: b}}
		x, err1 := OpenFS(fsys, first)
		y, err2 := OpenFS(fsys, second)
		if (err1 == nil) != (err2 == nil) {
			t.Fatalf("by the first part %v, by the second %v", err1, err2)
		}
		if err1 != nil {
			return
		}
		defer x.Close()
		defer y.Close()
		if diff := cmp.Diff(x.Tensors(), y.Tensors()); diff != "" {
			t.Fatalf("by the first part (-) and the second (+)\n%s", diff)
		}
		g, err := gguf.New(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("opened with a part that can't be: %v", err)
		}
		if len(x.Tensors()) != 1+len(g.Tensors()) {
			t.Fatalf("%d tensors", len(x.Tensors()))
		}
	})
}
