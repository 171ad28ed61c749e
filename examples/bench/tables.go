package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// gemv returns the table of examples/gemv, with the assembly and without.
func gemv(r *runner) (string, error) {
	var of [2]gemvResult
	for i, tags := range []string{"", "purego"} {
		command := []string{"go", "run", "./examples/gemv", "-json"}
		if tags != "" {
			command = []string{"go", "run", "-tags", tags, "./examples/gemv", "-json", "-batch=false"}
		}
		if r.quick {
			command = append(command, "-rounds", "1", "-rows", "512", "-cols", "1024", "-memory", "1000000")
		} else {
			command = append(command, "-rounds", "15")
		}
		out, err := r.output(nil, command...)
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(out, &of[i]); err != nil {
			return "", fmt.Errorf("the output of examples/gemv: %w", err)
		}
	}
	g := grid{{"", "Gweights/s", "against gonum's float32 (min, median, max)", "of the speed of reading"}}
	for _, row := range []struct {
		label, name, against, reading string
		portable                      int
	}{
		{"`bitmod4`, 8-bit activations", "bitmod4", "gonum", "read bitmod4", 0},
		{"`bitmod3`, 8-bit activations", "bitmod3", "gonum", "read bitmod3", 0},
		{"`bitmod4`, float32 activations", "bitmod4 float", "gonum", "read bitmod4", 0},
		{"`bitmod3`, float32 activations", "bitmod3 float", "gonum", "read bitmod3", 0},
		{"`bitmod4`, 2 goroutines in a `Pool`", "bitmod4 ×2", "", "read bitmod4 ×2", 0},
		{"`bitmod3`, 2 goroutines in a `Pool`", "bitmod3 ×2", "", "read bitmod3 ×2", 0},
		{"`bitmod4` from the cache", "bitmod4 cached", "", "", 0},
		{"`bitmod3` from the cache", "bitmod3 cached", "", "", 0},
		{"`bitmod4`, 512 × 2048 from the cache", "small", "", "", 0},
		{"the same, 2 goroutines", "small ×2", "", "", 0},
		{"`bitmod4`, GEMM of 32 tokens", "bitmod4 GEMM 32", "gonum GEMM 32", "", 0},
		{"`bitmod4`, GEMM of 512 tokens", "bitmod4 GEMM 512", "gonum GEMM 512", "", 0},
		{"`bitmod4`, portable Go, 8-bit activations", "bitmod4", "gonum", "read bitmod4", 1},
		{"`bitmod3`, portable Go, 8-bit activations", "bitmod3", "gonum", "read bitmod3", 1},
		{"gonum `blas32.Gemv`, float32", "gonum", "", "", 0},
	} {
		res := of[row.portable]
		rate, err := res.rate(row.name)
		if err != nil {
			return "", err
		}
		cells := []string{row.label, significant(rate), "", ""}
		if row.against != "" {
			q, err := res.ratio(row.name, row.against)
			if err != nil {
				return "", err
			}
			cells[2] = fmt.Sprintf("%.1f, **%.1f**, %.1f", q.Min, q.Median, q.Max)
		}
		if row.reading != "" {
			q, err := res.ratio(row.name, row.reading)
			if err != nil {
				return "", err
			}
			cells[3] = fmt.Sprintf("%.0f %%", 100*q.Median)
		}
		g.add(cells...)
	}
	return g.String(), nil
}

// A gemvResult is a line of examples/gemv -json.
type gemvResult struct {
	Rates []struct {
		Name     string
		Gweights float64
	}
	Ratios []gemvRatio
}

type gemvRatio struct {
	Name, To         string
	Min, Median, Max float64
}

func (r gemvResult) rate(name string) (float64, error) {
	for _, x := range r.Rates {
		if x.Name == name {
			return x.Gweights, nil
		}
	}
	return 0, fmt.Errorf("examples/gemv measured no %q", name)
}

func (r gemvResult) ratio(name, to string) (gemvRatio, error) {
	for _, x := range r.Ratios {
		if x.Name == name && x.To == to {
			return x, nil
		}
	}
	return gemvRatio{}, fmt.Errorf("examples/gemv has no ratio of %q and %q", name, to)
}

