package llm

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/bitmod-go/bitmod/internal/safetensors"
)

// maxConfig is far above the length of any config.json.
const maxConfig = 1 << 20

// loadDir reads a Hugging Face directory.
func loadDir(dir string, o Options) (*Model, error) {
	path := filepath.Join(dir, "config.json")
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxConfig {
		return nil, formatErrorf("config.json has %d bytes, want at most %d", info.Size(), maxConfig)
	}
	config, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c, h, err := parseHF(config)
	if err != nil {
		return nil, err
	}
	set, err := safetensors.OpenSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return build(c, &hfSource{set.Tensor, h.Tied}, o)
}

// LoadFile reads a model from an open safetensors file and the contents of its
// config.json.
func LoadFile(config []byte, f *safetensors.File, o Options) (*Model, error) {
	c, h, err := parseHF(config)
	if err != nil {
		return nil, err
	}
	find := func(name string) (*safetensors.File, safetensors.Tensor, bool) {
		t, ok := f.Tensor(name)
		return f, t, ok
	}
	return build(c, &hfSource{find, h.Tied}, o)
}

type hfSource struct {
	find func(name string) (*safetensors.File, safetensors.Tensor, bool)
	tie  bool
}

// tied also is true where the configuration says otherwise and there is nothing
// else to take for a classifier than the embedding.
func (s *hfSource) tied() bool {
	_, _, own := s.find("lm_head.weight")
	return s.tie || !own
}

func (s *hfSource) read(name string, rows, cols int) ([]float32, error) {
	if name != "lm_head" {
		name = "model." + name
	}
	name += ".weight"
	f, t, ok := s.find(name)
	if !ok {
		return nil, formatErrorf("tensor %s is missing", name)
	}
	if t.Rows() != rows || t.Cols() != cols || len(t.Shape) == 0 {
		return nil, formatErrorf("tensor %s has shape %d, but config.json makes it %d×%d", name, t.Shape, rows, cols)
	}
	w := make([]float32, rows*cols)
	if err := f.ReadRows(w, t, 0, rows); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	return w, nil
}
