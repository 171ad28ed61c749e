// Embed turns sentences into vectors with a model such as BERT, whose weights may be
// quantized. Sentences with similar meanings have similar vectors.
//
//	go run ./examples/embed -table "A king and his queen." "The queen of the king." "It rained all day."
//	go run ./examples/embed -model all-MiniLM-L6-v2 -type bitmod4 -in sentences.txt -json > vectors.jsonl
//	go run ./examples/embed -model RESULT -in - < sentences.txt
//	go run ./examples/embed -model all-MiniLM-L6-v2 -in sentences.txt -compare
//	go run ./examples/embed -model all-MiniLM-L6-v2 -in sentences.txt -compare -types bitmod4/64,int4_asym/64
//
// Sentences are arguments, or lines of a file or of standard input. The program prints
// the vector of each sentence as a line of numbers, or with -json as an object. With
// -table it prints the similarity of every two sentences. With -compare it prints the
// effect of quantized weights on the vectors and on the speed.
//
// Without -model it runs the small model of this module. It uses weights as they are
// stored, or with -type quantizes them when it reads them. A RESULT of examples/quantize
// is packed already and used as it is. modules.json, and the files that it names, say how
// to make one vector of the vectors of a sentence's tokens.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
	"github.com/bitmod-go/bitmod/internal/llm/encoder"
	"github.com/bitmod-go/bitmod/internal/tinyembed"
)

func main() { cli.Main("embed", run) }

const usage = `usage: go run ./examples/embed [flags] [SENTENCE ...]

Turns sentences into vectors with a model such as BERT, whose weights may be quantized.
`

