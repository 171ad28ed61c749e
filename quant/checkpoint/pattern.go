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
//
// so that "lm_head" matches lm_head.weight, and "layers.1" matches
// model.layers.1.mlp.up_proj.weight, but not model.layers.10.mlp.up_proj.weight.
type Pattern struct {
	text   string
	re     *regexp.Regexp
	linear bool
}

// ParsePattern returns the pattern of s. The error is for an empty one, or a
// regular expression that is not.
func ParsePattern(s string) (Pattern, error) {
	p := Pattern{text: s, linear: s == "linear"}
	expr, isRE := strings.CutPrefix(s, "re:")
	switch {
	case p.linear:
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

// Match reports whether the pattern selects a tensor of that name. The zero
// Pattern matches nothing.
func (p Pattern) Match(name string) bool {
	if p.linear {
		return notLinear(name) == ""
	}
	return p.re != nil && p.re.MatchString(name)
}

func matchAny(ps []Pattern, name string) bool {
	for _, p := range ps {
		if p.Match(name) {
			return true
		}
	}
	return false
}

// Components of the names that Hugging Face models and llama.cpp give to what is
// not a linear layer.
var (
	normName  = regexp.MustCompile(`(?i)norm|^ln(_|$)`)
	embedName = regexp.MustCompile(`(?i)emb(ed|d|$)|^wte$|^wpe$|^shared$`)
	headName  = regexp.MustCompile(`(?i)^lm_head$`)
	biasName  = regexp.MustCompile(`(?i)^bias(es)?$`)
)

// notLinear returns what, by its name, a tensor is that is no weight of a linear
// layer, or "".
func notLinear(name string) string {
	if name == "output.weight" { // llama.cpp
		return "the output head"
	}
	for _, c := range strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '/' }) {
		switch {
		case normName.MatchString(c):
			return "a norm"
		case embedName.MatchString(c):
			return "an embedding"
		case headName.MatchString(c):
			return "the output head"
		case biasName.MatchString(c):
			return "a bias"
		}
	}
	return ""
}
