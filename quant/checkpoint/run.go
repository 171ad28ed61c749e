package checkpoint

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/quant"
)

// RunOptions are the options of a run.
type RunOptions struct {
	// Part is the part of the plan to do, from 0 to Options.Parts − 1.
	Part int
	// Overwrite replaces files that were made with other settings or of other weights.
	// Without it they are an error.
	Overwrite bool
	// Measure compares every weight with the original, which takes about half
	// as long as quantizing.
	Measure bool
	// Progress, if not nil, is called after every block of rows, by one goroutine
	// at a time.
	Progress func(Progress)

	create atomicfile.Creator // nil: atomicfile.Create
	remove func(path string) error
}

// A Result describes what a run has done.
type Result struct {
	// Items are the items of the part, in the order of the plan, with their Stats.
	// Stats are zero for tensors that are not quantized and, without Measure, for
	// tensors of resumed files.
	Items []Item
	// Written are the paths of the files that the run has written, and Resumed the paths
	// of the files that were finished before.
	Written, Resumed []string
	// Index is the path of the index if one was written.
	Index string
	// Times are the times that the stages took.
	Times Times
	// Companions are the files beside the weights of the source, copied or left
	// out, in the order of their names. Only part 0 has them.
	Companions []Companion
	// Others are the names of other files that were in the directory before. They are
	// left alone.
	Others []string
}

