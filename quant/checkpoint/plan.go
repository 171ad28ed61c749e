package checkpoint

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/rawfloat"
	"github.com/bitmod-go/bitmod/internal/safetensors"
	"github.com/bitmod-go/bitmod/quant"
)

// Options are the options of a plan. The zero value quantizes the linear layers as the
// zero quant.Config does.
type Options struct {
	// Config has the default type and group size, the number of workers, and whether
	// scales are searched for. Importance and Feedback belong to one matrix, and must
	// be nil.
	quant.Config
	// Calibrator, if not nil, quantizes the matrices, one whole matrix after the other.
	// Parts must then be 0 or 1, as later matrices depend on earlier ones.
	Calibrator Calibrator
	// Rules say which tensors are quantized, and to what.
	Rules
	// Kept is the DType in which floats that are not quantized are stored: BF16, F16 or
	// F32, rounded to nearest, ties to even. Norms of F32 lose precision in BF16 and
	// F16, and numbers beyond the largest of F16 are an error of [Plan.Run]. With ""
	// floats are stored as they are, except that GGUF's quantized types and FP8 become
	// F32, without loss. Integers are never changed.
	Kept string
	// Strict makes a skipped tensor an error.
	Strict bool
	// ShardSize is the number of bytes of the source that go into one file, 0 for 2
	// GiB. A second run does not repeat finished files.
	ShardSize int64
	// Parts is the number of machines that share the work, 0 for 1. All must use the
	// same options, except for Workers.
	Parts int
	// Tool names the program, for the metadata of the result.
	Tool string
}

// A Plan has a decision for every tensor of a checkpoint. The same source and options
// always give the same Plan. The source must stay open.
type Plan struct {
	source   *Checkpoint
	options  Options
	items    []Item
	parts    []int // of each shard
	settings string
	id       string // of the plan and the source, in hex
	plain    bool   // the result is not quantized: Dequantize's
}