// kernels returns the table of all implementations of this processor, one thread,
// weights from memory.
func kernels(r *runner) (string, error) {
	where := "group=128/shape=4096x4096/memory=dram"
	if r.quick {
		where = "group=128/shape=64x4096/memory=dram"
	}
	bs, err := r.bench("GEMV/type=bitmod[34]/"+where+"/x=/threads=1", "./kernel", "-count", "5")
	if err != nil {
		return "", err
	}
	var impls []string
	for _, name := range bs.names {
		_, impl, _ := strings.Cut(name, "/impl=")
		if strings.Contains(name, "type=bitmod4/") && strings.Contains(name, "/x=int8/") {
			impls = append(impls, impl)
		}
	}
	g := grid{{"Gweights/s", "`bitmod4`, 8-bit activations", "`bitmod3`, 8-bit", "`bitmod4`, float32", "`bitmod3`, float32"}}
	for _, impl := range impls {
		cells := []string{impl}
		for _, x := range []string{"int8", "float32"} {
			for _, typ := range []string{"bitmod4", "bitmod3"} {
				v, err := bs.median(fmt.Sprintf("BenchmarkGEMV/type=%s/%s/x=%s/threads=1/impl=%s", typ, where, x, impl), "weights/s")
				if err != nil {
					return "", err
				}
				cells = append(cells, significant(v/1e9))
			}
		}
		g.add(cells...)
	}
	return g.String(), nil
}

// types returns the table of types and group sizes, one thread, weights from the cache.
func types(r *runner) (string, error) {
	bs, err := r.bench("GEMV/type=/group=/shape=/memory=cached/x=/threads=1", "./kernel", "-count", "3", "-benchtime", "200ms")
	if err != nil {
		return "", err
	}
	var rows, impls []string
	for _, name := range bs.names {
		row, impl, _ := strings.Cut(name, "/impl=")
		row, _, _ = strings.Cut(row, "/x=")
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
		if !slices.Contains(impls, impl) {
			impls = append(impls, impl)
		}
	}
	slices.Reverse(impls) // the best first
	g := grid{{"Gweights/s, 8-bit and float32 activations"}}
	g[0] = append(g[0], impls...)
	for _, row := range rows {
		of := namedParts(row)
		cells := []string{fmt.Sprintf("`%s`, groups of %s, %s", of["type"], of["group"], strings.Replace(of["shape"], "x", " × ", 1))}
		for _, impl := range impls {
			var both []string
			for _, x := range []string{"int8", "float32"} {
				v, err := bs.median(fmt.Sprintf("%s/x=%s/threads=1/impl=%s", row, x, impl), "weights/s")
				if err != nil {
					return "", err
				}
				both = append(both, significant(v/1e9))
			}
			cells = append(cells, strings.Join(both, ", "))
		}
		g.add(cells...)
	}
	return g.String(), nil
}

// widths returns the table of types by the number of columns, one thread, weights from
// the cache.
func widths(r *runner) (string, error) {
	return crossed(r, "Widths", "cols", "weights/s", "Gweights/s, 8-bit and float32 activations, by columns",
		"-count", "3", "-benchtime", "50ms")
}

// batches returns the table of types by the number of activations, one thread.
func batches(r *runner) (string, error) {
	return crossed(r, "Batches", "batch", "products/s", "Gproducts/s, 8-bit and float32 activations, by their number",
		"-count", "1", "-benchtime", "100ms")
}

