package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
)

// A session generates text and counts tokens and time.
type session struct {
	options   *options
	tokenizer llm.Tokenizer
	generator llm.Generator
	out       *textWriter
	stderr    io.Writer
	total     llm.Stats
	timed     int // tokens that total.Time is for
}

// generate prints the continuation of a prompt and returns it.
func (s *session) generate(ctx context.Context, prompt []int) (string, error) {
	var text strings.Builder
	prev := prompt[len(prompt)-1]
	st, err := s.generator.Run(ctx, prompt, s.options.n, func(token int) error {
		b := s.tokenizer.Decode(prev, token)
		prev = token
		text.Write(b)
		return s.out.write(b)
	})
	if err == nil {
		err = s.out.flush()
	}
	s.total.Prompt += st.Prompt - st.Reused
	s.total.PromptTime += st.PromptTime
	s.total.Tokens += st.Tokens
	if st.Tokens > 1 { // the first comes with the prompt, and its time is the prompt's
		s.timed += st.Tokens - 1
		s.total.Time += st.Time
	}
	s.total.CacheBytes = st.CacheBytes
	return text.String(), err
}

// complete continues the prompt.
func (s *session) complete(ctx context.Context, m *llm.Model) error {
	prompt, err := llm.Prompt(&m.Config, s.tokenizer, s.options.prompt)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(s.out.w, s.options.prompt); err != nil {
		return err
	}
	if _, err = s.generate(ctx, prompt); err != nil {
		return err
	}
	_, err = fmt.Fprintln(s.out.w)
	return err
}

// chat answers the prompt, if there is one, and then each line of standard input.
func (s *session) chat(ctx context.Context, template *llm.Chat) error {
	var conversation []llm.Message
	if s.options.system != "" {
		conversation = append(conversation, llm.Message{Role: "system", Content: s.options.system})
	}
	answer := func(message string) error {
		conversation = append(conversation, llm.Message{Role: "user", Content: message})
		prompt, err := template.Prompt(s.tokenizer, conversation, time.Now())
		if err != nil {
			return err
		}
		text, err := s.generate(ctx, prompt)
		if err != nil {
			return err
		}
		conversation = append(conversation, llm.Message{Role: "assistant", Content: text})
		_, err = fmt.Fprintln(s.out.w)
		return err
	}
	if s.options.prompt != "" {
		if err := answer(s.options.prompt); err != nil {
			return err
		}
	}
	lines := readLines(ctx, os.Stdin)
	for {
		fmt.Fprint(s.stderr, "> ")
		select {
		case <-ctx.Done():
			return nil
		case line, ok := <-lines:
			if !ok {
				return nil
			}
			if line.err != nil {
				return fmt.Errorf("standard input: %w", line.err)
			}
			if strings.TrimSpace(line.text) == "" {
				continue
			}
			if err := answer(line.text); err != nil {
				return err
			}
		}
	}
}

func (s *session) report() {
	st := &s.total
	speed := 0.0
	if st.Time > 0 {
		speed = float64(s.timed) / st.Time.Seconds()
	}
	fmt.Fprintf(s.stderr, "%d tokens of prompt in %.0f ms; %d generated, %.1f tokens/s; key-value cache %s\n",
		st.Prompt, 1e3*st.PromptTime.Seconds(), st.Tokens, speed, cli.Size(st.CacheBytes))
}

type line struct {
	text string
	err  error
}

// maxLine is the length of the longest message, in bytes.
const maxLine = 1 << 20

// readLines reads lines up to the end of r, or until ctx is done. A read in progress
// then keeps waiting, as nothing can end a read of a terminal.
func readLines(ctx context.Context, r io.Reader) <-chan line {
	lines := make(chan line)
	go func() {
		defer close(lines)
		send := func(l line) bool {
			select {
			case lines <- l:
				return true
			case <-ctx.Done():
				return false
			}
		}
		scanner := bufio.NewScanner(r)
		scanner.Buffer(nil, maxLine)
		for scanner.Scan() {
			if !send(line{text: strings.TrimSuffix(scanner.Text(), "\r")}) {
				return
			}
		}
		if err := scanner.Err(); err != nil && !errors.Is(err, os.ErrClosed) {
			send(line{err: err})
		}
	}()
	return lines
}
