package main

import (
	"context"
	"fmt"
	"os"

	"github.com/bitmod-go/bitmod/internal/llm"
)

const (
	defaultTokens = 4080 // 16 texts of the module's own model
	defaultWindow = 512
	textSeed      = 1

	// Texts for calibration have other seeds than texts to predict.
	calibrationSeed = 1 << 32
)

// readBlocks returns n tokens of text in blocks of one window, which the model reads
// separately. The text is from a file, or written by the model. n = 0 stands for the
// whole file.
func readBlocks(ctx context.Context, m *llm.Model, tok llm.Tokenizer, file string, n, window int) ([][]int, error) {
	length := min(m.Config.Context, window)
	if length < 2 {
		return nil, fmt.Errorf("the model's context is %d tokens, which leaves nothing to predict", length)
	}
	if file == "" {
		length = min(length, n+1)
		blocks, err := llm.SampleTexts(ctx, m, (n+length-2)/(length-1), length, textSeed)
		if err != nil {
			return nil, err
		}
		last := &blocks[len(blocks)-1]
		*last = (*last)[:n-(len(blocks)-1)*(length-1)+1]
		return blocks, nil
	}
	tokens, err := readTokens(tok, file, n)
	if err != nil {
		return nil, err
	}
	return llm.Blocks(tokens, m.Config.BOS, length), nil
}

// readTokens returns up to n tokens of a file, or all if n is 0.
func readTokens(tok llm.Tokenizer, file string, n int) ([]int, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	tokens, err := tok.Encode(string(data))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if n > 0 && n < len(tokens) {
		tokens = tokens[:n]
	}
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%s has no text", file)
	}
	return tokens, nil
}

// newCalibration returns the calibration with about n tokens of a file, or, if there is
// none, of text that the model writes.
func newCalibration(ctx context.Context, set *models, file string, n int) (*llm.Calibration, error) {
	m := set.model
	length := min(m.Config.Context, defaultWindow)
	if file != "" {
		tokens, err := readTokens(set.tokenizer, file, n)
		if err != nil {
			return nil, err
		}
		return llm.NewCalibration(ctx, m, llm.Blocks(tokens, m.Config.BOS, length)), nil
	}
	blocks, err := llm.SampleTexts(ctx, m, (n+length-1)/length, length, calibrationSeed)
	if err != nil {
		return nil, err
	}
	return llm.NewCalibration(ctx, m, blocks), nil
}