// crossed returns a table of a benchmark of package kernel whose names have parts of the
// form key=value. Its columns are the values of one key, and each cell has the medians of
// both kinds of activations.
func crossed(r *runner, benchmark, column, unit, title string, flags ...string) (string, error) {
	bs, err := r.bench(benchmark+"$", "./kernel", flags...)
	if err != nil {
		return "", err
	}
	var rows, columns []string
	cells := map[[3]string]float64{} // by row, column and activations
	for _, name := range bs.names {
		of := namedParts(name)
		row := fmt.Sprintf("`%s`, %s", of["type"], of["group"])
		if column != "cols" {
			row += fmt.Sprintf(", %s columns", of["cols"])
		}
		if !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
		if !slices.Contains(columns, of[column]) {
			columns = append(columns, of[column])
		}
		v, err := bs.median(name, unit)
		if err != nil {
			return "", err
		}
		cells[[3]string{row, of[column], of["x"]}] = v / 1e9
	}
	g := grid{append([]string{title}, columns...)}
	for _, row := range rows {
		line := []string{row}
		for _, c := range columns {
			line = append(line, fmt.Sprintf("%s, %s", significant(cells[[3]string{row, c, "int8"}]), significant(cells[[3]string{row, c, "float32"}])))
		}
		g.add(line...)
	}
	return g.String(), nil
}

// llama returns the table of tokens a second, of a large model with random weights and
// of the small one.
func llama(r *runner) (string, error) {
	type line struct {
		Weights          string
		Bytes            int
		Prompt, Generate float64
	}
	measure := func(flags ...string) ([]line, error) {
		out, err := r.output(nil, append([]string{"go", "run", "./examples/llama", "-speed", "-json"}, flags...)...)
		if err != nil {
			return nil, err
		}
		var lines []line
		if err := json.Unmarshal(out, &lines); err != nil {
			return nil, fmt.Errorf("the output of examples/llama: %w", err)
		}
		return lines, nil
	}
	small := []string{"-n", "64", "-rounds", "5"}
	large := []string{"-synthetic", "-n", "12", "-rounds", "2", "-promptlen", "64"}
	if r.quick {
		small = []string{"-n", "8", "-rounds", "1", "-promptlen", "8"}
		large = small
	}
	big, err := measure(large...)
	if err != nil {
		return "", err
	}
	little, err := measure(small...)
	if err != nil {
		return "", err
	}
	if len(big) != len(little) {
		return "", fmt.Errorf("examples/llama measured %d ways to keep weights, then %d", len(big), len(little))
	}
	g := grid{{"weights", "memory, GB", "prompt", "generate", "embedded model: prompt", "generate"}}
	for i, b := range big {
		l := little[i]
		g.add(b.Weights, fmt.Sprintf("%.2f", float64(b.Bytes)/1e9), significant(b.Prompt), significant(b.Generate),
			significant(l.Prompt), significant(l.Generate))
	}
	return g.String(), nil
}

// checkpoints returns the table of quantizing files to files.
func checkpoints(r *runner) (string, error) {
	size := "2200M"
	if r.quick {
		size = "20M"
	}
	out, err := r.output([]string{"QUANTIZE_LARGE=" + size},
		"go", "test", "-run", "LargeCheckpoint", "-v", "-count", "1", "-timeout", limit.String(), "./examples/quantize")
	if err != nil {
		return "", err
	}
	g := grid{{"bfloat16 to `bitmod4`", "min, median, max"}}
	for _, row := range []struct{ label, pattern string }{
		{"file to file, MB of bfloat16 a second", `streamed, MB/s of the source`},
		{"`quant.Group` from memory", `in memory, MB/s of the source`},
		{"the former in % of the latter", `ratio, %`},
		{"the same by processor time", `ratio of processor time, %`},
	} {
		m := regexp.MustCompile(regexp.QuoteMeta(row.pattern) + ` +min (\d+), median (\d+), max (\d+)`).FindSubmatch(out)
		if m == nil {
			return "", fmt.Errorf("the test did not print %q", row.pattern)
		}
		g.add(row.label, fmt.Sprintf("%s, **%s**, %s", m[1], m[2], m[3]))
	}
	peak := regexp.MustCompile(`peak memory (.+)`).FindSubmatch(out)
	if peak == nil {
		return "", fmt.Errorf("the test did not print the peak of memory")
	}
	g.add("peak of memory", string(peak[1]))
	bs, err := r.bench("Stages$", "./quant/checkpoint", "-count", "5")
	if err != nil {
		return "", err
	}
	stages := grid{{"one stage, 1 goroutine", "MB of bfloat16 a second"}}
	for _, name := range bs.names {
		_, stage, _ := strings.Cut(name, "/stage=")
		v, err := bs.median(name, "MB/s")
		if err != nil {
			return "", err
		}
		stages.add(strings.ReplaceAll(stage, "_", " "), significant(v))
	}
	return g.String() + "\n" + stages.String(), nil
}

