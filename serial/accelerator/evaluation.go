package accelerator

// A Result has the cost of one model on one design.
type Result struct {
	Design         Design
	Discriminative *Report
	Generative     *Report // of one token
}

// Cycles returns the cycles of the paper's task: the discriminative pass and, if
// generate is set, 20 tokens one by one after it. It is 0 without the reports.
func (r Result) Cycles(generate bool) int64 {
	if r.Discriminative == nil || r.Generative == nil {
		return 0
	}
	n := r.Discriminative.Cycles
	if generate {
		n += generatedTokens * r.Generative.Cycles
	}
	return n
}

// Energy returns the energy of the same task as Cycles.
func (r Result) Energy(generate bool) Energy {
	if r.Discriminative == nil || r.Generative == nil {
		return Energy{}
	}
	e := r.Discriminative.Energy
	if generate {
		e = e.plus(r.Generative.Energy, generatedTokens)
	}
	return e
}

// An Evaluation is the comparison of the paper's section V-C: every design of
// [Designs] on every model.
type Evaluation struct {
	Models  []Model
	Results [][]Result // by model, then in the order of Designs
}

// Evaluate simulates the five designs on the models in the paper's tasks. With [Models]
// it gives the paper's figures. It takes well under a millisecond a model. Errors are
// those of [Simulate].
func Evaluate(models []Model, s System) (*Evaluation, error) {
	e := &Evaluation{Models: models}
	for _, m := range models {
		var rs []Result
		for _, d := range Designs(m.Name) {
			disc, err := Simulate(d, m, Discriminative(), s)
			if err != nil {
				return nil, err
			}
			gen, err := Simulate(d, m, Generative(), s)
			if err != nil {
				return nil, err
			}
			rs = append(rs, Result{d, disc, gen})
		}
		e.Results = append(e.Results, rs)
	}
	return e, nil
}

// A Comparison has factors by which BitMoD is better than another design: arithmetic
// means over the models, and the mean of the two tasks.
type Comparison struct {
	Discriminative, Generative, Overall float64
}

// comparedWith returns the setting of BitMoD that the paper compares with a design:
// lossless with FP16, lossy with the others.
func comparedWith(design string) string {
	if design == "fp16" {
		return "bitmod_lossless"
	}
	return "bitmod_lossy"
}

// Speedup returns the speedup of BitMoD over a design, "fp16", "ant" or "olive". The
// lossless setting is compared with fp16, and the lossy one with the others. The speedup
// is zero if there is no such design.
func (e *Evaluation) Speedup(over string) Comparison {
	return e.compare(over, func(r Result, generate bool) float64 { return float64(r.Cycles(generate)) })
}

func (e *Evaluation) compare(over string, cost func(r Result, generate bool) float64) Comparison {
	var c Comparison
	if e == nil {
		return c
	}
	for _, rs := range e.Results {
		for _, base := range rs {
			for _, r := range rs {
				if base.Design.Name == over && r.Design.Name == comparedWith(over) {
					c.Discriminative += cost(base, false) / cost(r, false) / float64(len(e.Results))
					c.Generative += cost(base, true) / cost(r, true) / float64(len(e.Results))
				}
			}
		}
	}
	c.Overall = (c.Discriminative + c.Generative) / 2
	return c
}

// Relative returns the cycles and the energy of a design relative to fp16, as means
// over the models: the bars of the paper's figures 7 and 8. It is zero if there is no
// such design.
func (e *Evaluation) Relative(design string, generate bool) (cycles, energy float64) {
	if e == nil {
		return 0, 0
	}
	for _, rs := range e.Results {
		for _, r := range rs {
			if r.Design.Name == design {
				base := rs[0] // Designs starts with fp16
				cycles += float64(r.Cycles(generate)) / float64(base.Cycles(generate)) / float64(len(e.Results))
				energy += r.Energy(generate).Total() / base.Energy(generate).Total() / float64(len(e.Results))
			}
		}
	}
	return cycles, energy
}
