package checkpoint

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/google/go-cmp/cmp"
)

const sourceConfig = `{
  "model_type": "llama",
  "layer_norm_eps": 1e-12,
  "big": 123456789012345678901,
  "limit": [0.0, Infinity],
  "torch_dtype": "float32",
  "text_config": {"torch_dtype": "float32", "quantization_config": {"quant_method": "fp8"}}
}
`

// sourceDir makes a directory with the weights of model and the given files.
func sourceDir(t testing.TB, seed uint64, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "model.safetensors"), model(seed)...)
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// tree reads all files below a directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var b []byte
			b, err = os.ReadFile(filepath.Join(dir, p))
			files[p] = string(b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// published has the files beside the weights in repositories of models.
var published = map[string]string{
	"config.json": sourceConfig, "tokenizer.json": "{}", "vocab.bpe": "a b", "merges.txt": "c d", "NOTICE": "n", "LICENSE": "l",
	"modeling_x.py": "import x", "spiece.model": "\x00\x01", "chat_template.jinja": "{{ x }}", "images/a.png": "png", "images/deep/b.jpg": "jpg",
	"modules.json":          `[{"path": ""}, {"path": "1_Pooling"}, {"path": "2_Dense"}, {"path": "../evil"}]`,
	"1_Pooling/config.json": `{"pooling": 1}`, "2_Dense/config.json": `{"in": 1}`, "2_Dense/model.safetensors": "dense", "2_Dense/pytorch_model.bin": "dense too",
	// files that do not belong to the result
	"pytorch_model.bin": "w", "tf_model.h5": "w", "flax_model.msgpack": "w", "model.fp16.safetensors": "w", "pytorch_model.bin.index.json": "{}",
	"onnx/model.onnx": "w", "onnx/config.json": "{}", "original/deep/consolidated.00.pth": "w", "original/params.json": "{}",
	".gitattributes": "g", ".cache/x": "c", "q4.gguf": "w",
}

func TestCompanions(t *testing.T) {
	src := sourceDir(t, 1, published)
	dst := filepath.Join(src, "result") // below its source; must not be copied
	c := open(t, src)
	p := plan(t, c, Options{})
	r := run(t, p, dst, RunOptions{})

	left := make(map[string]string)
	var copied []string
	for _, x := range r.Companions {
		if x.LeftOut != "" {
			left[x.Name] = x.LeftOut
		} else {
			copied = append(copied, x.Name)
		}
	}
	want := map[string]string{
		"pytorch_model.bin": "other weights", "tf_model.h5": "other weights", "flax_model.msgpack": "other weights",
		"model.fp16.safetensors": "other weights", "pytorch_model.bin.index.json": "other weights", "q4.gguf": "other weights",
		"onnx/": "other weights", "original/": "other weights", ".gitattributes": "hidden", ".cache/": "hidden",
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("left out (-want +got)\n%s", diff)
	}
	got := tree(t, dst)
	delete(got, "model.safetensors")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(got)), copied); diff != "" {
		t.Errorf("said to be copied (-there +said)\n%s", diff)
	}
	for name, content := range published {
		if dir, _, _ := strings.Cut(name, "/"); left[name] != "" || left[dir+"/"] != "" || name == "config.json" {
			continue
		}
		if got[name] != content {
			t.Errorf("%s is %q, want %q", name, got[name], content)
		}
	}
	if len(copied) != 16 {
		t.Errorf("%d files are copied: %v", len(copied), copied)
	}
	for _, want := range []string{`"layer_norm_eps": 1e-12`, `"big": 123456789012345678901`, `[0.0, Infinity]`, `"quant_method": "bitmod"`, `"type": "bitmod4"`, `"group_size": 128`, `"lm_head"`, `"transformers_weights": "bitmod: `} {
		if !strings.Contains(got["config.json"], want) {
			t.Errorf("config.json has no %s:\n%s", want, got["config.json"])
		}
	}
	same := strings.Replace(sourceConfig, `, "quantization_config": {"quant_method": "fp8"}`, "", 1)
	if !strings.HasPrefix(got["config.json"], strings.TrimSuffix(same, "\n}\n")) {
		t.Errorf("config.json does not begin as the source's:\n%s", got["config.json"])
	}

	// Run again: first everything exists; then one file is missing and a killed run left
	// a part of another; then one has other contents.
	first := tree(t, dst)
	os.WriteFile(filepath.Join(dst, ".NOTICE.partial-7"), []byte("n"), 0o666)
	os.Remove(filepath.Join(dst, "1_Pooling", "config.json"))
	run(t, p, dst, RunOptions{})
	if diff := cmp.Diff(first, tree(t, dst)); diff != "" {
		t.Errorf("again (-first +second)\n%s", diff)
	}
	os.WriteFile(filepath.Join(dst, "NOTICE"), []byte("mine"), 0o666)
	os.Remove(filepath.Join(dst, "LICENSE"))
	if _, err := p.Run(context.Background(), dst, RunOptions{}); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "NOTICE") {
		t.Errorf("with another NOTICE: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dst, "LICENSE")); err == nil {
		t.Error("written in spite of the error")
	}
	run(t, p, dst, RunOptions{Overwrite: true})
	if diff := cmp.Diff(first, tree(t, dst)); diff != "" {
		t.Errorf("overwritten (-first +second)\n%s", diff)
	}
}

