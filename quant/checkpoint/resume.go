package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
)

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
		if _, err := os.Lstat(path); !ok && err == nil {
			r.out.replaces = r.out.replaces || !isFile(r.dst)
		}
		if !ok {
			continue
		}
		finished[i] = true
		r.result.Resumed = append(r.result.Resumed, path)
		var bytes int64
		for j := range p.items {
			if it := &p.items[j]; it.Shard == i {
				bytes += it.work(p.options.Calibrator != nil)
				if r.o.Measure && it.quantize() { // addResumed counts these bytes
					bytes -= it.From.Bytes
				}
			}
		}
		r.meter.add(path, bytes)
	}
	return finished, nil
}

// finished reports whether the file at path is a whole file of this plan.
func (p *Plan) finished(ctx context.Context, path string, shard int, overwrite bool) (bool, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	c, err := Open(path)
	if err == nil {
		defer c.Close()
		if h := c.headers; len(h) == 1 && h[0].plan == p.id && h[0].shard == p.shardLabel(shard) {
			err := c.checkSums(ctx, new(meter))
			if errors.Is(err, ErrChecksum) {
				return false, nil // damaged since: do it again
			}
			return err == nil, err
		}
		err = errors.New("it was made with other settings, or from other weights")
	}
	if overwrite {
		return false, nil
	}
	return false, fmt.Errorf("checkpoint: %s: %w: %v", path, ErrExists, err)
}

// addResumed adds the tensors of files that were finished before to the result, and
// measures them if o.Measure is set.
func (r *runner) addResumed(ctx context.Context, finished map[int]bool) error {
	if len(finished) == 0 {
		return nil
	}
	var all []Item
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
			all = append(all, it)
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
			s, _, err := compare(ctx, c, r.plan.source, it.To, r.plan.options.Workers, &r.meter, it.From.Bytes, false)
			if err != nil {
				return err
			}
			it.Stats = s
			all = append(all, it)
		}
	}
	r.result.Items = all
	return nil
}