// options are the command line.
type options struct {
	model, in           string
	sentences           []string
	weights, embeddings string
	group               int
	activations         llm.Activations
	pooling             string
	json, table         bool
	compare             bool
	types, beside       string
	rounds, threads     int
}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("embed", flag.ContinueOnError)
	flags.StringVar(&o.model, "model", "", "Hugging Face directory, GGUF `FILE`, or result of examples/quantize; if empty, this module's own model")
	flags.StringVar(&o.in, "in", "", "`FILE` of sentences, one per line; - is standard input, which is the default if there are no arguments")
	flags.StringVar(&o.weights, "type", "", "quantize the weights of the layers to the data `TYPE`; if empty, they stay as stored")
	flags.IntVar(&o.group, "group", 0, "number of weights that share a scale; 0 is the type's default")
	flags.StringVar(&o.embeddings, "embeddings", "", "quantize the embeddings of tokens to the data `TYPE`")
	flags.TextVar(&o.activations, "activations", llm.Int8, "`FORM` of the activations that multiply packed weights: int8, int16 (which loses almost nothing) or float32")
	flags.StringVar(&o.pooling, "pooling", "", "`WAY` to combine the vectors of tokens: mean, cls, max …; if empty, what the model's files say")
	flags.BoolVar(&o.json, "json", false, "print a JSON object for each sentence")
	flags.BoolVar(&o.table, "table", false, "print the cosines of all pairs of sentences")
	flags.BoolVar(&o.compare, "compare", false, "compare the effects of data types on vectors and speed")
	flags.StringVar(&o.types, "types", defaultTypes, "with -compare: comma-separated `LIST` of types, each alone or with a group size")
	flags.StringVar(&o.beside, "beside", "", "with -compare: comma-separated `LIST` of other files of the model")
	flags.IntVar(&o.rounds, "rounds", 3, "with -compare: number of turns; results are medians")
	flags.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "number of goroutines")
	var err error
	if o.sentences, err = cli.ParseAny(flags, usage, args, stderr); err != nil {
		return nil, err
	}
	modes := 0
	for _, on := range []bool{o.json, o.table, o.compare} {
		if on {
			modes++
		}
	}
	switch {
	case o.threads < 1:
		return nil, cli.Usagef("-threads is %d, want 1 or more", o.threads)
	case o.rounds < 1:
		return nil, cli.Usagef("-rounds is %d, want 1 or more", o.rounds)
	case !o.compare && (o.types != defaultTypes || o.beside != ""):
		return nil, cli.Usagef("-types and -beside need -compare")
	case modes > 1:
		return nil, cli.Usagef("use only one of -json, -table and -compare")
	case o.compare && (o.weights != "" || o.embeddings != "" || o.group != 0):
		return nil, cli.Usagef("-compare takes its types from -types: leave out -type, -group and -embeddings")
	case o.in != "" && len(o.sentences) > 0:
		return nil, cli.Usagef("sentences are arguments or from -in, not both")
	}
	if _, err := parseTypes(o.types); err != nil {
		return nil, err
	}
	for _, f := range []struct{ flag, name string }{{"-type", o.weights}, {"-embeddings", o.embeddings}} {
		if f.name == "" {
			continue
		}
		if _, err := datatype.Parse(f.name); err != nil {
			return nil, cli.Usagef("%s: %w", f.flag, err)
		}
	}
	if o.pooling != "" {
		if _, err := encoder.ParsePooling(o.pooling); err != nil {
			return nil, cli.Usagef("-pooling: %w", err)
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	f, err := o.open()
	if err != nil {
		return err
	}
	defer f.Close()
	source, err := o.source()
	if err != nil {
		return err
	}
	defer source.close()
	if o.compare {
		return compare(ctx, o, f, source, stdout, stderr)
	}
	w, err := o.choose(f)
	if err != nil {
		return err
	}
	e, err := o.embedder(f, w)
	if err != nil {
		return err
	}
	defer e.Runner.Close()
	if n := len(f.Unused()); n > 0 {
		fmt.Fprintf(stderr, "not used: tensor %s%s\n", f.Unused()[0], more(n-1))
	}
	s := session{e: e, status: cli.NewStatus(stderr)}
	out := bufio.NewWriter(stdout)
	if o.table {
		err = s.table(ctx, source, out)
	} else {
		err = s.lines(ctx, source, out, o.json)
	}
	s.status.Clear()
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	m := e.Model()
	fmt.Fprintf(stderr, "%s, embeddings %s: %s of weights, %.2f bits each in the layers; %v\n", w.name, w.embeddings, cli.Size(m.Bytes()), m.BitsPerWeight(), e.Pipeline)
	fmt.Fprintf(stderr, "%d sentences, %d tokens in %.0f ms: %.0f sentences/s, %.0f tokens/s\n",
		s.sentences, s.tokens, 1e3*s.time.Seconds(), s.perSecond(s.sentences), s.perSecond(s.tokens))
	return nil
}

func more(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

func (o *options) open() (*encoder.File, error) {
	if o.model == "" {
		return encoder.OpenFS(tinyembed.FS(), ".")
	}
	return encoder.OpenFile(o.model)
}

// embedder loads the model.
func (o *options) embedder(f *encoder.File, w weights) (*encoder.Embedder, error) {
	p, err := f.Pipeline()
	if err != nil {
		return nil, err
	}
	if o.pooling != "" {
		p.Poolings, p.Source = []encoder.Pooling{encoder.Pooling(o.pooling)}, "-pooling"
	}
	tok, err := f.Tokenizer()
	if err != nil {
		return nil, err
	}
	m, err := f.Load(w.options)
	if err != nil {
		return nil, err
	}
	return &encoder.Embedder{Runner: encoder.NewRunner(m, o.threads), Tokenizer: tok, Pipeline: p}, nil
}

// A session embeds sentences, and counts sentences and time.
type session struct {
	e                 *encoder.Embedder
	status            *cli.Status
	sentences, tokens int
	time              time.Duration
}

func (s *session) perSecond(n int) float64 {
	if s.time <= 0 {
		return 0
	}
	return float64(n) / s.time.Seconds()
}

func (s *session) embed(ctx context.Context, sentences []string) ([][]float32, error) {
	start, begin, tokens := time.Now(), s.sentences, s.tokens
	vectors, _, err := s.e.Embed(ctx, sentences, func(done, n int) {
		s.sentences, s.tokens = begin+done, tokens+n
		now := s.time + time.Since(start)
		s.status.Show("%d sentences, %.0f a second", s.sentences, float64(s.sentences)/now.Seconds())
	})
	s.time += time.Since(start)
	return vectors, err
}

// A source has the sentences.
type source struct {
	list    []string
	scanner *bufio.Scanner // nil for a list
	close   func() error
	name    string
}

// maxLine is the length of the longest line, in bytes: far more than any model reads.
const maxLine = 1 << 20

func (o *options) source() (*source, error) {
	s := &source{list: o.sentences, close: func() error { return nil }}
	if len(o.sentences) > 0 {
		return s, nil
	}
	var r io.Reader = os.Stdin
	s.name = "standard input"
	if o.in != "" && o.in != "-" {
		file, err := os.Open(o.in)
		if err != nil {
			return nil, err
		}
		r, s.name, s.close = file, o.in, file.Close
	}
	s.scanner = bufio.NewScanner(r)
	s.scanner.Buffer(nil, maxLine)
	return s, nil
}

// next returns up to n sentences, none at the end.
func (s *source) next(n int) ([]string, error) {
	if s.scanner == nil {
		n = min(n, len(s.list))
		some := s.list[:n]
		s.list = s.list[n:]
		return some, nil
	}
	var some []string
	for len(some) < n && s.scanner.Scan() {
		some = append(some, strings.TrimSuffix(s.scanner.Text(), "\r"))
	}
	if err := s.scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return some, nil
}

// all returns all sentences. There must be 1 to most of them.
func (s *source) all(most int) ([]string, error) {
	some, err := s.next(most + 1)
	switch {
	case err != nil:
		return nil, err
	case len(some) == 0:
		return nil, errNone
	case len(some) > most:
		return nil, cli.Usagef("more than %d sentences", most)
	}
	return some, nil
}

var errNone = cli.Usagef("no sentences: give them as arguments, or as lines of the file that -in names")
