package llm

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/jinja"
)

// A Message is one of a conversation.
type Message struct {
	Role    string // such as system, user or assistant
	Content string
}

// A Chat turns conversations into prompts by the chat template of a model. It is
// immutable and safe for concurrent use.
type Chat struct {
	template *jinja.Template
	source   string            // the file of the template
	special  map[string]string // texts of tokens, by names such as bos_token
}

// maxTemplate is above the length of any published template's file.
const maxTemplate = 1 << 20

// specialTokens are the names that templates have for tokens.
var specialTokens = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// Chat reads the chat template that comes with the model: chat_template.jinja, or else
// the chat_template of tokenizer_config.json. The template of a GGUF file is in the
// latter. If the model has no template, the error matches fs.ErrNotExist.
func (f *File) Chat() (*Chat, error) {
	c, err := f.chat()
	if err != nil {
		return nil, f.at(err)
	}
	return c, nil
}

func (f *File) chat() (*Chat, error) {
	none := fmt.Errorf("there is no chat template with the model: %w", fs.ErrNotExist)
	if f.companions == nil {
		return nil, none
	}
	config := map[string]json.RawMessage{}
	data, err := badfile.ReadFile(f.companions, "tokenizer_config.json", maxConfig)
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &config); err != nil {
			return nil, formatErrorf("tokenizer_config.json: %v", err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	c := &Chat{source: "chat_template.jinja", special: map[string]string{}}
	data, err = badfile.ReadFile(f.companions, c.source, maxTemplate)
	source := string(data)
	if errors.Is(err, fs.ErrNotExist) {
		c.source = "tokenizer_config.json: chat_template"
		if source, err = chatTemplate(config["chat_template"]); source == "" && err == nil {
			return nil, none
		}
	}
	if err != nil {
		return nil, err
	}
	if c.template, err = jinja.Parse(source); err != nil {
		return nil, formatErrorf("%s: %v", c.source, err)
	}
	for _, name := range specialTokens {
		var token struct {
			Content string `json:"content"`
		}
		if json.Unmarshal(config[name], &token.Content) == nil || json.Unmarshal(config[name], &token) == nil {
			if token.Content != "" {
				c.special[name] = token.Content
			}
		}
	}
	return c, nil
}

// chatTemplate reads a template, or the one of several that is named default.
func chatTemplate(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return one, nil
	}
	var several []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &several); err != nil {
		return "", formatErrorf("tokenizer_config.json: chat_template: %v", err)
	}
	for _, t := range several {
		if t.Name == "default" {
			return t.Template, nil
		}
	}
	return "", formatErrorf("tokenizer_config.json: none of %d chat templates is named default", len(several))
}

// Text returns the prompt for the next message of a conversation, at a time that the
// template may mention. The error may be one that the template raises, for instance for
// a role that it does not have.
func (c *Chat) Text(conversation []Message, now time.Time) (string, error) {
	var messages []any
	for _, m := range conversation {
		messages = append(messages, jinja.NewDict("role", m.Role, "content", m.Content))
	}
	variables := map[string]any{"messages": messages, "tools": nil, "documents": nil, "add_generation_prompt": true}
	for name, token := range c.special {
		variables[name] = token
	}
	text, err := c.template.Render(variables, now)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.source, err)
	}
	return text, nil
}

// Prompt returns the tokens of [Chat.Text]. The template includes the tokens that begin
// a text, so the tokenizer adds none.
func (c *Chat) Prompt(t Tokenizer, conversation []Message, now time.Time) ([]int, error) {
	text, err := c.Text(conversation, now)
	if err != nil {
		return nil, err
	}
	tokens, err := t.Encode(text)
	if err == nil && len(tokens) == 0 {
		err = fmt.Errorf("%s: the prompt is empty", c.source)
	}
	return tokens, err
}
