package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// Other programs store a quantized weight as several tensors. A form is one way
// to do that: this package reads some forms as the one weight that they stand
// for (form_fp8.go, form_mxfp4.go), and knows others by name, to refuse them
// (form_refused.go). Open recognizes forms once all files are open, because the
// tensors of one weight may be in different files.

// An unreadable is a weight in a form that cannot be read.
type unreadable struct {
	form    string   // its name for people, "" if only the configuration tells
	first   string   // the name of one of its tensors
	members []string // names of its tensors
	err     error    // the error in its tensors, if the form can be read
}

// A recognizer looks for forms among the stored tensors of a checkpoint.
type recognizer struct {
	c      *Checkpoint
	config quantization
	// taken marks the tensors that belong to a form, in the order of c.tensors.
	taken   []bool
	replace map[int]stored // logical tensors, in the place of their first
	drop    map[int]bool   // parts of logical tensors
	found   []unreadable
	leftOut map[string]string
	byLeaf  map[string][]int // the tensors whose names end in a leaf
	// scaleLeaves has the leaves of each module with names of scales, sorted.
	scaleLeaves map[string][]string
}

// A stored is a tensor with its data.
type stored struct {
	Tensor
	data data
}

// recognize replaces the stored tensors of readable forms by the weights that they
// stand for, and records the others. Results of this package have no such forms.
func (c *Checkpoint) recognize() {
	for _, h := range c.headers {
		if h.tensors != nil {
			return
		}
	}
	r := &recognizer{
		c: c, config: readQuantization(c.companions), taken: make([]bool, len(c.tensors)),
		replace: make(map[int]stored), drop: make(map[int]bool), leftOut: make(map[string]string),
	}
	r.byLeaf = make(map[string][]int)
	for i, t := range c.tensors {
		_, leaf := splitLeaf(t.Name)
		r.byLeaf[leaf] = append(r.byLeaf[leaf], i)
	}
	for _, f := range refusedForms {
		r.refuse(f)
	}
	r.mxfp4()
	r.fp8()
	r.integers()
	r.leaveOutCaches()
	c.unreadable = r.found
	c.foreign = r.config
	for _, u := range r.found {
		// The stored numbers are not the weights.
		c.tensors[c.byName[u.first]].Float = false
	}
	if len(r.replace)+len(r.drop) > 0 {
		c.rebuild(r)
	}
	c.leftOut = r.leftOut
}

// become replaces stored tensors by a logical one, in the place of the first.
func (r *recognizer) become(s stored, parts ...int) {
	for _, i := range parts {
		r.taken[i] = true
		r.drop[i] = true
	}
	r.replace[slices.Min(parts)] = s
}

// bad records an error in a tensor of a readable form.
func (r *recognizer) bad(i int, partners []string, format string, args ...any) {
	t := r.c.tensors[i]
	r.taken[i] = true
	u := unreadable{first: t.Name, members: []string{t.Name}, err: badTensor(t.Name, format, args...)}
	for _, name := range partners {
		r.take(&u, name)
	}
	r.found = append(r.found, u)
}

// leaveOut drops a tensor, if it is there.
func (r *recognizer) leaveOut(name, reason string) {
	if i, ok := r.find(name); ok {
		r.taken[i] = true
		r.drop[i] = true
		r.leftOut[name] = reason
	}
}

// LeftOut returns the stored tensors that Tensors leaves out, by name, with the reason:
// they are not part of the model but of a way to run it, such as scales of activations.
func (c *Checkpoint) LeftOut() map[string]string {
	if c == nil {
		return nil
	}
	return maps.Clone(c.leftOut)
}

// rebuild replaces stored tensors by logical ones.
func (c *Checkpoint) rebuild(r *recognizer) {
	tensors, datas := c.tensors, c.data
	c.tensors, c.data = nil, nil
	clear(c.byName)
	for i, t := range tensors {
		d := datas[i]
		if s, ok := r.replace[i]; ok {
			t, d = s.Tensor, s.data
		} else if r.drop[i] {
			continue
		}
		c.byName[t.Name] = len(c.tensors)
		c.tensors = append(c.tensors, t)
		c.data = append(c.data, d)
	}
}

