package checkpoint

import (
	"fmt"
	"regexp"
	"strings"
)

// A Pattern selects tensors by name. It is one of
//
//	mlp.down_proj    a run of whole components of the name, which '.' and '/' separate
//	layers.*.mlp     the same with wildcards: * for any characters, ? for one
//	re:gate|up_proj  a regular expression (RE2) that some part of the name matches
//	linear           weights of linear layers, which is the default: see [Rules]
//	embeddings       tables of embeddings of tokens
//	head             output heads, and the embedding that is one, too
//
// so that "lm_head" matches lm_head.weight, and "layers.1" matches
// model.layers.1.mlp.up_proj.weight, but not model.layers.10.mlp.up_proj.weight.
type Pattern struct {
	text string
	re   *regexp.Regexp
	role Role // instead of re
}

// rolePatterns are the patterns that go by role.
var rolePatterns = map[string]Role{"linear": RoleLinear, "embeddings": RoleEmbedding, "head": RoleHead}

// ParsePattern returns the pattern of s. The error is for an empty one, or a
// regular expression that is not.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s, role: rolePatterns[s]}
	expr, isRE := strings.CutPrefix(s, "re:")
	switch {
	case p.role != RoleUnknown:
		return p, nil
	case expr == "":
		return p, fmt.Errorf("checkpoint: the pattern %q is empty", s)
	case !isRE:
		expr = regexp.QuoteMeta(s)
		expr = strings.ReplaceAll(expr, `\*`, `.*`)
		expr = `(^|[./])` + strings.ReplaceAll(expr, `\?`, `.`) + `([./]|$)`
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return p, fmt.Errorf("checkpoint: the pattern %q: %w", s, err)
	}
	p.re = re
	return p, nil
}

// String returns what the pattern was parsed from.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern selects a tensor, by its name or role. The
// zero Pattern matches nothing. That a tensor with the role of an embedding is the
// output head, too, is what [NewPlan] knows of a whole model.
func (p Pattern) Match(t Tensor) bool {
	if p.role != RoleUnknown {
		return p.role == t.Role
	}
	return p.re != nil && p.re.MatchString(t.Name)
}
