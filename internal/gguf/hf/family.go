package hf

// A family describes the models of one general.architecture.
type family struct {
	arch string
	when func(keys) bool // if not nil, which files of arch are of the family
	// architectures, model_type and all else that config.json says of every model.
	architecture, modelType string
	constants               map[string]any
	fields                  []field
	tensors                 []tensor
	headDim                 headDim
	ropeFactors             bool // it may have rope_freqs, which is Llama 3's scaling
	mergesByID              bool // SentencePiece's merges are in the order of tokens, not of scores
	encoder                 bool // it writes no text
	finish                  func(*conversion) error
}

func (f *family) generates() bool { return !f.encoder }

// A field is a key of a family that becomes a member of config.json.
type field struct {
	key  string // without the architecture
	name string
	kind kind
	need bool // an error if there is none
	def  any  // the value if there is none; nil: the member is absent
}

type kind uint8

const (
	integer kind = iota
	float
)

// A headDim says where the size of a head is.
type headDim uint8

const (
	keyLength headDim = iota // attention.key_length, by default hidden / heads
	quotient                 // always hidden / heads, and not in config.json
)

// A tensor is a row of a table of names. Both are without ".weight" or ".bias".
// "N." at the start stands for that of a layer: blk.N. and what the family has for
// it. A name that ends in X has one tensor for each expert.
type tensor struct {
	gguf, hf string
	op       op
	need     need
}

// An op is what llama.cpp did to a tensor, and is undone.
type op uint8

const (
	same        op = iota
	queryRows      // rows of heads were permuted
	keyRows        // the same for heads of keys
	plusOne        // 1 was added
	transpose      // it was [in, out]
	experts        // one for each expert were stacked; hf has an X
	ropeFactors    // not a tensor, but part of config.json
	expandRow      // [1, n] lost its first dimension
)

type need uint8

const (
	needed      need = iota
	optional         // the weight may be absent
	neededBias       // the weight and the bias are needed
	alternative      // one of the rows with the same hf is needed
)