// NewPlan decides about every tensor of source. Besides names and shapes it reads three
// samples of 4 KiB of every tensor, which identify the weights of a result later.
//
// The error matches
//
//   - [quant.ErrShape] for an impossible group size or number, an Importance or a Feedback;
//   - [datatype.ErrUnknown] for a type that is not valid;
//   - [ErrUnsupported] for tensors that can neither be quantized nor copied, with one line
//     for each type and the number of its tensors; for weights in a form that can't be
//     read, such as GPTQ's, with one line for each form; and for a Kept that is none of
//     the three types;
//   - [quant.ErrFormat] for tensors with the names of parts of a matrix of the result, and
//     for an invalid [Calibrator.Settings];
//   - [ErrSkipped] for skipped tensors if options are strict, with one line for each cause;
//   - [ErrTied] for one table to which two rules give different types, as an embedding and
//     as the output head;
//   - [ErrNoTensor] for a rule for embeddings or output heads of a model that has none.
func NewPlan(source *Checkpoint, options Options) (*Plan, error) {
	if source == nil {
		return nil, errNilCheckpoint
	}
	o := options
	for _, r := range append([]TypeRule{{Type: o.Type, GroupSize: o.GroupSize}}, o.Types...) {
		if !r.Type.Valid() {
			return nil, fmt.Errorf("checkpoint: %w: %v", datatype.ErrUnknown, r.Type)
		}
		if r.GroupSize != 0 && r.GroupSize < 8 {
			return nil, fmt.Errorf("checkpoint: %w: a group size of %d, want 0 or at least 8", quant.ErrShape, r.GroupSize)
		}
	}
	if o.Importance != nil || o.Feedback != nil {
		return nil, fmt.Errorf("checkpoint: %w: Config has an Importance or a Feedback, which are for one matrix, not for a checkpoint", quant.ErrShape)
	}
	if o.GroupSize == 0 {
		o.GroupSize = o.Type.GroupSize()
	}
	if f, ok := floatFormat(o.Kept); o.Kept != "" && (!ok || f == rawfloat.F64) {
		return nil, fmt.Errorf("checkpoint: keeping tensors as %.20q: %w: want BF16, F16 or F32", o.Kept, ErrUnsupported)
	}
	if o.Workers < 0 || o.ShardSize < 0 || o.Parts < 0 {
		return nil, fmt.Errorf("checkpoint: %w: Workers, ShardSize or Parts below 0", quant.ErrShape)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.ShardSize == 0 {
		o.ShardSize = 2 << 30
	}
	o.Parts = max(o.Parts, 1)
	if o.Calibrator != nil && !json.Valid([]byte(o.Calibrator.Settings())) {
		return nil, fmt.Errorf("checkpoint: %w: the settings of the Calibrator are not JSON: %.40q", quant.ErrFormat, o.Calibrator.Settings())
	}
	if o.Calibrator != nil && o.Parts > 1 {
		return nil, fmt.Errorf("checkpoint: %w: %d parts with a Calibrator, want 1", quant.ErrShape, o.Parts)
	}
	err := source.Readable()
	if err != nil {
		return nil, err
	}
	if o.Mixed, err = source.canonicalMixed(o.Mixed); err != nil {
		return nil, err
	}
	p := &Plan{source: source, options: o}
	d, err := newDecider(o.Rules, o.Config, source.tied)
	if err != nil {
		return nil, err
	}
	if err := d.check(source.tensors); err != nil {
		return nil, err
	}
	p.items = make([]Item, 0, len(source.tensors))
	for i, t := range source.tensors {
		kept := t.Bytes
		if dtype, err := o.keptDType(t, source.data[i]); err == nil {
			kept = dtypeBytes(t, dtype)
		}
		p.items = append(p.items, d.decide(t, source.kinds[i], kept))
	}
	if c := o.Calibrator; c != nil {
		slices.SortStableFunc(p.items, func(a, b Item) int { return cmp.Compare(c.Order(a.To.Name), c.Order(b.To.Name)) })
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if err := checkNames(p.tensors()); err != nil {
		return nil, err
	}
	p.divide()
	p.settings = o.settings()
	p.id, err = p.fingerprint()
	return p, err
}

// settings encodes the options.
func (o Options) settings() string {
	var types []string
	for _, r := range o.Types {
		s := fmt.Sprintf("%v=%v", r.Pattern, r.Type)
		if r.GroupSize != 0 {
			s += fmt.Sprintf(":%d", r.GroupSize)
		}
		types = append(types, s)
	}
	var calibration json.RawMessage
	if o.Calibrator != nil {
		calibration = json.RawMessage(o.Calibrator.Settings())
	}
	return jsonString(struct {
		Tool        string          `json:"tool,omitempty"`
		Type        string          `json:"type"`
		GroupSize   int             `json:"group_size"`
		Search      bool            `json:"search,omitempty"`
		Calibration json.RawMessage `json:"calibration,omitempty"`
		Kept        string          `json:"kept,omitempty"`
		Include     []string        `json:"include,omitempty"`
		Exclude     []string        `json:"exclude,omitempty"`
		Types       []string        `json:"tensor_type,omitempty"`
		Mixed       string          `json:"mixed_rows,omitempty"` // SHA-256
		Transposed  []string        `json:"transposed,omitempty"`
		ShardSize   int64           `json:"shard_size"`
		Parts       int             `json:"parts"`
	}{o.Tool, o.Type.String(), o.GroupSize, o.Search, calibration, o.Kept, o.Include, o.Exclude, types, mixedDigest(o.Mixed), o.Transposed, o.ShardSize, o.Parts})
}

// check returns an error for tensors that cannot be stored and, in a strict plan, for
// skipped ones, and sets how the others are stored. There is one error for each cause.
func (p *Plan) check() error {
	var errs []error
	var skipped []Item // the first of each reason
	reasons := make(map[string]int)
	for i := range p.items {
		it := &p.items[i]
		if !it.quantize() {
			dtype, err := p.options.keptDType(it.From, p.source.dataOf(it.From))
			if err != nil {
				errs = append(errs, tensorError(it.From.Name, err))
			} else if string(dtype) != it.From.DType {
				it.To.DType = string(dtype)
				it.To.Bytes = dtypeBytes(it.To, dtype)
			}
		}
		if p.options.Calibrator != nil && it.quantize() && needsMax(it.To.Type) && it.To.matrices() > 1 {
			errs = append(errs, tensorError(it.From.Name, fmt.Errorf("%w: calibrating %d matrices that share the scale of a tensor of %v", ErrUnsupported, it.To.matrices(), it.To.Type)))
		}
		if it.Skipped && p.options.Strict {
			if reasons[it.Reason]++; reasons[it.Reason] == 1 {
				skipped = append(skipped, *it)
			}
		}
	}
	for _, it := range skipped {
		also := ""
		if n := reasons[it.Reason] - 1; n > 0 {
			also = fmt.Sprintf(" (and %d more)", n)
		}
		errs = append(errs, tensorError(it.From.Name, fmt.Errorf("%w: %s%s", ErrSkipped, it.Reason, also)))
	}
	return errors.Join(byType(p.source.path, errs)...)
}

// keptDType returns the type in which a tensor is stored if it is not quantized.
func (o Options) keptDType(t Tensor, d data) (safetensors.DType, error) {
	dtype, err := copyDType(t, d)
	if err == nil && o.Kept != "" && t.Float {
		dtype = safetensors.DType(o.Kept)
	}
	return dtype, err
}

// dtypeBytes returns the bytes of a tensor in a type.
func dtypeBytes(t Tensor, dtype safetensors.DType) int64 {
	return (t.Elements()*int64(dtype.Bits()) + 7) / 8
}

// divide cuts the list of tensors into a part for each machine, of about the same
// number of bytes, and the parts into files.
func (p *Plan) divide() {
	var total, done, inShard int64
	for i := range p.items {
		total += p.share(i)
	}
	part := -1
	for i := range p.items {
		it := &p.items[i]
		bytes := p.share(i)
		middle := float64(done) + float64(bytes)/2
		at := 0
		if total > 0 {
			at = min(int(middle/float64(total)*float64(p.options.Parts)), p.options.Parts-1)
		}
		if at != part || inShard > 0 && bytes > p.options.ShardSize-inShard {
			part, inShard = at, 0
			p.parts = append(p.parts, part)
		}
		it.Shard = len(p.parts) - 1
		inShard += bytes
		done += bytes
	}
}

// share returns the bytes by which a tensor counts: bytes of the source, which measure
// the work, or for plain results the bytes that are written.
func (p *Plan) share(item int) int64 {
	if p.plain {
		return p.items[item].To.Bytes
	}
	return p.items[item].From.Bytes
}

// fingerprint hashes the decisions and the samples of the data.
func (p *Plan) fingerprint() (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%d\n", version, p.settings, len(p.parts))
	for _, file := range p.source.headers {
		for _, name := range slices.Sorted(maps.Keys(file.sha256)) {
			fmt.Fprintf(h, "%q %q\n", name, file.sha256[name])
		}
	}
	for _, it := range p.items { // the order of mixed rows is among the settings
		fmt.Fprintf(h, "%q %s %v %s %v %d %v %d\n", it.From.Name, it.From.DType, it.From.Shape, it.To.DType, it.To.Shape, it.To.GroupSize, it.To.Transposed, it.Shard)
		if err := sample(h, p.source.dataOf(it.From)); err != nil {
			return "", tensorError(it.From.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sample hashes the start, the middle and the end of each stored tensor that a tensor is
// made of.
func sample(h hash.Hash, d any) error {
	if c, ok := d.(compound); ok {
		for _, p := range c.parts() {
			if err := sample(h, p); err != nil {
				return err
			}
		}
		return nil
	}
	r, ok := d.(raw)
	if !ok {
		return nil
	}
	const n = 4096
	s := r.Bytes()
	buf := make([]byte, n)
	for _, off := range []int64{0, s.Size()/2 - n/2, s.Size() - n} {
		off = min(max(off, 0), s.Size())
		b := buf[:min(n, s.Size()-off)]
		if err := readSection(s, b, off); err != nil {
			return err
		}
		h.Write(b)
	}
	return nil
}

// Items returns a new slice of the decisions about tensors, in the order of the source,
// or of the Calibrator.
func (p *Plan) Items() []Item {
	if p == nil {
		return nil
	}
	return slices.Clone(p.items)
}

// Settings returns the options as the JSON of the metadata.
func (p *Plan) Settings() string {
	if p == nil {
		return ""
	}
	return p.settings
}

// usable returns an error if p cannot be run.
func (p *Plan) usable(ctx context.Context) error {
	if p == nil || p.source == nil {
		return errNilPlan
	}
	return notNil(ctx, p.source)
}

// file returns the path of a shard of the result at dst, which is a file or a directory
// by its name.
func (p *Plan) file(dst string, shard int) string {
	switch {
	case isFile(dst):
		return dst
	case len(p.parts) == 1:
		return filepath.Join(dst, "model.safetensors")
	}
	return filepath.Join(dst, shardFile(shard, len(p.parts)))
}

// shardFile returns the name of file i of n.
func shardFile(i, n int) string { return fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, n) }

func isFile(dst string) bool { return strings.HasSuffix(dst, ".safetensors") }
