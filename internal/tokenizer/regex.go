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
