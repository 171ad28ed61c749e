package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/bitmod-go/bitmod/internal/atomicfile"
	"github.com/bitmod-go/bitmod/quant"
)

// RunOptions say how a plan is run.
type RunOptions struct {
	// Part is the part of the plan to do, from 0 to Options.Parts − 1.
	Part int
	// Overwrite replaces files that were made with other settings or of other
	// weights, which are otherwise an error.
	Overwrite bool
	// Measure compares every weight with the original, which takes about half
	// as long as quantizing.
	Measure bool
	// Progress, if not nil, is called after every block of rows.
	Progress func(Progress)

	create atomicfile.Creator // nil: atomicfile.Create
}

// Progress is how far a run is.
type Progress struct {
	Tensor string // being worked on
	Done   int64  // bytes of the source, of Total
	Total  int64
}

// A Result is what a run has done.
type Result struct {
	// Items are those of the part, in the order of the plan.
	Items []ItemResult
	// Written and Resumed are the paths of the files that were written, and that
	// were found finished.
	Written, Resumed []string
	// Index is the path of the index if one was written.
	Index string
}

// An ItemResult is an Item with what is known of it afterwards.
type ItemResult struct {
	Item
	// Stats has only zeros for tensors that are not quantized, and without
	// Measure for those of resumed files.
	Stats Stats
}

