package llm

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func embedded(t testing.TB, o Options) *Model {
	t.Helper()
	m, err := Load("", o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The embedded model computes the same as the program that trained it.
func TestEmbeddedAgainstTraining(t *testing.T) {
	path := filepath.Join("..", "tinylm", "testdata", "reference.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	type greedy struct {
		Prompt, Bytes []int
		Margin        float64 `json:"min_margin"`
	}
	var ref struct {
		Prompt      []int
		MeanNLL     float64   `json:"mean_nll"`
		LastLogits  []float64 `json:"last_logits"`
		Greedy      greedy
		GreedyShort greedy `json:"greedy_short"`
	}
	if err := json.Unmarshal(data, &ref); err != nil {
		t.Fatal(err)
	}
	m := embedded(t, Options{})
	v, n := m.Config.Vocab, len(ref.Prompt)
	got := logits(t, m, ref.Prompt, n, 1, KV{})
	for i, want := range ref.LastLogits {
		if g := float64(got[(n-1)*v+i]); math.Abs(g-want) > 1e-4 {
			t.Errorf("last logit %d is %v, want %v", i, g, want)
		}
	}
	loss := 0.0
	for i, token := range ref.Prompt[1:] {
		row := got[i*v:][:v]
		loss += (logSumExp(row) - float64(row[token])) / float64(n-1)
	}
	if math.Abs(loss-ref.MeanNLL) > 1e-5 {
		t.Errorf("mean loss is %v, want %v", loss, ref.MeanNLL)
	}
	for _, g := range []greedy{ref.Greedy, ref.GreedyShort} {
		if g.Margin < 1e-3 {
			t.Logf("the two likeliest tokens come as near as %g: greedy text may differ", g.Margin)
			continue
		}
		r := NewRunner(m, 1)
		defer r.Close()
		var out []int
		gen := Generator{Runner: r, Sampler: NewSampler(0, 1, 0), Endless: true}
		if _, err := gen.Run(t.Context(), g.Prompt, len(g.Bytes), func(token int) error {
			out = append(out, token)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(out, g.Bytes) {
			t.Errorf("greedy text is\n%q, want\n%q", Text(Bytes{}, 0, out), Text(Bytes{}, 0, g.Bytes))
		}
	}
}