// Run does a part of the plan and writes it to dst. If the name of dst ends in
// ".safetensors", dst is a file. Otherwise it is a directory, which is made if needed. If
// the plan has one part and several files, Run also writes their index. If the plan has
// several parts, [Merge] puts them together. In a directory, part 0 also copies what
// belongs to the model beside its weights, as [CopyCompanions] says.
//
// Memory is some 10 MB for each worker, whatever the size of the checkpoint, or more if a
// row of a tensor has more than 2^18 weights. With a Calibrator, memory is a matrix in
// float32 and what the Calibrator takes.
//
// Files are written under a temporary name in the same directory, synced, and renamed,
// one after the other, so that at any moment the files with their final names are whole.
// After an error, or once ctx is done, the temporary file is removed. A killed process
// leaves it, and the next run removes it. Run does not repeat a file that is there
// already, if it is a file of this plan with the right checksums.
//
// Weights or an index of anything else, also under names that this plan does not have,
// are an error that matches [ErrExists], before anything is written. With Overwrite, they
// are replaced or removed, so that the directory ends with the weights of this run alone.
// If such a run is interrupted once its first file is there, [Open] refuses the directory
// until a run has ended. A directory or file of the source is never overwritten: it is an
// ErrExists in any case. Errors name the tensor or the file.
func (p *Plan) Run(ctx context.Context, dst string, o RunOptions) (*Result, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	if o.Part < 0 || o.Part >= p.options.Parts {
		return nil, fmt.Errorf("checkpoint: %w: part %d of %d", quant.ErrShape, o.Part, p.options.Parts)
	}
	if isFile(dst) && len(p.parts) > 1 {
		return nil, fmt.Errorf("checkpoint: %w: %s is one file, but the plan has %d", quant.ErrShape, dst, len(p.parts))
	}
	if o.create == nil {
		o.create = atomicfile.Create
	}
	if o.remove == nil {
		o.remove = os.Remove
	}
	out, err := p.lookAt(dst, o)
	if err != nil {
		return nil, err
	}
	companions := new(companions)
	if o.Part == 0 {
		if companions, err = p.source.companionsFor(ctx, dst, p.tensors()); err != nil {
			return nil, err
		}
		if err := companions.check(ctx, o.Overwrite); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(out.dir, 0o777); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	r := &runner{plan: p, o: o, dst: dst, out: out, companions: companions}
	r.meter = meter{report: o.Progress, total: p.work(o.Part)}
	finished, err := r.resume(ctx)
	if err != nil {
		return nil, err
	}
	r.result.Companions, r.result.Others = companions.list, out.othersThan(companions)
	if err := r.run(ctx, finished); err != nil {
		return nil, err
	}
	if err := r.addResumed(ctx, finished); err != nil {
		return nil, err
	}
	if err := r.appear(ctx); err != nil { // if nothing was to be written
		return nil, err
	}
	if err := out.clean(); err != nil {
		return nil, err
	}
	if p.plain {
		if err := companions.write(ctx, o.create); err != nil {
			return nil, err
		}
	}
	switch {
	case p.options.Parts > 1: // Merge does it
	case len(p.parts) > 1:
		r.result.Index, err = writeIndex(o.create, dst, append(r.result.Resumed, r.result.Written...))
	default:
		err = out.withoutIndex()
	}
	if err != nil {
		return nil, err
	}
	return &r.result, nil
}

// appear is called before the first file gets its name. Whenever there are quantized
// weights, config.json says so.
func (r *runner) appear(ctx context.Context) error {
	if r.appeared {
		return nil
	}
	r.appeared = true
	if err := r.out.begin(r.o.create); err != nil || r.plan.plain {
		return err
	}
	return r.companions.write(ctx, r.o.create)
}

// tensors returns the tensors of the result.
func (p *Plan) tensors() []Tensor {
	var ts []Tensor
	for _, it := range p.items {
		ts = append(ts, it.To)
	}
	return ts
}

// Measure is [Plan.Run] with the option Measure, but writes nothing.
func (p *Plan) Measure(ctx context.Context, progress func(Progress)) (*Result, error) {
	if err := p.usable(ctx); err != nil {
		return nil, err
	}
	r := &runner{plan: p, o: RunOptions{Measure: true}, dry: true}
	r.meter = meter{report: progress, total: p.work(allParts)}
	for part := range p.options.Parts {
		r.o.Part = part
		if err := r.run(ctx, nil); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

// A runner is one run of a plan.
type runner struct {
	plan   *Plan
	o      RunOptions
	dst    string
	dry    bool
	result Result
	meter  meter
	times  stopwatch

	out        *outDir
	companions *companions
	appeared   bool

	open    *shard     // being written
	pending chan error // of the commit of the one before; nil if there is none

	// For a Calibrator.
	weights  []float32   // of a matrix
	finished *Checkpoint // a file that was finished before
}

const allParts = -1

// work returns the bytes that the meter counts for a part.
func (p *Plan) work(part int) int64 {
	var n int64
	for i := range p.items {
		if it := &p.items[i]; part == allParts || p.parts[it.Shard] == part {
			n += it.work(p.options.Calibrator != nil)
		}
	}
	return n
}

// work returns the bytes that the meter counts for a tensor.
func (it *Item) work(calibrated bool) int64 {
	if it.quantize() && needsMax(it.To.Type) && !calibrated {
		return 2 * it.From.Bytes
	}
	return it.From.Bytes
}

// A step is a job of the pipeline: a span to quantize, a tensor to copy, or the end of
// a file.
type step struct {
	span
	shard int
	kind  stepKind
}

type stepKind uint8

const (
	quantizeRows stepKind = iota
	copyWhole
	convertRows
	calibrateWhole
	tellFinished
	beginShard
	endShard
)

// run does the shards of the part that are not finished.
func (r *runner) run(ctx context.Context, finished map[int]bool) error {
	p := r.plan
	err := ordered(ctx, p.options.Workers,
		func(ctx context.Context, yield func(step) bool) error { return r.steps(ctx, finished, yield) },
		func() func(context.Context, step) (block, error) {
			q := &quantizer{source: p.source, measure: r.o.Measure, search: p.options.Search, order: p.order, times: &r.times}
			c := &converter{source: p.source}
			return func(_ context.Context, s step) (b block, err error) {
				switch {
				case s.kind == quantizeRows:
					return q.quantize(s.span)
				case s.kind == convertRows && !r.dry:
					start := time.Now()
					b.converted, err = c.convert(s.span)
					r.times.lap(quantizing, start)
				}
				return b, err
			}
		},
		func(s step, b block) error { return r.consume(ctx, s, b) })
	r.closeFinished()
	if r.open != nil { // after an error
		r.open.abort()
		r.open = nil
	}
	if e := r.wait(); err == nil {
		err = e
	}
	r.result.Times = r.times.times()
	return err
}

// steps yields the steps in the order of the files.
func (r *runner) steps(ctx context.Context, finished map[int]bool, yield func(step) bool) error {
	p := r.plan
	current := -1
	calibrated := p.options.Calibrator != nil
	var last int // the last item that is to be calibrated
	for i := range p.items {
		if it := &p.items[i]; calibrated && it.quantize() && !finished[it.Shard] {
			last = i
		}
	}
	for i := range p.items {
		it := &p.items[i]
		if calibrated && finished[it.Shard] && it.quantize() && i < last {
			if !yield(step{kind: tellFinished, span: span{it: it}}) {
				return nil
			}
		}
		if p.parts[it.Shard] != r.o.Part || finished[it.Shard] {
			continue
		}
		if it.Shard != current {
			if current >= 0 && !yield(step{kind: endShard, shard: current}) {
				return nil
			}
			current = it.Shard
			if !yield(step{kind: beginShard, shard: current}) {
				return nil
			}
		}
		if it.converts() {
			if !spans(it, 0, func(s span) bool { return yield(step{kind: convertRows, span: s}) }) {
				return nil
			}
			continue
		}
		if !it.quantize() {
			if !yield(step{kind: copyWhole, span: span{it: it}}) {
				return nil
			}
			continue
		}
		if calibrated {
			if !yield(step{kind: calibrateWhole, span: span{it: it}}) {
				return nil
			}
			continue
		}
		var amax float64
		if needsMax(it.To.Type) {
			var err error
			if amax, err = maxAbs(ctx, p.source, it, p.options.Workers, &r.meter); err != nil {
				return err
			}
		}
		if !spans(it, amax, func(s span) bool { return yield(step{kind: quantizeRows, span: s}) }) {
			return nil
		}
	}
	if current >= 0 {
		yield(step{kind: endShard, shard: current})
	}
	return nil
}

// consume takes the results, in order.
func (r *runner) consume(ctx context.Context, s step, b block) error {
	switch s.kind {
	case beginShard:
		return r.begin(s.shard)
	case endShard:
		return r.end(ctx)
	case calibrateWhole:
		return tensorError(s.it.From.Name, r.calibrate(ctx, s.it))
	case tellFinished:
		return tensorError(s.it.From.Name, r.tell(ctx, s.it))
	case copyWhole:
		r.result.Items = append(r.result.Items, *s.it)
		if r.dry {
			r.meter.add(s.it.From.Name, s.it.From.Bytes)
			return nil
		}
		return r.open.copyTensor(ctx, s.it.To, s.it.From, r.plan.source.dataOf(s.it.From), &r.meter)
	}
	if s.lo == 0 {
		r.result.Items = append(r.result.Items, *s.it)
	}
	if s.kind == quantizeRows {
		r.result.Items[len(r.result.Items)-1].Stats.Add(b.stats)
	}
	switch {
	case r.dry:
	case s.kind == convertRows:
		if err := r.open.write(s.it.To.Name, b.converted); err != nil {
			return err
		}
	default:
		if err := r.write(s.it, b.m, b.first); err != nil {
			return err
		}
	}
	r.meter.add(s.it.From.Name, share(s.it.From.Bytes, s.it.To.Rows(), s.lo, s.hi))
	return nil
}

// write appends the rows of m from first on to a quantized tensor.
func (r *runner) write(it *Item, m *quant.Matrix, first int) error {
	if it.To.Parts != nil {
		return r.open.writeRows(it.To.Name, m, it.To.Parts)
	}
	return r.open.writeBlock(it.To.Name, m, first)
}

// order returns the part of each row of a tensor with rows of several types.
func (p *Plan) order(it *Item) ([]uint8, error) { return p.options.Mixed[it.To.Name].Order, nil }

// begin starts a file.
func (r *runner) begin(i int) error {
	if r.dry {
		return nil
	}
	p := r.plan
	var tensors []Tensor
	for _, it := range p.items {
		if it.Shard == i {
			tensors = append(tensors, it.To)
		}
	}
	h := header{settings: p.settings, plan: p.id, shard: p.shardLabel(i)}
	var err error
	r.open, err = createShard(r.o.create, p.file(r.dst, i), tensors, h, p.carried(i))
	if err == nil {
		r.open.times = &r.times
	}
	return err
}

// end commits the file on another goroutine, because syncing takes long enough
// for the workers to run dry.
func (r *runner) end(ctx context.Context) error {
	if r.dry {
		return nil
	}
	if err := r.wait(); err != nil {
		return err
	}
	if err := r.appear(ctx); err != nil {
		return err
	}
	s := r.open
	r.open = nil
	r.result.Written = append(r.result.Written, s.path)
	r.pending = make(chan error, 1)
	go func() { r.pending <- s.commit() }()
	return nil
}

// wait waits for the commit that is under way.
func (r *runner) wait() error {
	if r.pending == nil {
		return nil
	}
	err := <-r.pending
	r.pending = nil
	return err
}

// shardLabel returns the number of a file among all files.
func (p *Plan) shardLabel(i int) string { return fmt.Sprintf("%d of %d", i+1, len(p.parts)) }

// maxCarried is the largest length of a value of a GGUF file that goes to a result, so
// that the name of a license does and its text does not.
const maxCarried = 256

// carried returns the metadata of the source that goes to a file. That is all metadata,
// unless companions describe the model of a GGUF file. Then it is the name, the license
// and the like, and the tokenizer only if no companion has it. A tokenizer goes to one
// file only.
func (p *Plan) carried(shard int) map[string]string {
	m := p.source.Metadata()
	_, err := fs.Stat(p.source.Companions(), "tokenizer.json")
	maps.DeleteFunc(m, func(k, v string) bool {
		of, fromGGUF := strings.CutPrefix(k, "gguf.")
		switch {
		case !fromGGUF:
			return strings.HasPrefix(k, keyPrefix)
		case p.source.described && strings.HasPrefix(of, "tokenizer."):
			return err == nil || shard > 0
		case p.source.described:
			return !strings.HasPrefix(of, "general.") || len(v) > maxCarried
		}
		return shard > 0
	})
	if p.plain {
		plainMetadata(m)
	}
	return m
}
