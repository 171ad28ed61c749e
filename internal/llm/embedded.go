package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/tinylm"
)

// loadEmbedded reads the model that the module carries.
func loadEmbedded(_ string, o Options) (*Model, error) {
	f, err := tinylm.Open()
	if err != nil {
		return nil, fmt.Errorf("llm: the model of this module: %w", err)
	}
	defer f.Close()
	m, err := LoadFile([]byte(tinylm.Config()), f, o)
	if err != nil {
		return nil, fmt.Errorf("llm: the model of this module: %w", err)
	}
	m.Config.EOS = []int{m.Config.BOS} // what starts a document ends the one before
	return m, nil
}