// TestCompanionsOfFile checks that a single file has companions only if a configuration
// is beside it.
func TestCompanionsOfFile(t *testing.T) {
	src := sourceDir(t, 1, map[string]string{"letter.txt": "private"})
	c := open(t, filepath.Join(src, "model.safetensors"))
	dst := t.TempDir()
	if r := run(t, plan(t, c, Options{}), dst, RunOptions{}); len(r.Companions) > 0 {
		t.Errorf("companions %v", r.Companions)
	}
	os.WriteFile(filepath.Join(src, "config.json"), []byte("{}"), 0o666)
	if r := run(t, plan(t, c, Options{}), dst, RunOptions{}); len(r.Companions) != 2 {
		t.Errorf("with config.json: companions %v", r.Companions)
	}
	file := filepath.Join(t.TempDir(), "q.safetensors")
	if r := run(t, plan(t, c, Options{}), file, RunOptions{}); len(r.Companions) > 0 || len(dirtest.Names(t, filepath.Dir(file))) != 1 {
		t.Errorf("one file: companions %v", r.Companions)
	}
}

func TestCompanionLinks(t *testing.T) {
	outside := t.TempDir()
	os.WriteFile(filepath.Join(outside, "blob"), []byte("tokens"), 0o666)
	src := sourceDir(t, 1, nil)
	for name, target := range map[string]string{
		"tokenizer.json": filepath.Join(outside, "blob"), // as in the Hugging Face cache
		"loop":           ".", "out": outside, "lost.txt": "nowhere",
	} {
		if err := os.Symlink(target, filepath.Join(src, name)); err != nil {
			t.Skip(err)
		}
	}
	if out, err := exec.Command("mkfifo", filepath.Join(src, "pipe.txt")).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %v: %s", err, out)
	}
	dst := t.TempDir()
	r := run(t, plan(t, open(t, src), Options{}), dst, RunOptions{})
	want := []Companion{
		{Name: "loop", LeftOut: "a link to a directory"}, {Name: "lost.txt", LeftOut: "a link to nothing"}, {Name: "out", LeftOut: "a link to a directory"},
		{Name: "pipe.txt", LeftOut: "not a regular file"}, {Name: "tokenizer.json"},
	}
	if diff := cmp.Diff(want, r.Companions); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if st, err := os.Lstat(filepath.Join(dst, "tokenizer.json")); err != nil || !st.Mode().IsRegular() {
		t.Errorf("tokenizer.json: %v, %v", st, err)
	}

	// Opening and planning do not wait for a pipe.
	for _, name := range []string{"config.json", "modules.json", "quantize_config.json"} {
		pipe := sourceDir(t, 1, nil)
		if err := exec.Command("mkfifo", filepath.Join(pipe, name)).Run(); err != nil {
			t.Fatal(err)
		}
		r := run(t, plan(t, open(t, pipe), Options{}), t.TempDir(), RunOptions{})
		if want := []Companion{{Name: name, LeftOut: "not a regular file"}}; !slices.Equal(r.Companions, want) {
			t.Errorf("%v, want %v", r.Companions, want)
		}
	}

	// Links in the result are not followed out of it.
	src = sourceDir(t, 1, map[string]string{"1_Pooling/config.json": "{}"})
	dst = t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dst, "1_Pooling")); err != nil {
		t.Fatal(err)
	}
	for _, overwrite := range []bool{false, true} {
		if _, err := plan(t, open(t, src), Options{}).Run(context.Background(), dst, RunOptions{Overwrite: overwrite}); !errors.Is(err, ErrExists) {
			t.Errorf("through a link: %v", err)
		}
	}
	if n := dirtest.Names(t, outside); len(n) != 1 {
		t.Errorf("outside there are %v", n)
	}
}

