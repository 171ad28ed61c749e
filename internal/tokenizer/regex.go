package tokenizer

func regexFinder(pattern string) (finder, error) {
	s, err := newSplitter(pattern)
	if err != nil {
		return nil, err
	}
	return func(text string, yield func(part string, match bool)) {
		s.split(text, true, func(part string) { yield(part, true) })
	}, nil
}
