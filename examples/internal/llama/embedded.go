package llama

import "errors"

func loadEmbedded(_ string, o Options) (*Model, error) {
	return nil, errors.New("llama: there is no model in this module yet: give one")
}
