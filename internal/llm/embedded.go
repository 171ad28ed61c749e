package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/internal/tinylm"
)

// openEmbedded opens the model that the module carries.
func openEmbedded() (*File, error) {
	const name = "llm: the model of this module"
	s, err := tinylm.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c, _, err := parseHF([]byte(tinylm.Config()))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	c.EOS = []int{c.BOS} // what starts a document ends the one before
	return &File{Config: c, name: name, source: embeddedSource{s}, close: s.Close}, nil
}

// An embeddedSource is the file of the model, which has no path that a checkpoint
// could be opened by.
type embeddedSource struct{ f *safetensors.File }

func (s embeddedSource) tied() bool {
	_, own := s.f.Tensor(fullName(kindNames[Classifier]))
	return !own
}

func (s embeddedSource) read(name string, rows, cols int) ([]float32, error) {
	t, ok := s.f.Tensor(fullName(name))
	if !ok || t.Rows() != rows || t.Cols() != cols {
		return nil, formatErrorf("tensor %s is missing or of shape %d", fullName(name), t.Shape)
	}
	w := make([]float32, rows*cols)
	return w, s.f.ReadRows(w, t, 0, rows)
}
