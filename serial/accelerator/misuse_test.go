package accelerator

import (
	"testing"

	"github.com/bitmod-go/bitmod/internal/misuse"
)

func TestMisuse(t *testing.T) {
	m := Models()[0]
	evaluation, err := Evaluate([]Model{m}, DefaultSystem())
	if err != nil {
		t.Fatal(err)
	}
	misuse.Test(t, "serial/accelerator", map[string]any{
		"ANT":            ANT,
		"BitMoDLossless": BitMoDLossless,
		"BitMoDLossy":    BitMoDLossy,
		"DefaultSystem":  DefaultSystem,
		"Designs":        Designs,
		"Discriminative": Discriminative,
		"Evaluate":       Evaluate,
		"FP16":           FP16,
		"FindModel":      FindModel,
		"Generative":     Generative,
		"Models":         Models,
		"OliVe":          OliVe,
		"ParseModel":     ParseModel,
		"Simulate":       Simulate,
	}, m, FP16(), Discriminative(), DefaultSystem(), evaluation, Energy{}, Layer{}, Result{})
}
