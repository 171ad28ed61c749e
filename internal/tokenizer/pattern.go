package tokenizer

import (
	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/tokenizer/regex"
)

// regexFinder finds the matches of a regular expression.
func regexFinder(pattern string) (finder, error) {
	re, err := regex.Compile(pattern)
	if err != nil {
		return nil, errorf("pattern %s: %v", badfile.Quote(pattern), err)
	}
	return re.Find, nil
}

// A pattern is a string or a regular expression of a file.
type pattern struct {
	String *string
	Regex  *string
}

func (p pattern) finder() (finder, error) {
	switch {
	case p.String != nil && p.Regex == nil:
		return substring(*p.String), nil
	case p.Regex != nil && p.String == nil:
		return regexFinder(*p.Regex)
	}
	return nil, errorf("the pattern is neither a String nor a Regex")
}