// TestHostileCompanions reads a file system in memory with names that are invalid paths,
// and names that differ only in case.
func TestHostileCompanions(t *testing.T) {
	c := openSource(t, model(1)...)
	c.path = "memory"
	c.companions = fstest.MapFS{
		"README.md": {Data: []byte("1")}, "readme.md": {Data: []byte("2")}, "a\x1b[2Jb": {Data: []byte("3")},
		"config.json": {Data: []byte("{\"a\":1}")},
	}
	dst := t.TempDir()
	r := run(t, plan(t, c, Options{}), dst, RunOptions{})
	if len(r.Companions) != 4 || r.Companions[3].LeftOut == "" || (r.Companions[1].LeftOut != "") != (runtime.GOOS == "windows") {
		t.Errorf("companions %+v", r.Companions)
	}
	c.companions = hostile{c.companions}
	r = run(t, plan(t, c, Options{}), filepath.Join(dst, "below"), RunOptions{})
	for _, n := range []string{"../evil", "/evil"} {
		if !slices.ContainsFunc(r.Companions, func(x Companion) bool { return strings.HasSuffix(n, x.Name) && x.LeftOut != "" }) {
			t.Errorf("%q is not left out: %+v", n, r.Companions)
		}
	}
	if names := dirtest.Names(t, dst); slices.Contains(names, "evil") {
		t.Errorf("outside of the result: %v", names)
	}

	for _, text := range []string{"", "[]", "{", `{"a":}`} {
		c.companions = fstest.MapFS{"config.json": {Data: []byte(text)}}
		dst := t.TempDir()
		if _, err := plan(t, c, Options{}).Run(context.Background(), dst, RunOptions{}); !errors.Is(err, quant.ErrFormat) || !strings.Contains(err.Error(), "config.json") {
			t.Errorf("%q: %v", text, err)
		}
		if n := dirtest.Names(t, dst); len(n) > 0 {
			t.Errorf("%q: left %v", text, n)
		}
	}
	many := fstest.MapFS{}
	for i := range maxCompanions + 1 {
		many[strings.Repeat("d", 1+i%100)+"/"+string(rune('a'+i/100%26))+strings.Repeat("x", i/2600)] = &fstest.MapFile{}
	}
	c.companions = many
	if _, err := plan(t, c, Options{}).Run(context.Background(), t.TempDir(), RunOptions{}); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%d files: %v", len(many), err)
	}
}

func TestWindowsName(t *testing.T) {
	for _, name := range []string{"a", "a.b", ".a", "a b", "ä", "文", "1_Pooling"} {
		if !windowsName(name) {
			t.Errorf("%q is refused", name)
		}
	}
	for _, name := range []string{"a\x1b[2Jb", "a\n", "a?", "*", "a|b", "<a>", `"a"`, "a.", "a ", "..."} {
		if windowsName(name) {
			t.Errorf("%q is taken", name)
		}
	}
}

