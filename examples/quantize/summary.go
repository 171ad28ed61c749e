package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/examples/internal/cli"
	"github.com/bitmod-go/bitmod/quant/checkpoint"
)

// A keptKind has the tensors of one kind that are kept for one reason.
type keptKind struct {
	noun   string // of one, with its plural
	plural string
	dtype  string // how it is stored
	reason string // "" if the noun says it
	count  int
	bytes  int64 // in the result
	first  checkpoint.Item
}

// nouns are the names for tensors of a role.
var nouns = map[checkpoint.Role][2]string{
	checkpoint.RoleLinear:    {"linear layer", "linear layers"},
	checkpoint.RoleEmbedding: {"embedding", "embeddings"},
	checkpoint.RoleHead:      {"output head", "output heads"},
	checkpoint.RoleRouter:    {"router", "routers"},
	checkpoint.RoleNorm:      {"norm", "norms"},
	checkpoint.RoleBias:      {"bias", "biases"},
	checkpoint.RoleTable:     {"table of positions or types", "tables of positions or types"},
}

// keptKinds groups the tensors that are kept by role, dtype and reason, those with the
// most bytes first. If skipped is set, it groups the skipped ones instead.
func keptKinds(items []checkpoint.Item, skipped bool) []keptKind {
	var ks []keptKind
	for _, it := range items {
		if it.To.Quantized || it.Skipped != skipped {
			continue
		}
		k := keptKind{noun: "tensor", plural: "tensors", dtype: storedAs(it), reason: it.Reason, first: it}
		if n, ok := nouns[it.From.Role]; ok {
			k.noun, k.plural = n[0], n[1]
			if k.reason == "a "+k.noun || k.reason == "an "+k.noun {
				k.reason = ""
			}
		}
		i := slices.IndexFunc(ks, func(o keptKind) bool {
			return o.noun == k.noun && o.reason == k.reason && (o.dtype == k.dtype || skipped)
		})
		if i < 0 {
			i = len(ks)
			ks = append(ks, k)
		}
		ks[i].count++
		ks[i].bytes += it.To.Bytes
	}
	slices.SortStableFunc(ks, func(a, b keptKind) int { return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(a.noun, b.noun)) })
	return ks
}

func (k keptKind) name() string { return plural(k.count, k.noun, k.plural) }

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// storedAs returns the dtype of a tensor that is kept, and the source's dtype if it
// differs.
func storedAs(it checkpoint.Item) string {
	name := func(dtype string) string {
		if n, ok := map[string]string{"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I64": "int64", "I32": "int32", "BOOL": "bool"}[dtype]; ok {
			return n
		}
		return show(dtype)
	}
	if it.From.DType == it.To.DType {
		return name(it.To.DType)
	}
	return name(it.From.DType) + " as " + name(it.To.DType)
}

// summary prints the effect of a plan: first the sums, then a line for each kind of
// tensors that is kept, and for each cause why some cannot be quantized.
func (o *options) summary(w io.Writer, source *checkpoint.Checkpoint, items []checkpoint.Item) error {
	sum := sums(items)
	if sum.quantized > 0 {
		fmt.Fprintf(w, "%s quantized%s: %s to %s, %.3f bits a weight\n", plural(sum.quantized, "tensor", "tensors"), typesOf(items),
			cli.Size(sum.quantizedFrom), cli.Size(sum.quantizedTo), 8*float64(sum.quantizedTo)/float64(sum.weights))
	}
	fmt.Fprintf(w, "%s in all: %s to %s\n", plural(len(items), "tensor", "tensors"), cli.Size(sum.from), cli.Size(sum.to))
	for _, k := range keptKinds(items, false) {
		share, why := "", k.reason
		if percent := 100 * float64(k.bytes) / float64(max(sum.to, 1)); percent >= 5 {
			share = fmt.Sprintf(", %.0f %% of the result", percent)
			if why == "" {
				var err error
				if why, err = o.hint(source, items, k); err != nil {
					return err
				}
			}
		}
		if why != "" {
			why = ": " + why
		}
		fmt.Fprintf(w, "kept %s (%s, %s%s)%s\n", k.name(), k.dtype, cli.Size(k.bytes), share, why)
	}
	for _, k := range keptKinds(items, true) {
		what := k.name()
		if k.count == 1 {
			what = show(k.first.From.Name)
		} else {
			what += ", the first " + show(k.first.From.Name)
		}
		fmt.Fprintf(w, "SKIPPED %s (%s %v): %s\n", what, show(k.first.From.DType), k.first.From.Shape, k.reason)
	}
	return nil
}

// typesOf lists the types of the quantized tensors, with the number of tensors if there
// are several.
func typesOf(items []checkpoint.Item) string {
	var names []string
	counts := make(map[string]int)
	for _, it := range items {
		if it.To.Quantized {
			name := fmt.Sprintf("to %s in groups of %d", it.To.DType, it.To.GroupSize)
			if it.To.Parts != nil {
				name = "with rows of several types"
			}
			if counts[name]++; counts[name] == 1 {
				names = append(names, name)
			}
		}
	}
	if len(names) == 1 {
		return " " + names[0]
	}
	s := ""
	for _, n := range names {
		s += fmt.Sprintf(", %d %s", counts[n], n)
	}
	return s
}

// hint returns a phrase with the flag that would quantize tensors of a kind, and their
// size then.
func (o *options) hint(source *checkpoint.Checkpoint, items []checkpoint.Item, k keptKind) (string, error) {
	var hints []string
	flag := map[checkpoint.Role]string{checkpoint.RoleEmbedding: "embeddings", checkpoint.RoleHead: "head"}[k.first.From.Role]
	if flag != "" {
		other := *o
		other.rules.Types = append(slices.Clip(o.rules.Types), checkpoint.TypeRule{Pattern: flag, Type: o.config.Type, GroupSize: o.config.GroupSize})
		plan, err := checkpoint.NewPlan(source, other.planOptions())
		if err != nil {
			return "", err
		}
		var bytes int64
		for i, it := range plan.Items() {
			if it.From.Role == k.first.From.Role && !items[i].To.Quantized && storedAs(items[i]) == k.dtype {
				bytes += it.To.Bytes
			}
		}
		if bytes < k.bytes {
			hints = append(hints, fmt.Sprintf("%s with -%s %v", cli.Size(bytes), flag, o.config.Type))
		}
	}
	if wide := map[string]int64{"F64": 8, "F32": 4}[k.first.To.DType]; wide > 2 {
		hints = append(hints, fmt.Sprintf("%s with -kept bf16", cli.Size(k.bytes*2/wide)))
	}
	if len(hints) == 0 {
		return "", nil
	}
	it := "it"
	if k.count > 1 {
		it = "they"
	}
	return it + " would be " + strings.Join(hints, ", "), nil
}
