package checkpoint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
)

// Rules say which tensors are quantized, and how. The zero Rules take those whose
// role is [RoleLinear]. No tensor is quantized that would not get smaller.
type Rules struct {
	// Include replaces that default: tensors that any of them matches, of two or
	// more dimensions. The pattern "linear" among them adds the default.
	Include []Pattern
	// Exclude leaves out tensors that any of them matches, whatever else does.
	Exclude []Pattern
	// Types are other types for some tensors, which are then included; the last
	// that matches counts.
	Types []TypeRule
	// Transposed tensors are [in, out], and are quantized as [out, in], as rows
	// must be output channels: the Conv1D weights of GPT-2. Of more dimensions,
	// the last two are meant: experts. Of known families this is known.
	Transposed []Pattern
}

// A TypeRule gives a type to the tensors that a pattern matches.
type TypeRule struct {
	Pattern   Pattern
	Type      datatype.Type
	GroupSize int // 0: the plan's if its type has the same by default, else the type's own
}

// An Item is what a plan does with one tensor.
type Item struct {
	// From is the tensor of the source, and To that of the result, which is
	// quantized or as it was.
	From, To Tensor
	// Reason says why a tensor is not quantized, or what was assumed about one
	// that is.
	Reason string
	// Skipped reports that it was meant to be quantized, but can't be.
	Skipped bool
	// Shard is the index of the file that it goes to.
	Shard int
}

// quantize reports whether the plan quantizes the tensor.
func (it *Item) quantize() bool { return it.To.Quantized && !it.From.Quantized }

// BitsPerWeight returns the bits that an element takes in the result, 0 for an
// empty tensor.
func (it *Item) BitsPerWeight() float64 {
	if n := it.To.Elements(); n > 0 {
		return 8 * float64(it.To.Bytes) / float64(n)
	}
	return 0
}

// A decider applies the rules of a plan to the tensors of its source.
type decider struct {
	Rules
	typ       datatype.Type // of what no rule gives another
	groupSize int
	tied      string // the embedding that is the output head, too
}

// match reports whether any pattern selects t.
func (d decider) match(ps []Pattern, t Tensor) bool {
	return slices.ContainsFunc(ps, func(p Pattern) bool { return d.matches(p, t) })
}

func (d decider) matches(p Pattern, t Tensor) bool {
	return p.Match(t) || p.role == RoleHead && d.tied != "" && t.Name == d.tied
}

// check looks for rules for roles that do not fit the model.
func (d decider) check(tensors []Tensor) error {
	byRole := make(map[Role]*TypeRule)
	for i := range d.Types {
		if r := &d.Types[i]; r.Pattern.role == RoleEmbedding || r.Pattern.role == RoleHead {
			byRole[r.Pattern.role] = r
			if !slices.ContainsFunc(tensors, func(t Tensor) bool { return d.matches(r.Pattern, t) }) {
				return fmt.Errorf("checkpoint: a type for %q: %w: the model has none of these", r.Pattern.String(), ErrNoTensor)
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

// decide returns what is done with t, of the kind k, which takes kept bytes if it
// is not quantized.
func (d decider) decide(t Tensor, k kind, kept int64) Item {
	it := Item{From: t, To: t}
	typ, groupSize := d.typ, d.groupSize
	q := quantized{Type: typ, GroupSize: groupSize, Shape: t.Shape, Original: t.DType}
	byType := false
	for _, rule := range d.Types {
		if d.matches(rule.Pattern, t) {
			byType = true
			q.Type, q.GroupSize = rule.Type, rule.groupSize(typ, groupSize)
		}
	}
	included := byType || d.match(d.Include, t)
	keep := func(skipped bool, format string, args ...any) Item {
		it.Reason, it.Skipped = fmt.Sprintf(format, args...), skipped
		return it
	}
	rank := len(t.Shape)
	switch {
	case t.Quantized:
		return keep(false, "it is %s already", t.DType)
	case d.match(d.Exclude, t):
		return keep(false, "excluded")
	case !included && len(d.Include) > 0:
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
		return keep(true, "%s; include it by name to quantize the rows of the last", dimensions(rank))
	case !included && k.role != RoleLinear:
		return keep(false, "%s", k.why)
	}
	it.Reason = k.note
	if k.inOut || d.match(d.Transposed, t) {
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
