package llm

import (
	"context"
	"testing"
)

// generate returns a prompt's continuation.
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
	// As llama2.c continues it at temperature 0.
	const want = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."
	m, tok := stories(t, Options{})
	got := generate(t, m, tok, Generator{Sampler: NewSampler(0, 0, 0)}, "Once upon a time", 100)
	if len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("greedy continuation is\n%q, want it to begin\n%q", got, want)
	}
	t.Log(got)
}