// quantization returns the table of quant.Group beside the definition, and with
// options.
func quantization(r *runner) (string, error) {
	types := []string{"bitmod4", "bitmod3", "int4", "int4_asym"}
	bs, err := r.bench("Group/type=("+strings.Join(types, "|")+")$", "./quant", "-count", "5")
	if err != nil {
		return "", err
	}
	const unit = "Mweights/s"
	g := grid{{"million weights a second", "definition", "`quant.Group`, 1 goroutine", "all processors"}}
	for _, typ := range types {
		name := "BenchmarkGroup/type=" + typ
		definition, err := bs.median(name+"/impl=definition", unit)
		if err != nil {
			return "", err
		}
		cells := []string{"`" + typ + "`", significant(definition)}
		for _, workers := range []string{"1", "all"} {
			v, err := bs.median(name+"/impl=quant.Group/workers="+workers, unit)
			if err != nil {
				return "", err
			}
			cells = append(cells, fmt.Sprintf("%s (%s ×)", significant(v), significant(v/definition)))
		}
		g.add(cells...)
	}
	if bs, err = r.bench("Options/type=bitmod4$", "./quant", "-count", "5"); err != nil {
		return "", err
	}
	options := grid{{"`bitmod4`, 1 goroutine, rows of 1024", "million weights a second"}}
	for _, name := range bs.names {
		_, option, _ := strings.Cut(name, "/options=")
		v, err := bs.median(name, unit)
		if err != nil {
			return "", err
		}
		options.add(option, significant(v))
	}
	if bs, err = r.bench("ChannelScales/type=bitmod4$", "./quant", "-count", "5"); err != nil {
		return "", err
	}
	v, err := bs.median("BenchmarkChannelScales/type=bitmod4", unit)
	if err != nil {
		return "", err
	}
	options.add("`ChannelScales`", significant(v))
	if bs, err = r.bench("Feedback$/cols=2048", "./quant", "-count", "5"); err != nil {
		return "", err
	}
	if v, err = bs.median("BenchmarkFeedback/cols=2048", unit); err != nil {
		return "", err
	}
	options.add("feedback, rows of 2048", significant(v))
	all, err := r.bench("Reading$|GroupInputs$|GroupTypes$", "./quant", "-count", "3", "-benchtime", "200ms")
	if err != nil {
		return "", err
	}
	limit, err := all.median("BenchmarkReading", unit)
	if err != nil {
		return "", err
	}
	each := grid{{"256 × 4096", "million weights a second, 1 goroutine", "of reading the weights", "2 goroutines"}}
	for _, name := range all.names {
		_, what, ok := strings.Cut(name, "/type=")
		if !ok || strings.HasSuffix(name, "/workers=2") {
			continue
		}
		two := ""
		if of, ok := strings.CutSuffix(name, "/workers=1"); ok {
			v, err := all.median(of+"/workers=2", unit)
			if err != nil {
				return "", err
			}
			two, what = significant(v), strings.TrimSuffix(what, "/workers=1")
		}
		v, err := all.median(name, unit)
		if err != nil {
			return "", err
		}
		bytes := 4.
		switch _, weights, _ := strings.Cut(what, "/weights="); weights {
		case "float64":
			bytes = 8
		case "float16", "bfloat16":
			bytes = 2
		}
		each.add("`"+strings.Replace(what, "/weights=", "` from `", 1)+"`", significant(v), fmt.Sprintf("%.0f %%", 100*v*bytes/(4*limit)), two)
	}
	return g.String() + "\n" + options.String() + "\n" + each.String(), nil
}

// significant rounds to about two digits, which is more than the noise allows.
func significant(x float64) string {
	switch {
	case x < 1:
		return fmt.Sprintf("%.2f", x)
	case x < 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}
