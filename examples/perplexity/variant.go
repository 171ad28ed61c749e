package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/internal/llm"
)

// A variant is a way to store the model, and a row of the table.
type variant struct {
	name        string
	float       bool            // float32 weights, as they are
	stored      float64         // bits of float weights in their file, if they count
	all         float64         // bits of all weights of a file, embedding and classifier included
	packed      bool            // weights as the model has them packed
	cache       bool            // the type is of the key-value cache
	activations llm.Activations // what the weights are multiplied by
	baseline    bool
	typ         datatype.Type
	group       int
	options
}

const (
	cachePrefix = "kv:"
	int8Prefix  = "a8:"
	int16Prefix = "a16:"
)

// The values of -types, and its default.
const (
	allTypes   = "all"
	shortTable = "bitmod3,bitmod3+search,int3_asym,int3,bitmod4,int4_asym,nf4"
)

var (
	defaultGroups = []int{32, 64, 128}
	defaultInt8   = []datatype.Type{datatype.BitMoD3, datatype.BitMoD4}
	defaultCaches = []datatype.Type{datatype.BitMoD3, datatype.Int3Asym, datatype.BitMoD4, datatype.Int4Asym}
)

// parseVariants returns the rows for a list of names, float32 first whether or not
// it is one of them.
func parseVariants(names string, group int) ([]variant, error) {
	groups := defaultGroups
	switch {
	case group != 0 && group < 8:
		return nil, cli.Usagef("-group is %d, want 0 or at least 8", group)
	case group != 0:
		groups = []int{group}
	case names == "":
		groups = []int{128}
	}
	if names == "" {
		names = shortTable
	}
	rows := []variant{{name: floatRow, float: true}}
	add := func(v variant, groups []int) {
		for _, g := range groups {
			if v.group = g; v.typ.Scale() != datatype.RowStep {
				v.group = v.typ.GroupSize() // the standard's
			}
			if b := baselines[v.name]; b.groupSize != 0 {
				v.group = b.groupSize
			}
			if rows[len(rows)-1] != v {
				rows = append(rows, v)
			}
		}
	}
	if names != allTypes {
		for name := range strings.SplitSeq(names, ",") {
			name = strings.TrimSpace(name)
			if name == "" || name == floatRow {
				continue
			}
			v, err := parseVariant(name)
			if err != nil {
				return nil, cli.Usagef("-types: %s: %w", name, err)
			}
			add(v, groups)
		}
		return rows, nil
	}
	for bits := 3; bits <= 4; bits++ {
		for _, t := range datatype.Types() { // BitMoD's are first
			if t.Bits() == bits {
				add(variant{name: t.String(), typ: t}, groups)
			}
		}
	}
	for _, t := range defaultInt8 {
		add(variant{name: int8Prefix + t.String(), typ: t, activations: llm.Int8}, groups)
	}
	for _, t := range defaultCaches {
		add(variant{name: cachePrefix + t.String(), typ: t, cache: true}, groups)
	}
	if group == 0 {
		groups = []int{optionsGroup}
	}
	for _, name := range defaultOptions {
		v, err := parseVariant(name)
		if err != nil {
			return nil, err
		}
		add(v, groups)
	}
	return rows, nil
}

// parseVariant reads one name.
func parseVariant(name string) (variant, error) {
	v := variant{name: name}
	name, list, more := strings.Cut(name, "+")
	if name, v.cache = strings.CutPrefix(name, cachePrefix); !v.cache {
		for prefix, of := range map[string]llm.Activations{int8Prefix: llm.Int8, int16Prefix: llm.Int16} {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				name, v.activations = rest, of
				break
			}
		}
	}
	var err error
	if more {
		if v.options, err = parseOptions(list); err != nil {
			return v, err
		}
	}
	if bits, ok := strings.CutPrefix(name, mixedPrefix); ok && !v.cache {
		v.mixed, err = parseBits(bits)
		return v, err
	}
	if v.cache && more {
		return v, fmt.Errorf("a cache takes no options")
	}
	if _, ok := baselines[v.name]; ok {
		v.baseline = true
		return v, nil
	}
	v.typ, err = datatype.Parse(name)
	return v, err
}

// distinct leaves out caches that equal the one before because their groups are wider
// than a token's keys.
func distinct(rows []variant, width int) []variant {
	var keep []variant
	for _, v := range rows {
		if n := len(keep); v.cache && n > 0 {
			if last := keep[n-1]; last.cache && last.typ == v.typ && min(last.group, width) == min(v.group, width) {
				continue
			}
		}
		keep = append(keep, v)
	}
	return keep
}

// A row has the results of a variant.
type row struct {
	variant
	bits    float64 // for a weight, or an element of the cache
	score   llm.Score
	seconds float64 // to quantize and to evaluate
}

// measure quantizes and evaluates. c is the calibration with the float32 model.
func (v variant) measure(m *llm.Model, e *llm.Evaluator, c *llm.Calibration) (row, error) {
	start := time.Now()
	r := row{variant: v, bits: 32}
	var (
		kv  llm.KV
		err error
	)
	switch {
	case v.float:
		if v.stored > 0 {
			r.bits = v.stored
		}
	case v.packed:
		r.bits = m.BitsPerWeight()
	case v.cache:
		kv = llm.KV{Quantize: true, Type: v.typ, GroupSize: v.group}
		if r.bits, err = kv.Bits(&m.Config); err != nil {
			return r, err
		}
	case v.baseline:
		if m, r.bits, err = baselines[v.name].replace(m, v.group); err != nil {
			return r, err
		}
	default:
		// The kernel multiplies packed weights by integers. With float32 activations
		// its sums equal those of unpacked weights except for rounding.
		if m, err = c.Quantize(v.recipe()); err != nil {
			return r, err
		}
		r.bits = m.BitsPerWeight()
	}
	r.score, err = e.Score(m, kv)
	r.seconds = time.Since(start).Seconds()
	if v.name == floatRow {
		r.seconds += e.Took().Seconds()
	}
	return r, err
}
