package checkpoint

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestRoles compares the roles of tensors with testdata/roles.txt.
func TestRoles(t *testing.T) {
	b, err := os.ReadFile("testdata/roles.txt")
	if err != nil {
		t.Fatal(err)
	}
	var c *Checkpoint
	var want []string // of the tensors of c
	models, tensors := 0, 0
	check := func() {
		if c == nil {
			return
		}
		c.setRoles()
		for i, x := range c.tensors {
			got := string(x.Role)
			if x.Role == RoleUnknown {
				got = "unknown"
			}
			if c.kinds[i].inOut {
				got += " [in,out]"
			}
			if got != want[i] {
				t.Errorf("model %d: %s %v is %q, want %q", models, x.Name, x.Shape, got, want[i])
			}
			if (c.kinds[i].why == "") != (x.Role == RoleLinear) {
				t.Errorf("%s is %q, but the reason is %q", x.Name, got, c.kinds[i].why)
			}
		}
		models++
		tensors += len(c.tensors)
	}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0] == "#":
		case words[0] == ">":
			check()
			files := fstest.MapFS{}
			if len(words) > 1 {
				files["config.json"] = &fstest.MapFile{Data: []byte(strings.Join(words[1:], " "))}
			}
			c, want = &Checkpoint{byName: make(map[string]int), companions: files}, nil
		default:
			x := Tensor{Name: words[0], DType: "BF16", Float: true}
			for d := range strings.SplitSeq(words[1], "x") {
				n, err := strconv.Atoi(d)
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				x.Shape = append(x.Shape, n)
			}
			if err := c.add(x, nil); err != nil {
				t.Fatal(err)
			}
			want = append(want, strings.Join(words[2:], " "))
		}
	}
	check()
	if models < 60 || tensors < 500 {
		t.Errorf("only %d models with %d tensors", models, tensors)
	}
}

// FuzzRoles assigns roles to tensors with arbitrary names and configurations.
func FuzzRoles(f *testing.F) {
	f.Add("model.layers.0.mlp.experts.3.up_proj.weight", "model.layers.0.mlp.gate.weight", `{"model_type":"gpt2","vocab_size":64}`, 64, 32, 4)
	f.Add("h.0.attn.c_attn.weight", "wte.weight", `{"text_config":{"num_experts":4}}`, 4, 12, 0)
	f.Add("..//...", "0.1.2", `[1e400,{"vocab_size":-1}]`, 1, 1, 1)
	f.Add("", "weight", `{"architectures":[1,{}],"vocab_size":1e300}`, 0, 3, 2)
	f.Fuzz(func(t *testing.T, a, b, config string, rows, cols, depth int) {
		c := &Checkpoint{byName: make(map[string]int), companions: fstest.MapFS{"config.json": {Data: []byte(config)}}}
		size := func(n int) int { return n & 0xfffff }
		shapes := [][]int{{size(rows), size(cols)}, {size(rows)}, {size(depth), size(rows), size(cols)}, {}}
		for i, shape := range shapes {
			for _, name := range []string{a, b} {
				c.add(Tensor{Name: name + strings.Repeat(".weight", i), Shape: shape, DType: "F32", Float: true}, nil)
			}
		}
		c.setRoles()
		for i, x := range c.tensors {
			k := c.kinds[i]
			if x.Role == RoleLinear && len(x.Shape) < 2 || (x.Role == RoleLinear) != (k.why == "") || k.role != x.Role || k.inOut && x.Role != RoleLinear {
				t.Errorf("%q %v is %q, %+v", x.Name, x.Shape, x.Role, k)
			}
		}
		if x, ok := c.Tensor(c.tied); c.tied != "" && (!ok || x.Role != RoleEmbedding) {
			t.Errorf("tied to %q, which is %q", c.tied, x.Role)
		}
	})
}
