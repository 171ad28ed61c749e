package checkpoint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// Rules choose the tensors to quantize, and their types. The zero Rules choose tensors
// whose role is [RoleLinear]. A tensor that would not get smaller is not quantized.
//
// They select tensors by patterns. A pattern is one of
//
//	mlp.down_proj    a run of whole components of the name, which '.' and '/' separate
//	layers.*.mlp     the same with wildcards: * for any characters, ? for one
//	re:gate|up_proj  a regular expression (RE2) that some part of the name matches
//	linear           weights of linear layers, which is the default
//	embeddings       tables of embeddings of tokens
//	head             output heads, and the embedding that is one, too
//
// so that "lm_head" matches lm_head.weight, and "layers.1" matches
// model.layers.1.mlp.up_proj.weight, but not model.layers.10.mlp.up_proj.weight.
// An empty pattern, or one that is no regular expression, is an error of [NewPlan].
type Rules struct {
	// Include replaces the default by the tensors of two or more dimensions that any of
	// these patterns matches. The pattern "linear" stands for the default.
	Include []string
	// Exclude leaves out the tensors that any of these patterns matches, whatever the
	// other rules say.
	Exclude []string
	// Types are other types for some tensors, which are then included. The last rule
	// that matches counts.
	Types []TypeRule
	// Mixed has tensors, by name, whose rows get several types. They are included, and
	// Types do not apply to them.
	Mixed map[string]Mixed
	// Transposed tensors are stored as [in, out], such as the Conv1D weights of GPT-2.
	// They are quantized as [out, in], as rows must be output channels. In tensors of
	// more dimensions, such as experts, these are the last two. The tensors of known
	// families need no rule.
	Transposed []string
}

// A TypeRule gives a type to the tensors that a pattern matches.
type TypeRule struct {
	Pattern   string // see [Rules]
	Type      datatype.Type
	GroupSize int // 0: the plan's group size if the two types have the same default, else the default of Type
}

// An Item is what a plan does with one tensor.
type Item struct {
	// From is the tensor of the source, and To the tensor of the result.
	From, To Tensor
	// Reason is why a tensor is not quantized, or what was assumed about one that is.
	Reason string
	// Skipped reports that the tensor should be quantized but cannot be.
	Skipped bool
	// Shard is the index of the file that it goes to.
	Shard int
	// Stats are set by a run, see [Result].
	Stats Stats
}

// quantize reports whether the plan quantizes the tensor.
func (it *Item) quantize() bool { return it.To.Quantized && !it.From.Quantized }

// A decider applies the rules of a plan to the tensors of its source.
type decider struct {
	include, exclude, transposed []pattern

	types     []typePattern
	mixed     map[string]Mixed
	typ       datatype.Type // of tensors to which no rule gives another type
	groupSize int
	tied      string // the embedding that is the output head, too
}

// A typePattern is a [TypeRule] whose pattern has been parsed.
type typePattern struct {
	pattern pattern
	TypeRule
}

func newDecider(r Rules, c quant.Config, tied string) (decider, error) {
	d := decider{mixed: r.Mixed, typ: c.Type, groupSize: c.GroupSize, tied: tied}
	for _, x := range []struct {
		from []string
		to   *[]pattern
	}{{r.Include, &d.include}, {r.Exclude, &d.exclude}, {r.Transposed, &d.transposed}} {
		var err error
		if *x.to, err = parsePatterns(x.from); err != nil {
			return d, err
		}
	}
	for _, t := range r.Types {
		p, err := parsePattern(t.Pattern)
		if err != nil {
			return d, err
		}
		d.types = append(d.types, typePattern{p, t})
	}
	return d, nil
}

// match reports whether any pattern selects t.
func (d decider) match(ps []pattern, t Tensor) bool {
	return slices.ContainsFunc(ps, func(p pattern) bool { return d.matches(p, t) })
}

func (d decider) matches(p pattern, t Tensor) bool {
	return p.match(t) || p.role == RoleHead && d.tied != "" && t.Name == d.tied
}