// Run does a part of the plan and writes it to dst: a file if its name ends in
// ".safetensors", else a directory, which is made if needed. A plan of one part
// that has several files also gets its index; the parts of others are put
// together with [Merge].
//
// Memory is some 10 MB for each worker, whatever the size of the checkpoint, or
// more if a row of a tensor has more than 2^18 weights.
//
// Files are written under a temporary name in the same directory, synced, and
// renamed, one after the other, so that at any moment those with their final
// names are whole. After an error, or once ctx is done, the temporary file is
// gone; a killed process leaves it, and the next run removes it. A file that is
// there already and is one of this plan, with the right checksums, is not done
// again; if it is of another, the error matches [ErrExists]. Errors carry the
// tensor or the file.
func (p *Plan) Run(ctx context.Context, dst string, o RunOptions) (*Result, error) {
	if o.Part < 0 || o.Part >= p.options.Parts {
		return nil, fmt.Errorf("checkpoint: %w: part %d of %d", quant.ErrShape, o.Part, p.options.Parts)
	}
	if isFile(dst) && len(p.parts) > 1 {
		return nil, fmt.Errorf("checkpoint: %w: %s is one file, but the plan has %d", quant.ErrShape, dst, len(p.parts))
	}
	dir := dst
	if isFile(dst) {
		dir = filepath.Dir(dst)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if o.create == nil {
		o.create = atomicfile.Create
	}
	r := &runner{plan: p, o: o, dst: dst, total: p.PartBytes(o.Part)}
	finished, err := r.resume(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.run(ctx, finished); err != nil {
		return nil, err
	}
	if err := r.addResumed(ctx, finished); err != nil {
		return nil, err
	}
	if len(p.parts) > 1 && p.options.Parts == 1 {
		if r.result.Index, err = writeIndex(o.create, dst, append(r.result.Resumed, r.result.Written...)); err != nil {
			return nil, err
		}
	}
	return &r.result, nil
}

// Measure does what [Plan.Run] does with the options' Measure, but writes
// nothing.
func (p *Plan) Measure(ctx context.Context, progress func(Progress)) (*Result, error) {
	r := &runner{plan: p, o: RunOptions{Measure: true, Progress: progress}, dry: true, total: p.PartBytes(allParts)}
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

	open    *shard     // being written
	pending chan error // of the commit of the one before; nil if there is none
	done    int64      // bytes of the source, of total
	total   int64
}

// A step is what goes through the pipeline: a span to quantize, a tensor to
// copy, or the end of a file.
type step struct {
	span
	shard int
	kind  stepKind
}

type stepKind uint8

const (
	quantizeRows stepKind = iota
	copyWhole
	beginShard
	endShard
)

// run does the shards of the part that are not finished.
func (r *runner) run(ctx context.Context, finished map[int]bool) error {
	p := r.plan
	err := ordered(ctx, p.options.Workers,
		func(ctx context.Context, yield func(step) bool) error { return r.steps(ctx, finished, yield) },
		func() func(context.Context, step) (block, error) {
			q := &quantizer{source: p.source, measure: r.o.Measure, search: p.options.Search}
			return func(_ context.Context, s step) (block, error) {
				if s.kind != quantizeRows {
					return block{}, nil
				}
				return q.quantize(s.span)
			}
		},
		func(s step, b block) error { return r.consume(ctx, s, b) })
	if r.open != nil { // after an error
		r.open.abort()
		r.open = nil
	}
	if e := r.wait(); err == nil {
		err = e
	}
	return err
}

// steps yields what there is to do, in the order of the files.
func (r *runner) steps(ctx context.Context, finished map[int]bool, yield func(step) bool) error {
	p := r.plan
	current := -1
	for i := range p.items {
		it := &p.items[i]
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
		if !it.quantize() {
			if !yield(step{kind: copyWhole, span: span{it: it}}) {
				return nil
			}
			continue
		}
		var amax float64
		if needsMax(it.To.Type) {
			var err error
			if amax, err = maxAbs(ctx, p.source, it, p.options.Workers); err != nil {
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
		return r.end()
	}
	if s.kind == copyWhole || s.lo == 0 {
		r.result.Items = append(r.result.Items, ItemResult{Item: *s.it})
	}
	bytes := s.it.From.Bytes
	if s.kind == copyWhole {
		if !r.dry {
			if err := r.open.copyTensor(ctx, s.it.From, r.plan.source.dataOf(s.it.From)); err != nil {
				return err
			}
		}
	} else {
		rows := int64(s.it.To.Rows())
		bytes = bytes*int64(s.hi)/rows - bytes*int64(s.lo)/rows
		r.result.Items[len(r.result.Items)-1].Stats.Add(b.stats)
		if !r.dry {
			if err := r.open.writeBlock(s.it.To.Name, b.m, b.first); err != nil {
				return err
			}
		}
	}
	r.progress(s.it.From.Name, bytes)
	return nil
}

func (r *runner) progress(tensor string, bytes int64) {
	r.done += bytes
	if r.o.Progress == nil {
		return
	}
	r.o.Progress(Progress{Tensor: tensor, Done: r.done, Total: r.total})
}

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
	return err
}

// end commits the file on another goroutine, because syncing takes long enough
// for the workers to run dry.
func (r *runner) end() error {
	if r.dry {
		return nil
	}
	if err := r.wait(); err != nil {
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

// shardLabel is the place of a file in the whole.
func (p *Plan) shardLabel(i int) string { return fmt.Sprintf("%d of %d", i+1, len(p.parts)) }

// carried returns the metadata of the source that goes to a file. That of GGUF
// has a tokenizer, of which one copy is enough.
func (p *Plan) carried(shard int) map[string]string {
	m := p.source.Metadata()
	maps.DeleteFunc(m, func(k, _ string) bool {
		return strings.HasPrefix(k, keyPrefix) || shard > 0 && strings.HasPrefix(k, "gguf.")
	})
	return m
}

// resume looks for files of the part that are finished.
func (r *runner) resume(ctx context.Context) (map[int]bool, error) {
	p := r.plan
	finished := make(map[int]bool)
	for i, part := range p.parts {
		if part != r.o.Part {
			continue
		}
		path := p.file(r.dst, i)
		ok, err := p.finished(ctx, path, i, r.o.Overwrite)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		finished[i] = true
		r.result.Resumed = append(r.result.Resumed, path)
		var bytes int64
		for _, it := range p.items {
			if it.Shard == i {
				bytes += it.From.Bytes
			}
		}
		r.progress(path, bytes)
	}
	return finished, nil
}

// finished reports whether the file at path is this plan's, and whole.
func (p *Plan) finished(ctx context.Context, path string, shard int, overwrite bool) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	c, err := Open(path)
	if err == nil {
		defer c.Close()
		if h := c.headers; len(h) == 1 && h[0].plan == p.id && h[0].shard == p.shardLabel(shard) {
			err := c.checkSums(ctx, nil)
			if errors.Is(err, ErrChecksum) {
				return false, nil // damaged since: do it again
			}
			return err == nil, err
		}
		err = errors.New("made with other settings or of other weights")
	}
	if overwrite {
		return false, nil
	}
	return false, fmt.Errorf("checkpoint: %s: %w: %v", path, ErrExists, err)
}

// addResumed adds the tensors of files that were finished before to the result,
// and measures them if that was asked for.
func (r *runner) addResumed(ctx context.Context, finished map[int]bool) error {
	if len(finished) == 0 {
		return nil
	}
	var all []ItemResult
	written := r.result.Items
	var c *Checkpoint
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for _, it := range r.plan.items {
		switch {
		case r.plan.parts[it.Shard] != r.o.Part:
		case !finished[it.Shard]:
			all = append(all, written[0])
			written = written[1:]
		case !it.quantize() || !r.o.Measure:
			all = append(all, ItemResult{Item: it})
		default:
			path := r.plan.file(r.dst, it.Shard)
			if c == nil || c.path != path {
				if c != nil {
					c.Close()
				}
				var err error
				if c, err = Open(path); err != nil {
					return err
				}
			}
			s, err := compare(ctx, c, r.plan.source, it.To, r.plan.options.Workers)
			if err != nil {
				return err
			}
			all = append(all, ItemResult{it, s})
		}
	}
	r.result.Items = all
	return nil
}