// hostile lists names that lead out of a directory.
type hostile struct{ fs.FS }

func (h hostile) ReadDir(name string) ([]fs.DirEntry, error) {
	es, err := fs.ReadDir(h.FS, name)
	return append(es, evil("../evil"), evil("/evil")), err
}

type evil string

func (e evil) Name() string               { return string(e) }
func (e evil) IsDir() bool                { return false }
func (e evil) Type() fs.FileMode          { return 0 }
func (e evil) Info() (fs.FileInfo, error) { return nil, fs.ErrNotExist }

// TestCompanionFaults fills the disk at every operation of copying, and truncates a file
// between its listing and the copy.
func TestCompanionFaults(t *testing.T) {
	src := sourceDir(t, 1, published)
	p := plan(t, open(t, src), Options{})
	whole := t.TempDir()
	all := &countingDisk{fail: -1}
	run(t, p, whole, RunOptions{create: all.create})
	want := tree(t, whole)
	for k := int64(0); k < all.ops.Load(); k += int64(stride(9)) {
		dst := t.TempDir()
		disk := &countingDisk{fail: k, part: func(n int) int { return n / 2 }}
		if _, err := p.Run(context.Background(), dst, RunOptions{create: disk.create}); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("operation %d: %v", k, err)
		}
		for name, b := range tree(t, dst) {
			if b != want[name] {
				t.Fatalf("operation %d: %s is left with %d bytes", k, name, len(b))
			}
		}
		run(t, p, dst, RunOptions{})
		if diff := cmp.Diff(want, tree(t, dst)); diff != "" {
			t.Fatalf("operation %d, then finished (-want +got)\n%s", k, diff)
		}
	}
	cs, err := p.source.companionsFor(context.Background(), t.TempDir(), p.tensors())
	if err != nil {
		t.Fatal(err)
	}
	os.Truncate(filepath.Join(src, "tokenizer.json"), 1)
	if err := cs.write(context.Background(), (&countingDisk{fail: -1}).create); err == nil || !strings.Contains(err.Error(), "tokenizer.json") {
		t.Errorf("a file that shrinks: %v", err)
	}
}

func TestQuantizationConfig(t *testing.T) {
	tensors := []Tensor{
		{Name: "a.weight", Quantized: true, Type: datatype.BitMoD3, DType: "bitmod3", GroupSize: 64, Shape: []int{8, 64}},
		{Name: "b.weight", Quantized: true, Type: datatype.Int8, DType: "int8", GroupSize: 128, Shape: []int{8, 8}},
		{Name: "embed.weight", DType: "BF16", Shape: []int{8, 64}}, {Name: "norm.weight", DType: "F32", Shape: []int{64}},
	}
	text, _, err := configFor([]byte(sourceConfig), tensors)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "fp8") {
		t.Errorf("a part still says how the source was quantized: %s", text)
	}
	var config struct {
		Q quantizationConfig `json:"quantization_config"`
	}
	if err := json.Unmarshal([]byte(strings.Replace(string(text), "Infinity", "1", 1)), &config); err != nil {
		t.Fatal(err)
	}
	want := quantizationConfig{"bitmod", "1", 3, "bitmod3", 64, []string{"int8"}, []string{"embed"}}
	if diff := cmp.Diff(want, config.Q); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	// Back in config.json: only our members are removed, and dtypes match the tensors.
	back, changed, err := configFor(text, tensors[2:])
	wantBack := strings.NewReplacer(`"float32"`, `"bfloat16"`, `, "quantization_config": {"quant_method": "fp8"}`, "").Replace(sourceConfig)
	if err != nil || changed == "" || string(back) != wantBack {
		t.Errorf("back: %s, %v\n%s\nwant\n%s", changed, err, back, wantBack)
	}
	if same, changed, err := configFor(back, tensors[2:]); err != nil || changed != "" || string(same) != string(back) {
		t.Errorf("once more: %q, %v", changed, err)
	}
}
