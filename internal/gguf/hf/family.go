package hf

// A family describes the models of one general.architecture.
type family struct {
	arch string
	when func(keys) bool // if not nil, which files of arch are of the family

	architecture, modelType string
	constants               map[string]any // members that config.json always has
	fields                  []field        // members that keys become
	known                   []string       // more keys, which say nothing that is not known

	layers  string // the names of tensors of layers start with it and a number
	tensors []tensor

	noHeadDim  bool // heads are always hidden / heads, and config.json has no head_dim
	noRope     bool // no rotary positions
	mergesByID bool // SentencePiece's merges are in the order of tokens, not of scores
	encoder    bool // it writes no text
	// finish does the conversions that tables cannot express.
	finish func(*conversion) error
}

// A field is a key of a family that becomes a member of config.json.
type field struct {
	key  string // without the architecture
	name string
	kind kind
	need presence
	def  any // the value if there is none; nil: the member is absent
}

type kind uint8

const (
	integer kind = iota
	float
	// countOrNone is an integer of which 0 is none: null in config.json.
	countOrNone
)

type presence bool

const (
	must presence = true
	may  presence = false
)

// A tensor is a row of a table of names. Both are without ".weight" or ".bias".
// "N." at the start stands for that of a layer: blk.N. and what the family has for
// it. A name with an X has one tensor for each expert.
type tensor struct {
	gguf, hf string
	op       op
	has      parts
}

// An op is a change that llama.cpp made to a tensor, and that this package undoes.
type op uint8

const (
	same         op = iota
	queryRows       // rows of heads were permuted
	keyRows         // the same for heads of keys
	plusOne         // 1 was added
	transpose       // it was [in, out]
	experts         // one for each expert were stacked; hf has an X
	firstOfTwo      // it was [experts, in, out·2], of which it has the even columns
	oddOfTwo        // and the odd ones
	stacked         // it was [experts, in, out]; its bias was as it is
	bareName        // the weight has no suffix
	addRow          // it was [1, n], and may have lost its first dimension
	ropeFactors     // not a tensor of the model, but in config.json: Llama 3's
	longFactors     // the same: those of long texts
	shortFactors    // of short ones
)

// bare reports whether names in the model have no ".weight", and "_bias" for
// ".bias".
func (o op) bare() bool {
	return o == firstOfTwo || o == oddOfTwo || o == stacked || o == bareName
}

// parts tell whether there is a weight, a bias, or both.
type parts uint8

const (
	weight      parts = iota
	weightBias        // both
	weightMay         // the weight, or nothing
	mayBias           // the weight, and a bias or not
	alternative       // the weight, unless another row gives the same tensor
)

// with returns a table with the op of some of its rows changed.
func with(o map[string]op, table []tensor) []tensor {
	out := make([]tensor, len(table))
	for i, t := range table {
		if to, ok := o[t.gguf]; ok {
			t.op = to
		}
		out[i] = t
	}
	return out
}

// having returns a table with the parts of some of its rows changed.
func having(p parts, table []tensor, rows ...string) []tensor {
	out := make([]tensor, len(table))
	for i, t := range table {
		for _, row := range rows {
			if t.gguf == row {
				t.has = p
			}
		}
		out[i] = t
	}
	return out
}
