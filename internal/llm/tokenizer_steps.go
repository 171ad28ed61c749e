package llm

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A step is a normalizer or a pre-tokenizer of a tokenizer.json, or a sequence of
// them.
type step struct {
	Type          string  `json:"type"`
	Normalizers   []*step `json:"normalizers"`
	PreTokenizers []*step `json:"pretokenizers"`
	Pattern       struct {
		Regex  string `json:"Regex"`
		String string `json:"String"`
	} `json:"pattern"`
	Behavior       string  `json:"behavior"`
	Invert         bool    `json:"invert"`
	UseRegex       *bool   `json:"use_regex"`
	AddPrefixSpace *bool   `json:"add_prefix_space"`
	Individual     bool    `json:"individual_digits"`
	Prepend        string  `json:"prepend"`
	Content        string  `json:"content"`
	Replacement    string  `json:"replacement"`
	PrependScheme  *string `json:"prepend_scheme"`
	Split          *bool   `json:"split"`
}

// is returns *b, or otherwise where the file does not say.
func is(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

// maxSteps is above the number of any published tokenizer's. Steps are recursive.
const maxSteps = 16

// list returns the steps of a sequence, or the one.
func (s *step) list() ([]*step, error) {
	if s == nil {
		return nil, nil
	}
	steps := []*step{s}
	if s.Type == "Sequence" {
		steps = slices.Concat(s.Normalizers, s.PreTokenizers)
	}
	if len(steps) > maxSteps {
		return nil, formatErrorf("a sequence of %d steps, want at most %d", len(steps), maxSteps)
	}
	if slices.Contains(steps, nil) {
		return nil, formatErrorf("a step of a sequence is null")
	}
	return steps, nil
}

// A normalizer changes the text between added tokens.
type normalizer func(text string) string

// A preTokenizer takes text apart, in order, or changes it. start says whether it
// begins the whole text.
type preTokenizer func(text string, start bool, emit func(part string))

// readSteps reads the normalizer and the pre-tokenizer.
func (t *jsonTokenizer) readSteps(f *tokenizerJSON) error {
	normalizers, err := f.Normalizer.list()
	if err != nil {
		return err
	}
	for _, s := range normalizers {
		switch {
		case s.Type == "Prepend" && s.Prepend == spaceMark:
			t.normalizers = append(t.normalizers, func(text string) string {
				if text == "" {
					return ""
				}
				return spaceMark + text
			})
		case s.Type == "Replace" && s.Pattern.String == " " && s.Content == spaceMark:
			t.normalizers = append(t.normalizers, func(text string) string { return strings.ReplaceAll(text, " ", spaceMark) })
		default:
			// NFC and the like would need Unicode's tables.
			return formatErrorf("normalizer %q is not supported", s.Type)
		}
	}
	preTokenizers, err := f.PreTokenizer.list()
	if err != nil {
		return err
	}
	for _, s := range preTokenizers {
		if t.bytes {
			return formatErrorf("pre-tokenizer %q after ByteLevel, which must be the last, is not supported", s.Type)
		}
		p, err := s.preTokenizer()
		if err != nil {
			return err
		}
		t.bytes = s.Type == "ByteLevel"
		t.preTokenizers = append(t.preTokenizers, p)
	}
	if t.bytes && len(t.normalizers) > 0 {
		return formatErrorf("a normalizer with ByteLevel is not supported")
	}
	return nil
}

func (s *step) preTokenizer() (preTokenizer, error) {
	switch {
	case s.Type == "ByteLevel":
		return s.byteLevel()
	case s.Type == "Split" && s.Pattern.Regex != "" && s.Behavior == "Isolated" && !s.Invert:
		p, err := newSplitter(s.Pattern.Regex)
		if err != nil {
			return nil, err
		}
		return p.split, nil
	case s.Type == "Digits":
		return digits(s.Individual), nil
	case s.Type == "Metaspace" && s.Replacement == spaceMark:
		return s.metaspace()
	case s.Type == "Split":
		return nil, formatErrorf("pre-tokenizer %q with behavior %q is not supported", s.Type, s.Behavior)
	}
	return nil, formatErrorf("pre-tokenizer %q is not supported", s.Type)
}

// byteLevel is GPT-2's: a space in front if the file says so, and its pattern.
func (s *step) byteLevel() (preTokenizer, error) {
	space := is(s.AddPrefixSpace, true)
	split := func(text string, _ bool, emit func(string)) { emit(text) }
	if is(s.UseRegex, true) {
		p, err := newSplitter(gpt2Pattern)
		if err != nil {
			return nil, err
		}
		split = p.split
	}
	return func(text string, start bool, emit func(string)) {
		if space && text[0] != ' ' {
			text = " " + text
		}
		split(text, start, emit)
	}, nil
}

// digits takes numbers out, in one part or digit by digit.
func digits(individual bool) preTokenizer {
	return func(text string, _ bool, emit func(string)) {
		from, number := 0, false // the part that is not emitted yet
		for i, r := range text {
			is := unicode.IsNumber(r)
			if i > from && (is != number || is && individual) {
				emit(text[from:i])
				from = i
			}
			number = is
		}
		emit(text[from:])
	}
}

// metaspace writes spaces as ▁ and puts one in front.
func (s *step) metaspace() (preTokenizer, error) {
	scheme := "always"
	if s.PrependScheme != nil {
		scheme = *s.PrependScheme
	} else if !is(s.AddPrefixSpace, true) {
		scheme = "never"
	}
	if scheme != "always" && scheme != "first" && scheme != "never" {
		return nil, formatErrorf("prepend_scheme is %q, want always, first or never", scheme)
	}
	words := is(s.Split, true)
	return func(text string, start bool, emit func(string)) {
		text = strings.ReplaceAll(text, " ", spaceMark)
		if (scheme == "always" || scheme == "first" && start) && !strings.HasPrefix(text, spaceMark) {
			text = spaceMark + text
		}
		for words {
			_, first := utf8.DecodeRuneInString(text)
			next := strings.Index(text[first:], spaceMark)
			if next < 0 {
				break
			}
			emit(text[:first+next])
			text = text[first+next:]
		}
		emit(text)
	}, nil
}

// normalize runs the normalizers.
func (t *jsonTokenizer) normalize(text string) string {
	for _, n := range t.normalizers {
		text = n(text)
	}
	return text
}

// prefixed reports whether a text of SentencePiece's kind gets a space in front.
func (t *jsonTokenizer) prefixed() bool {
	parts := 0
	t.preTokenize(t.preTokenizers, t.normalize("x"), true, func(part string) {
		if strings.HasPrefix(part, spaceMark) {
			parts++
		}
	})
	return parts > 0
}

// preTokenize runs the pre-tokenizers, each over the parts that the one before makes.
func (t *jsonTokenizer) preTokenize(steps []preTokenizer, text string, start bool, emit func(part string)) {
	if text == "" {
		return
	}
	if len(steps) == 0 {
		emit(text)
		return
	}
	steps[0](text, start, func(part string) {
		t.preTokenize(steps[1:], part, start, emit)
		start = false
	})
}
