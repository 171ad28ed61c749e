package llm

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
)

// generate returns the continuation of a prompt.
func generate(t *testing.T, m *Model, tok Tokenizer, g Generator, prompt string, n int) string {
	t.Helper()
	tokens, err := Prompt(&m.Config, tok, prompt)
	if err != nil {
		t.Fatal(err)
	}
	r := NewRunner(m, 2)
	defer r.Close()
	g.Runner = r
	var out []int
	if _, err := g.Run(context.Background(), tokens, n, func(token int) error {
		out = append(out, token)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return Text(tok, m.Config.BOS, append(tokens, out...))
}

func TestStoriesGreedy(t *testing.T) {
	// llama2.c's continuation at temperature 0.
	const want = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."
	m, tok := stories(t, Options{})
	got := generate(t, m, tok, Generator{Sampler: NewSampler(0, 0, 0)}, "Once upon a time", 100)
	if len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("greedy continuation is\n%q, want it to begin\n%q", got, want)
	}
	t.Log(got)
}

// A generator that reuses its cache gives the same tokens as a new one.
func TestReuse(t *testing.T) {
	m := tiny(t, tinyConfig, weights{1, true})
	r := NewRunner(m, 2)
	defer r.Close()
	for _, kv := range []KV{{}, {Quantize: true, Type: datatype.BitMoD4}, {Quantize: true, Type: datatype.Int8, GroupSize: 8}, {Quantize: true, Type: datatype.MXFP4}} {
		reuse := Generator{Runner: r, Sampler: NewSampler(0, 0, 0), KV: kv, Endless: true, Reuse: true}
		var read []int // by the generator that reuses
		for i, change := range []int{0, 0, 3, 1, 30, 0} {
			prompt := slices.Clone(read)
			prompt = append(prompt[:max(0, len(prompt)-change)], tokens(&m.Config, 1+15*(i%2), uint64(i+1))...)
			var texts [2][]int
			for j, g := range []*Generator{{Runner: r, Sampler: NewSampler(0, 0, 0), KV: kv, Endless: true}, &reuse} {
				st, err := g.Run(t.Context(), prompt, 4, func(token int) error {
					texts[j] = append(texts[j], token)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if want := max(0, len(read)-1-change); j == 1 && st.Reused < want {
					t.Errorf("%v, turn %d: %d tokens were read before, want %d", kv, i, st.Reused, want)
				}
			}
			if !slices.Equal(texts[0], texts[1]) {
				t.Errorf("%v, turn %d: %d, want %d", kv, i, texts[1], texts[0])
			}
			read = append(prompt, texts[1]...)
		}
	}
}

func TestTopK(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		x := make([]float32, 1+rnd.IntN(50))
		for i := range x {
			x[i] = float32(rnd.IntN(8))
		}
		k := 1 + rnd.IntN(len(x))
		order := make([]int, len(x))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return int(x[b]) - int(x[a]) })
		want := slices.Clone(x)
		for _, i := range order[k:] {
			want[i] = float32(math.Inf(-1))
		}
		got := slices.Clone(x)
		keepLargest(got, k, nil)
		if !slices.Equal(got, want) {
			t.Fatalf("the %d largest of %v: %v", k, x, got)
		}
	}
	s := NewSampler(1, 1, 1)
	s.TopK = 2
	seen := map[int]bool{}
	for range 200 {
		seen[s.Sample([]float32{0, 1, 1, 0.9})] = true
	}
	if len(seen) != 2 || !seen[1] || !seen[2] {
		t.Errorf("tokens %v of the two likeliest", seen)
	}
}
