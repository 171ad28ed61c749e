package llm

import "fmt"

// A tensorName identifies a tensor of a model, whatever its name in a family's files.
type tensorName struct {
	layer, expert int // −1 outside of them
	// part is its name in most families of Hugging Face, such as "self_attn.q_proj".
	part string
	bias bool
}

// String returns the name in most families of Hugging Face, without "model." at the start
// and ".weight" at the end.
func (n tensorName) String() string {
	s := n.part
	switch {
	case n.expert >= 0:
		s = fmt.Sprintf("layers.%d.mlp.experts.%d.%s", n.layer, n.expert, s)
	case n.layer >= 0:
		s = fmt.Sprintf("layers.%d.%s", n.layer, s)
	}
	if n.bias {
		s += ".bias"
	}
	return s
}

// Parts that are not matrices of a Place.
const (
	positionsPart = "embed_positions"
	lastNormPart  = "norm"
	queryNormPart = "self_attn.q_norm"
	keyNormPart   = "self_attn.k_norm"
	sinksPart     = "self_attn.sinks"
	routerPart    = "mlp.router"
)

func routerName(layer int) tensorName {
	return tensorName{layer: layer, expert: -1, part: routerPart}
}

// outline returns the model that c describes without weights.
func outline(c Config, tied bool) *Model {
	m := &Model{Config: c, Layers: make([]Layer, c.Layers), tied: tied}
	for i := range m.Layers {
		if c.hasExperts(i) {
			m.Layers[i].Experts = make([]Expert, c.Experts)
		}
	}
	return m
}

// A namedNorm is a norm of a layer with the name of its tensor.
type namedNorm struct {
	part string
	norm *Norm
	size int
}

// layerNorms returns the norms that layer i has.
func (m *Model) layerNorms(i int) []namedNorm {
	c, l := &m.Config, &m.Layers[i]
	var ns []namedNorm
	switch c.Norms {
	case NormsBefore:
		ns = append(ns, namedNorm{"input_layernorm", &l.AttentionNorm, c.Dim}, namedNorm{"post_attention_layernorm", &l.FeedForwardNorm, c.Dim})
	case NormsAfter:
		ns = append(ns, namedNorm{"post_attention_layernorm", &l.AttentionOutNorm, c.Dim}, namedNorm{"post_feedforward_layernorm", &l.FeedForwardOutNorm, c.Dim})
	case NormsAround:
		ns = append(ns, namedNorm{"input_layernorm", &l.AttentionNorm, c.Dim}, namedNorm{"post_attention_layernorm", &l.AttentionOutNorm, c.Dim},
			namedNorm{"pre_feedforward_layernorm", &l.FeedForwardNorm, c.Dim}, namedNorm{"post_feedforward_layernorm", &l.FeedForwardOutNorm, c.Dim})
	}
	switch c.QueryKey {
	case HeadNorm:
		ns = append(ns, namedNorm{queryNormPart, &l.QueryNorm, c.HeadDim}, namedNorm{keyNormPart, &l.KeyNorm, c.HeadDim})
	case WideNorm:
		ns = append(ns, namedNorm{queryNormPart, &l.QueryNorm, c.qDim()}, namedNorm{keyNormPart, &l.KeyNorm, c.kvDim()})
	}
	return ns
}

// norms calls f for every norm.
func (m *Model) norms(f func(*Norm)) {
	for i := range m.Layers {
		for _, n := range m.layerNorms(i) {
			f(n.norm)
		}
	}
	f(&m.Norm)
}

// vectors calls f for all weights that are not matrices, with their sizes: norms,
// biases, sinks and positions.
func (m *Model) vectors(f func(name tensorName, rows, cols int, to *[]float32)) {
	c := &m.Config
	norm := func(layer int, n namedNorm) {
		name := tensorName{layer: layer, expert: -1, part: n.part}
		f(name, 1, n.size, &n.norm.Weight)
		if c.LayerNorm {
			name.bias = true
			f(name, 1, n.size, &n.norm.Bias)
		}
	}
	bias := func(p Place, to *[]float32) {
		name := p.tensor()
		name.bias = true
		rows, _ := c.Size(p)
		f(name, 1, rows, to)
	}
	if c.LearnedPositions {
		f(tensorName{layer: -1, expert: -1, part: positionsPart}, c.Context, c.Dim, &m.Positions)
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		for _, n := range m.layerNorms(i) {
			norm(i, n)
		}
		for _, k := range c.kinds(i) {
			if c.Bias[k] {
				bias(Place{Layer: i, Kind: k}, &l.Biases[k])
			}
		}
		if c.Sinks {
			f(tensorName{layer: i, expert: -1, part: sinksPart}, 1, c.Heads, &l.Sinks)
		}
		if !c.ExpertBias || !c.hasExperts(i) {
			continue
		}
		router := routerName(i)
		router.bias = true
		f(router, 1, c.Experts, &l.RouterBias)
		for e := range l.Experts {
			for _, k := range c.expertKinds() {
				bias(Place{i, k, e}, &l.Experts[e].Biases[k-ExpertGate])
			}
		}
	}
	norm(-1, namedNorm{lastNormPart, &m.Norm, c.Dim})
}

// kinds returns the matrices of layer i that are not an expert's.
func (c *Config) kinds(i int) []Kind {
	switch {
	case c.hasExperts(i):
		return []Kind{Query, Key, Value, Output}
	case c.NoGate:
		return []Kind{Query, Key, Value, Output, Up, Down}
	}
	return []Kind{Query, Key, Value, Output, Gate, Up, Down}
}

// expertKinds returns the matrices of an expert.
func (c *Config) expertKinds() []Kind {
	if c.Interleaved {
		return []Kind{ExpertGate, ExpertDown}
	}
	return []Kind{ExpertGate, ExpertUp, ExpertDown}
}

// places returns the places of all matrices.
func (m *Model) places() []Place {
	c := &m.Config
	ps := []Place{{Layer: -1, Kind: Embedding}}
	for i := range m.Layers {
		for _, k := range c.kinds(i) {
			ps = append(ps, Place{Layer: i, Kind: k})
		}
		for e := range m.Layers[i].Experts {
			for _, k := range c.expertKinds() {
				ps = append(ps, Place{i, k, e})
			}
		}
	}
	if !m.tied {
		ps = append(ps, Place{Layer: -1, Kind: Classifier})
	}
	return ps
}
