package main

import (
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant"
	"github.com/bitmod-go/bitmod/quant/calibrate"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// options are the options of the command without a name.
type options struct {
	in, out   string
	types     []datatype.Type // to compare, without in
	config    quant.Config
	rules     checkpoint.Rules
	kept      string // of a dtype
	strict    bool
	verbose   bool
	dryRun    bool
	measure   bool
	overwrite bool
	report    string
	shardSize int64
	part      int
	parts     int

	bits        float64 // 0 without -bits
	byTensor    bool
	calibration calibration
	calibrator  checkpoint.Calibrator // nil without calibration
}

func parse(args []string, stderr io.Writer) (options, error) {
	o := options{parts: 1}
	fs := newFlags()
	fs.StringVar(&o.in, "in", "", "`checkpoint` to quantize")
	fs.StringVar(&o.out, "out", "", "`file` or directory to write")
	types := fs.String("types", defaultTypes, "comma-separated `list` of types to compare without -in, or all")
	fs.TextVar(&o.config.Type, "type", datatype.BitMoD4, "data `type`")
	fs.IntVar(&o.config.GroupSize, "group", 0, "number of `columns` that share a scale; 0 is the type's default, 128 for most types")
	fs.BoolVar(&o.config.Search, "search", false, "search for scales with a smaller error, at a tenth of the speed")
	fs.IntVar(&o.config.Workers, "workers", 0, "number of goroutines; 0 is one per processor")
	fs.Func("include", "quantize tensors that match the `pattern` instead of the default; may be repeated", patternFlag(&o.rules.Include))
	fs.Func("exclude", "do not quantize tensors that match the `pattern`; may be repeated", patternFlag(&o.rules.Exclude))
	fs.Func("transposed", "tensors that match the `pattern` are [in, out], as in GPT-2; may be repeated", patternFlag(&o.rules.Transposed))
	fs.Func("tensor-type", "`pattern=type` or pattern=type:group, for tensors that match; the last match counts; may be repeated", o.typeFlag)
	fs.Func("embeddings", "quantize embeddings, and output heads that are tied to them, to `type[:group]`, such as int8; they are kept by default", o.roleFlag("embeddings"))
	fs.Func("head", "quantize output heads, and embeddings that are tied to them, to `type[:group]`; they are kept by default", o.roleFlag("head"))
	fs.Func("kept", "store floats that are not quantized in the `dtype` bf16, f16 or f32; they are unchanged by default", o.keptFlag)
	fs.BoolVar(&o.verbose, "v", false, "print a line for every tensor, and the time of each stage")
	fs.BoolVar(&o.strict, "strict", false, "fail if a tensor that should be quantized can't be")
	fs.BoolVar(&o.dryRun, "dry-run", false, "write nothing, and show what would be done")
	fs.BoolVar(&o.measure, "measure", false, "compare every weight with the original")
	fs.BoolVar(&o.overwrite, "overwrite", false, "replace files that were made with other settings")
	fs.StringVar(&o.report, "report", "", "write a report of the errors as an HTML `file`; implies -measure")
	fs.Func("shard-size", "`bytes` of the source that go into one file of the result, such as 500M; 2G by default", func(s string) (err error) {
		o.shardSize, err = parseSize(s)
		return err
	})
	fs.Func("shard", "do only part `i/n` of the work, where i counts from 0; run merge when all parts are done", func(s string) (err error) {
		o.part, o.parts, err = parsePart(s)
		return err
	})
	o.calibration.options = calibrate.GPTQ()
	fs.StringVar(&o.calibration.text, "calibrate", "", "calibrate the layers with the text in `file`, see above; the name default stands for the module's own text; implies -search")
	fs.IntVar(&o.calibration.samples, "nsamples", 0, "number of `texts` for -calibrate, taken from all over the file; 0 is enough for 16,384 tokens")
	fs.IntVar(&o.calibration.length, "length", 0, "number of `tokens` in each text; 0 is 512, or 64 for an encoder")
	fs.Uint64Var(&o.calibration.seed, "seed", 1, "`number` that chooses the places of the texts in the file")
	fs.Float64Var(&o.bits, "bits", 0, "average `bits` a weight of all quantized tensors, such as 3.5, see above; replaces -type and -group")
	fs.BoolVar(&o.byTensor, "by-tensor", false, "with -bits and -calibrate, give all rows of a tensor the same type: products are faster, and errors are larger")
	if _, err := cli.Parse(fs, usage, args, stderr); err != nil {
		return o, err
	}
	o.measure = o.measure || o.report != ""
	if err := o.check(); err != nil {
		return o, err
	}
	var err error
	o.types, err = parseTypes(*types)
	return o, err
}

func (o *options) check() error {
	isFile := strings.HasSuffix(o.out, ".safetensors")
	calibrated := o.calibration.text != ""
	o.config.Search = o.config.Search || calibrated
	switch {
	case o.in == "" && (o.out != "" || o.dryRun):
		return cli.Usagef("-in is missing")
	case o.in != "" && o.out == "" && !o.dryRun:
		return cli.Usagef("-out (or -dry-run) is missing")
	case calibrated && o.in == "":
		return cli.Usagef("-calibrate needs -in")
	case o.byTensor && o.bits == 0:
		return cli.Usagef("-by-tensor needs -bits")
	case o.bits != 0 && !(o.bits > 2 && o.bits < 9):
		return cli.Usagef("-bits is %v, want about 3 to 8.5", o.bits)
	case calibrated && o.parts > 1:
		return cli.Usagef("-calibrate does not work with -shard, because each layer depends on the layers before it")
	case o.calibration.samples < 0 || o.calibration.length < 0:
		return cli.Usagef("-nsamples is %d and -length %d, want 0 or more", o.calibration.samples, o.calibration.length)
	case isFile && (o.parts > 1 || o.shardSize > 0):
		return cli.Usagef("%s is one file: -shard and -shard-size need a directory", o.out)
	}
	if isFile {
		o.shardSize = math.MaxInt64
	}
	return nil
}

func patternFlag(ps *[]string) func(string) error {
	return func(s string) error {
		*ps = append(*ps, s)
		expr, isRE := strings.CutPrefix(s, "re:")
		if !isRE {
			return nil
		}
		// NewPlan finds this error, too, but cannot name the flag.
		_, err := regexp.Compile(expr)
		return err
	}
}

func (o *options) typeFlag(s string) error {
	i := strings.LastIndexByte(s, '=')
	if i < 0 {
		return fmt.Errorf("want PATTERN=TYPE")
	}
	return o.addType(s[:i], s[i+1:])
}

// roleFlag returns the function of a flag for tensors of a role.
func (o *options) roleFlag(pattern string) func(string) error {
	return func(s string) error { return o.addType(pattern, s) }
}

// addType adds a rule: a pattern, and a type that may have a group size.
func (o *options) addType(pattern, typ string) error {
	r := checkpoint.TypeRule{Pattern: pattern}
	var err error
	name, group, ok := strings.Cut(typ, ":")
	if r.Type, err = datatype.Parse(name); err != nil {
		return err
	}
	if ok {
		if r.GroupSize, err = strconv.Atoi(group); err != nil || r.GroupSize < 1 {
			return fmt.Errorf("%q is not a group size", group)
		}
	}
	o.rules.Types = append(o.rules.Types, r)
	return nil
}

func (o *options) keptFlag(s string) error {
	switch s {
	case "bf16", "f16", "f32":
		o.kept = strings.ToUpper(s)
		return nil
	}
	return fmt.Errorf("want bf16, f16 or f32")
}

func parseTypes(list string) ([]datatype.Type, error) {
	if list == "all" {
		return datatype.Types(), nil
	}
	var types []datatype.Type
	for name := range strings.SplitSeq(list, ",") {
		t, err := datatype.Parse(strings.TrimSpace(name))
		if err != nil {
			return nil, cli.Usagef("%w", err)
		}
		types = append(types, t)
	}
	return types, nil
}

// parseSize reads a number of bytes with an optional K, M, G or T, of 1024 each.
func parseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "KMGT")
	shift := 0
	if unit := s[len(digits):]; unit != "" {
		shift = 10 * (1 + strings.Index("KMGT", unit))
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || shift > 40 || len(s)-len(digits) > 1 || n < 1 || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%q is not a size", s)
	}
	return n << shift, nil
}

func parsePart(s string) (part, parts int, err error) {
	i, n, ok := strings.Cut(s, "/")
	part, err1 := strconv.Atoi(i)
	parts, err2 := strconv.Atoi(n)
	if !ok || err1 != nil || err2 != nil || part < 0 || part >= parts {
		return 0, 0, fmt.Errorf("want i/n with 0 ≤ i < n")
	}
	return part, parts, nil
}