// find returns the index of a tensor that belongs to no form yet.
func (r *recognizer) find(name string) (int, bool) {
	i, ok := r.c.byName[name]
	return i, ok && !r.taken[i]
}

// child returns the name of a leaf of a module. The outermost module is "".
func child(module, leaf string) string {
	if module == "" {
		return leaf
	}
	return module + "." + leaf
}

// cutLeaf returns the module that the tensor called name is a leaf of.
func cutLeaf(name, leaf string) (module string, ok bool) {
	if name == leaf {
		return "", true
	}
	module, ok = strings.CutSuffix(name, leaf)
	if !ok || !strings.HasSuffix(module, ".") {
		return "", false
	}
	return module[:len(module)-1], true
}

// splitLeaf returns the module and the leaf of a name.
func splitLeaf(name string) (module, leaf string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// A formError is the error for weights in a form that cannot be read.
type formError struct{ text string }

func (e *formError) Error() string { return "checkpoint: " + e.text }

// Unwrap returns ErrUnsupported.
func (e *formError) Unwrap() error { return ErrUnsupported }

const useOriginal = "use the unquantized original that it was made from"

// Readable returns nil if all weights are in forms that can be read. Otherwise the
// error has one line for each other form, such as GPTQ, which matches [ErrUnsupported],
// and one for each weight with wrong scales, which matches [quant.ErrFormat]. [NewPlan]
// and [Dequantize] return it. A program that runs a model should call it, for a better
// error than an error about the first missing tensor.
func (c *Checkpoint) Readable() error {
	if c == nil {
		return errNilCheckpoint
	}
	if len(c.unreadable) == 0 && !c.foreign.refused() {
		return nil
	}
	type kind struct {
		name           string
		first          unreadable
		count, tensors int
	}
	var kinds []*kind
	byName := make(map[string]*kind)
	for _, u := range c.unreadable {
		name := u.form
		if c.foreign.refused() {
			name = c.foreign.form // the configuration knows better
		}
		if u.err != nil {
			name = ""
		}
		k := byName[name]
		if k == nil {
			k = &kind{name: name, first: u}
			byName[name] = k
			kinds = append(kinds, k)
		}
		k.count++
		k.tensors += len(u.members)
	}
	var errs []error
	if c.foreign.refused() && byName[c.foreign.form] == nil {
		errs = append(errs, &formError{fmt.Sprintf("weights in the form %s, as %s says, are not supported: %s", c.foreign.form, c.foreign.where, useOriginal)})
	}
	for _, k := range kinds {
		if k.name == "" {
			errs = append(errs, k.first.err)
			if k.count > 1 {
				errs = append(errs, &formError{fmt.Sprintf("%d other weights can't be read either", k.count-1)})
			}
			continue
		}
		says := ""
		if c.foreign.refused() {
			says = ", as " + c.foreign.where + " says,"
		}
		errs = append(errs, &formError{fmt.Sprintf("weights in the form %s%s are not supported (%d of %d tensors, the first %s): %s",
			k.name, says, k.count, k.tensors, badfile.Quote(k.first.first), useOriginal)})
	}
	return joinLines(errs)
}

// whyNot returns the reason why a tensor cannot be read.
func (c *Checkpoint) whyNot(t Tensor) error {
	for _, u := range c.unreadable {
		switch {
		case u.first != t.Name:
		case u.err != nil:
			return fmt.Errorf("%w: %w", ErrUnsupported, u.err)
		default:
			return fmt.Errorf("the form %s %w", u.form, ErrUnsupported)
		}
	}
	return fmt.Errorf("%s %w", t.DType, ErrUnsupported)
}
