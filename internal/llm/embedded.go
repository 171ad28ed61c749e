package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/tinylm"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// openEmbedded opens the model that the module carries.
func openEmbedded() (*File, error) {
	const name = "the model of this module"
	c, err := checkpoint.OpenFS(tinylm.FS(), ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f, err := newFile(name, c)
	if err != nil {
		c.Close()
		return nil, err
	}
	f.Config.EOS = []int{f.Config.BOS} // what starts a document ends the one before
	return f, nil
}
