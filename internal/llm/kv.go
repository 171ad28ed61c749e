package llm

import (
	"fmt"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// KV is the form in which keys and values are kept. The zero value is float32.
type KV struct {
	// Quantize keeps keys and values in Type. The keys of each token, after rotation, and
	// the values of each token are quantized by themselves, in groups of GroupSize
	// consecutive elements. A GroupSize of 0 stands for the width of a head.
	Quantize  bool
	Type      datatype.Type
	GroupSize int
	// Length is the largest number of tokens of a text. It matters only to models whose
	// rotations depend on it, for which 0 stands for the context that they were first
	// trained with.
	Length int
}

// A cache holds the keys, or the values, of the tokens so far in one layer.
type cache interface {
	// append adds n tokens.
	append(x []float32, n int) error
	// floats returns the vectors of all tokens side by side, either its own memory
	// or scratch, which may be replaced by a longer one.
	floats(scratch *[]float32) ([]float32, error)
	// truncate leaves the first n tokens of width elements each.
	truncate(n, width int)
	bytes() int
}

func (kv KV) newCache(c *Config) (cache, error) {
	if !kv.Quantize {
		return &floatCache{}, nil
	}
	q := quant.Config{Type: kv.Type, GroupSize: kv.GroupSize, Workers: 1}
	if q.GroupSize == 0 {
		q.GroupSize = max(c.HeadDim, 8) // quant has no smaller groups
	}
	if q.Type.Scale() == datatype.E4M3 {
		return nil, fmt.Errorf("llm: key-value cache of %v: this type has one scale for all tokens, but tokens come one by one", q.Type)
	}
	return &quantCache{config: q, width: c.kvDim()}, nil
}

// A keyCache holds the keys of a layer. It returns them in blocks of keyColumns
// positions; element i of the j-th key of a block is at i·keyColumns + j. Positions of
// the last block that have no key yet may have any contents.
type keyCache struct {
	rows    cache // columns are made of these when needed; nil for float32
	n       int
	width   int
	columns []float32
}

const keyColumns = 64

func (kv KV) newKeyCache(c *Config) (*keyCache, error) {
	k := &keyCache{width: c.kvDim()}
	if !kv.Quantize {
		return k, nil
	}
	rows, err := kv.newCache(c)
	k.rows = rows
	return k, err
}

// append adds n tokens.
func (k *keyCache) append(x []float32, n int) error {
	if k.rows != nil {
		return k.rows.append(x, n)
	}
	k.add(x, n)
	return nil
}

func (k *keyCache) add(x []float32, n int) {
	blocks := (k.n + n + keyColumns - 1) / keyColumns
	if more := blocks*k.width*keyColumns - len(k.columns); more > 0 {
		k.columns = append(k.columns, make([]float32, more)...)
	}
	for j := range n {
		at := k.columns[(k.n+j)/keyColumns*keyColumns*k.width+(k.n+j)%keyColumns:]
		for i, v := range x[j*k.width:][:k.width] {
			at[i*keyColumns] = v
		}
	}
	k.n += n
}

// blocks returns the keys of all tokens. scratch may be replaced by a longer one.
func (k *keyCache) blocks(scratch *[]float32) ([]float32, error) {
	if k.rows == nil {
		return k.columns, nil
	}
	x, err := k.rows.floats(scratch)
	if err != nil {
		return nil, err
	}
	k.n = 0
	k.add(x, len(x)/k.width)
	return k.columns, nil
}

func (k *keyCache) truncate(n int) {
	if k.rows != nil {
		k.rows.truncate(n, k.width)
		return
	}
	k.n = n
}

func (k *keyCache) bytes() int {
	if k.rows == nil {
		return 4 * k.n * k.width
	}
	return k.rows.bytes()
}

type floatCache struct{ x []float32 }

func (c *floatCache) append(x []float32, n int) error {
	c.x = append(c.x, x...)
	return nil
}

func (c *floatCache) floats(*[]float32) ([]float32, error) { return c.x, nil }
func (c *floatCache) truncate(n, width int)                { c.x = c.x[:n*width] }

func (c *floatCache) bytes() int { return 4 * len(c.x) }

// A quantCache grows a quant.Matrix, one row a token: nothing in its storage is
// shared by rows.
type quantCache struct {
	config quant.Config
	width  int
	rows   int
	s      quant.Storage
}

func (c *quantCache) append(x []float32, n int) error {
	m, err := quant.Group(x, c.width, c.config)
	if err != nil {
		return err
	}
	s := m.Storage()
	c.s.RowScales = append(c.s.RowScales, s.RowScales...)
	c.s.Scales = append(c.s.Scales, s.Scales...)
	c.s.Selectors = append(c.s.Selectors, s.Selectors...)
	c.s.Codes = append(c.s.Codes, s.Codes...)
	c.rows += n
	return nil
}

func (c *quantCache) floats(scratch *[]float32) ([]float32, error) {
	m, err := quant.New(c.config.Type, c.config.GroupSize, c.rows, c.width, c.s)
	if err != nil {
		return nil, err
	}
	x := grow(scratch, c.rows*c.width)
	return x, m.Dequantize(x)
}

// truncate removes the last rows; each row has the same size in every slice.
func (c *quantCache) truncate(n, _ int) {
	if c.rows == 0 {
		return
	}
	s := &c.s
	s.RowScales = s.RowScales[:len(s.RowScales)/c.rows*n]
	s.Scales = s.Scales[:len(s.Scales)/c.rows*n]
	s.Selectors = s.Selectors[:len(s.Selectors)/c.rows*n]
	s.Codes = s.Codes[:len(s.Codes)/c.rows*n]
	c.rows = n
}

func (c *quantCache) bytes() int {
	return 4*len(c.s.RowScales) + len(c.s.Scales) + len(c.s.Selectors) + len(c.s.Codes)
}

// A Sequence is one text that a model has read so far: its key-value cache.
type Sequence struct {
	length int
	limit  int         // tokens, if rotations depend on how many there will be
	turns  [2]turn     // by Rotation
	keys   []*keyCache // by layer
	values []cache     // likewise
}

// A turn is how the positions of a text rotate.
type turn struct {
	frequencies []float64
	magnitude   float64
}

// NewSequence returns an empty text.
func (m *Model) NewSequence(kv KV) (*Sequence, error) {
	s := m.rotations(kv.Length)
	for range m.Layers {
		k, err := kv.newKeyCache(&m.Config)
		if err != nil {
			return nil, err
		}
		v, err := kv.newCache(&m.Config)
		if err != nil {
			return nil, err
		}
		s.keys, s.values = append(s.keys, k), append(s.values, v)
	}
	return s, nil
}

// rotations returns a text of up to length tokens that has no caches yet.
func (m *Model) rotations(length int) *Sequence {
	c := &m.Config
	s := &Sequence{}
	if c.LearnedPositions {
		return s
	}
	for i, r := range []*Rope{&c.Rope, c.LocalRope} {
		if r == nil {
			continue
		}
		if r.byLength() {
			if length == 0 {
				length = r.Scaling.OriginalContext
			}
			s.limit = length
		}
		s.turns[i] = turn{r.frequencies(c.HeadDim, length), r.magnitude()}
	}
	return s
}

// truncate forgets all but the first n tokens. There must be at least n.
func (s *Sequence) truncate(n int) {
	for i := range s.keys {
		s.keys[i].truncate(n)
		s.values[i].truncate(n, s.keys[i].width)
	}
	s.length = n
}

// Len returns the number of tokens read.
func (s *Sequence) Len() int { return s.length }

// Bytes returns the memory that the cache takes.
func (s *Sequence) Bytes() int {
	n := 0
	for i := range s.keys {
		n += s.keys[i].bytes() + s.values[i].bytes()
	}
	return n
}

// Bits returns the bits that an element of the cache takes.
func (kv KV) Bits(c *Config) (float64, error) {
	cache, err := kv.newCache(c)
	if err != nil {
		return 0, err
	}
	if err := cache.append(make([]float32, c.kvDim()), 1); err != nil {
		return 0, err
	}
	return 8 * float64(cache.bytes()) / float64(c.kvDim()), nil
}
