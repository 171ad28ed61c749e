package checkpoint

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/bitmod-go/bitmod/quant"
)

// A pattern is a parsed pattern of [Rules].
type pattern struct {
	text string
	re   *regexp.Regexp
	role Role // instead of re
}

// rolePatterns are the patterns that select by role.
var rolePatterns = map[string]Role{"linear": RoleLinear, "embeddings": RoleEmbedding, "head": RoleHead}

// parsePatterns parses all of ss.
func parsePatterns(ss []string) ([]pattern, error) {
	var ps []pattern
	for _, s := range ss {
		p, err := parsePattern(s)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// parsePattern parses s. An empty pattern and an invalid regular expression are errors.
func parsePattern(s string) (pattern, error) {
	p := pattern{text: s, role: rolePatterns[s]}
	expr, isRE := strings.CutPrefix(s, "re:")
	switch {
	case p.role != RoleUnknown:
		return p, nil
	case expr == "":
		return p, fmt.Errorf("checkpoint: %w: the pattern %q is empty", quant.ErrFormat, s)
	case !isRE:
		expr = regexp.QuoteMeta(s)
		expr = strings.ReplaceAll(expr, `\*`, `.*`)
		expr = `(^|[./])` + strings.ReplaceAll(expr, `\?`, `.`) + `([./]|$)`
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return p, fmt.Errorf("checkpoint: %w: the pattern %q: %w", quant.ErrFormat, s, err)
	}
	p.re = re
	return p, nil
}

// match reports whether the pattern selects a tensor, by its name or role. It does not
// know whether an embedding is also the output head; [NewPlan] does.
func (p pattern) match(t Tensor) bool {
	if p.role != RoleUnknown {
		return p.role == t.Role
	}
	return p.re.MatchString(t.Name)
}