// check returns an error for rules by role that do not fit the model.
func (d decider) check(tensors []Tensor) error {
	byRole := make(map[Role]*typePattern)
	for i := range d.types {
		if r := &d.types[i]; r.pattern.role == RoleEmbedding || r.pattern.role == RoleHead {
			byRole[r.pattern.role] = r
			if !slices.ContainsFunc(tensors, func(t Tensor) bool { return d.matches(r.pattern, t) }) {
				return fmt.Errorf("checkpoint: a type for %q: %w: the model has none of these", r.Pattern, ErrNoTensor)
			}
		}
	}
	e, h := byRole[RoleEmbedding], byRole[RoleHead]
	if d.tied == "" || e == nil || h == nil {
		return nil
	}
	if g := e.groupSize(d.typ, d.groupSize); e.Type != h.Type || g != h.groupSize(d.typ, d.groupSize) {
		return tensorError(d.tied, fmt.Errorf("%w: %v:%d for one and %v:%d for the other", ErrTied, e.Type, g, h.Type, h.groupSize(d.typ, d.groupSize)))
	}
	return nil
}

// decide returns the decision about t, of kind k, which takes kept bytes if it is not
// quantized.
func (d decider) decide(t Tensor, k kind, kept int64) Item {
	it := Item{From: t, To: t}
	typ, groupSize := d.typ, d.groupSize
	q := quantized{Type: typ, GroupSize: groupSize, Shape: t.Shape, Original: t.DType}
	byType := false
	for _, rule := range d.types {
		if d.matches(rule.pattern, t) {
			byType = true
			q.Type, q.GroupSize = rule.Type, rule.groupSize(typ, groupSize)
		}
	}
	mixed, isMixed := d.mixed[t.Name]
	if isMixed {
		q.Type, q.GroupSize = mixed.Parts[0].Type, mixed.Parts[0].GroupSize
		if len(mixed.Parts) > 1 {
			q.Type, q.GroupSize, q.Parts = noType, 0, mixed.Parts
		}
	}
	included := byType || isMixed || d.match(d.include, t)
	keep := func(skipped bool, format string, args ...any) Item {
		it.Reason, it.Skipped = fmt.Sprintf(format, args...), skipped
		return it
	}
	rank := len(t.Shape)
	switch {
	case t.Quantized:
		return keep(false, "it is %s already", t.DType)
	case d.match(d.exclude, t):
		return keep(false, "excluded")
	case !included && len(d.include) > 0:
		return keep(false, "not included")
	case t.Elements() == 0:
		return keep(false, "it is empty")
	case !included && k.role != RoleLinear && (k.role != RoleUnknown || rank < 2):
		return keep(false, "%s", k.why)
	case rank < 2:
		return keep(false, "%s", cmp.Or(k.why, dimensions(rank)))
	case !t.Float:
		return keep(true, "%s is not a type of floats that can be read", t.DType)
	case rank > 2 && !included && k.role != RoleLinear:
		return keep(true, "%s; include it by name to quantize rows along the last", dimensions(rank))
	case !included && k.role != RoleLinear:
		return keep(false, "%s", k.why)
	}
	it.Reason = k.note
	if k.inOut || d.match(d.transposed, t) {
		q.Transposed = true
		q.Shape = swap(t.Shape)
		it.Reason = ""
	}
	to, err := q.tensor(t.Name)
	if err != nil {
		return keep(true, "%v", err)
	}
	to.Role = t.Role
	if to.Bytes >= kept {
		return keep(false, "it would not get smaller: %d bytes instead of %d", to.Bytes, kept)
	}
	it.To = to
	return it
}

// groupSize returns the group size of the rule in a plan with the given type and
// group size.
func (r TypeRule) groupSize(typ datatype.Type, groupSize int) int {
	switch {
	case r.GroupSize != 0:
		return r.GroupSize
	case r.Type.GroupSize() == typ.GroupSize():
		return groupSize
	}
	return r.Type.GroupSize()
}

func dimensions(n int) string {
	if n == 1 {
		return "1 dimension"
	}
	return fmt.Sprintf("%d dimensions", n)
}
