package llm

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bitmod-go/bitmod/internal/jinja"
	"github.com/bitmod-go/bitmod/quant"
)

// beside is a model with files and no weights.
func beside(files map[string]string) *File {
	all := fstest.MapFS{}
	for name, text := range files {
		all[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return &File{name: "x", companions: all}
}

// The template is found where transformers looks for it, and gets the names of tokens.
func TestChatTemplate(t *testing.T) {
	const config = "tokenizer_config.json"
	for _, c := range []struct {
		files map[string]string
		want  string
	}{
		{map[string]string{config: `{"chat_template":"{{ bos_token }}{{ messages[0].content }}","bos_token":"<s>"}`}, "<s>hi"},
		{map[string]string{config: `{"chat_template":"{{ bos_token }}","bos_token":{"content":"<b>","special":true}}`}, "<b>"},
		{map[string]string{config: `{"chat_template":"{{ bos_token is defined }}","bos_token":null}`}, "False"},
		{map[string]string{config: `{"chat_template":[{"name":"rag","template":"r"},{"name":"default","template":"d"}]}`}, "d"},
		{map[string]string{config: `{"chat_template":"old","eos_token":"</s>"}`, "chat_template.jinja": "new{{ eos_token }}"}, "new</s>"},
		{map[string]string{"chat_template.jinja": "{{ messages | length }}{{ tools is none }}{{ strftime_now('%Y') }}{{ add_generation_prompt }}"}, "1True2026True"},
	} {
		chat, err := beside(c.files).Chat()
		if err != nil {
			t.Errorf("%q: %v", c.files, err)
			continue
		}
		got, err := chat.Text([]Message{{Role: "user", Content: "hi"}}, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
		if got != c.want || err != nil {
			t.Errorf("%q: %q, %v, want %q", c.files, got, err, c.want)
		}
	}
	for _, f := range []*File{beside(nil), beside(map[string]string{config: `{"chat_template":null}`}), {}} {
		if _, err := f.Chat(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("no template: error %v", err)
		}
	}
}

func TestGenerationConfig(t *testing.T) {
	for _, c := range []struct {
		json        string
		eos         []int
		temperature float64 // −1: none
		topK        int     // likewise
		unused      []string
	}{
		{`{}`, []int{2}, -1, -1, nil},
		{`{"eos_token_id":7,"do_sample":true,"top_k":40,"temperature":0.6}`, []int{7}, 0.6, 40, nil},
		{`{"eos_token_id":[7,9],"do_sample":false,"temperature":0.6}`, []int{7, 9}, 0, -1, nil},
		{`{"eos_token_id":null,"repetition_penalty":1.0,"min_p":0.05,"num_beams":1,"top_k":null}`, []int{2}, -1, -1, []string{"min_p"}},
	} {
		f := beside(map[string]string{"generation_config.json": c.json})
		f.Config.EOS = []int{2}
		if err := f.readGeneration(); err != nil {
			t.Errorf("%s: %v", c.json, err)
			continue
		}
		s := &f.Sampling
		temperature, topK := -1.0, -1
		if s.Temperature != nil {
			temperature = *s.Temperature
		}
		if s.TopK != nil {
			topK = *s.TopK
		}
		if !slices.Equal(f.Config.EOS, c.eos) || temperature != c.temperature || topK != c.topK || !slices.Equal(s.Unused, c.unused) {
			t.Errorf("%s: tokens %d, temperature %v, top_k %d, unused %q", c.json, f.Config.EOS, temperature, topK, s.Unused)
		}
	}
}

// Errors for arbitrary files beside a model are errors of their format or of a template.
func FuzzChat(f *testing.F) {
	f.Add(`{"chat_template":"{{ messages }}","bos_token":{"content":"x"}}`, "", `{"eos_token_id":[1],"temperature":1}`)
	f.Add(`{"chat_template":[{"name":"default","template":"{{ bos_token }}"}]}`, "", `{"top_p":2}`)
	f.Add(`{}`, "{% for m in messages %}{{ m.role }}{% endfor %}", `{"min_p":"x"}`)
	f.Fuzz(func(t *testing.T, config, template, generation string) {
		files := map[string]string{"tokenizer_config.json": config, "generation_config.json": generation}
		if template != "" {
			files["chat_template.jinja"] = template
		}
		file := beside(files)
		if err := file.readGeneration(); err != nil && !errors.Is(err, quant.ErrFormat) {
			t.Fatal(err)
		}
		chat, err := file.Chat()
		if err != nil {
			if !errors.Is(err, quant.ErrFormat) && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			return
		}
		if _, err := chat.Text([]Message{{"user", "x"}}, time.Time{}); err != nil {
			if _, ok := errors.AsType[*jinja.Error](err); !ok {
				t.Fatal(err)
			}
		}
	})
}
