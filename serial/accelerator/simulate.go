package accelerator

import "math"

// A Report is the cost of a pass of a model on a design.
type Report struct {
	Cycles int64 // Σ over layers of the larger of compute and DRAM cycles
	Layers []Layer
	Energy Energy
}

// Energy is in pJ.
type Energy struct {
	PE, SRAMRead, SRAMWrite, DRAM float64
}

// Total returns the sum.
func (e Energy) Total() float64 { return e.onChip() + e.DRAM }

func (e Energy) onChip() float64 { return e.PE + e.SRAMRead + e.SRAMWrite }

func (e Energy) plus(f Energy, times float64) Energy {
	return Energy{
		e.PE + float64(times*f.PE), e.SRAMRead + float64(times*f.SRAMRead),
		e.SRAMWrite + float64(times*f.SRAMWrite), e.DRAM + float64(times*f.DRAM),
	}
}

// A Layer is the cost of one kind of layer. Everything but Count is for one of them.
type Layer struct {
	Name    string
	Count   int
	Out, In int // of the matrix that stays in the weight buffer
	Rows    int // of inputs and outputs
	MACs    float64

	Compute int64 // cycles of the array
	DRAM    int64 // cycles of the memory
	Traffic int64 // bytes between DRAM and the buffers

	WeightFetches, InputFetches int64 // 1, unless neither fits its buffer
}

// Cycles returns the larger of Compute and DRAM.
func (l Layer) Cycles() int64 { return max(l.Compute, l.DRAM) }

// Bound returns "compute" or "memory", whichever the layer waits for.
func (l Layer) Bound() string {
	if l.DRAM > l.Compute {
		return "memory"
	}
	return "compute"
}

// Simulate returns the cycles and the energy of a pass of m on d, exactly as the
// simulator of arXiv 2411.11745 computes them. A layer of an out × in matrix for a
// number of rows takes, in cycles, the larger of
//
//	compute  ⌈in/Lanes⌉ · ⌈out/array rows⌉ · ⌈rows/array columns⌉ · cycles a weight
//	DRAM     ⌊8 · (weights·fetches + inputs·fetches + outputs)/DRAMBits⌋
//
// If both the weights and the inputs exceed their buffers, one of them is fetched again
// for each bufferful of the other, whichever is less traffic. Simulate takes
// microseconds. The error wraps [ErrConfig].
func Simulate(d Design, m Model, t Task, s System) (*Report, error) {
	for _, err := range []error{m.check(), t.check(), d.check(t), s.check()} {
		if err != nil {
			return nil, err
		}
	}
	if float64(m.Heads)*float64(t.Tokens) > math.MaxInt32 || float64(m.Blocks)*float64(m.KVHeads) > math.MaxInt32 {
		return nil, &configError{"heads × tokens or heads × blocks", "too large", "less than 2^31"}
	}
	r := &Report{}
	a := d.array(t)
	act := float64(s.ActivationBits)
	weightBits, inputBits := d.sramBits(a, act)
	weightSRAM, inputSRAM := s.sram(weightBits), s.sram(inputBits)
	var cycles, compute, tiles, traffic float64
	for _, p := range m.products(t, s.PerHeadAttention) {
		l, work := d.layer(p, a, s)
		n := float64(p.count)
		cycles += n * max(work.compute, work.dram)
		compute += n * work.compute
		tiles += n * work.tiles
		traffic += n * work.traffic
		// Fetched data and outputs are written to the buffers 64 bits at a time. The
		// operands of attention count with the precision of weights here, as in the
		// reference.
		weightWrites := math.Ceil(float64(p.in)*a.WeightBits/64) * float64(p.out) * work.weightFetches
		inputWrites := (math.Ceil(float64(p.inputs)*act/64)*work.inputFetches + math.Ceil(float64(p.out)*act/64)) * float64(p.rows)
		r.Energy.SRAMWrite += float64(n * weightWrites * weightSRAM.Write64)
		r.Energy.SRAMWrite += float64(n * inputWrites * inputSRAM.Write64)
		r.Layers = append(r.Layers, l)
	}
	// The integers in float64 are exact up to here.
	if !(max(cycles, 8*traffic) < 1<<53) {
		return nil, &configError{"model and task", "too large", "fewer than 2^53 cycles and bits"}
	}
	r.Energy.DRAM = 8 * traffic * s.DRAMEnergy
	r.Cycles = int64(cycles)
	r.Energy.PE = compute * float64(a.Rows) * float64(a.Cols) * d.PEEnergy * s.PlaceAndRoute
	r.Energy.SRAMRead = tiles * (weightSRAM.Read + inputSRAM.Read)
	return r, nil
}

// work has the numbers of a layer in float64, which cannot overflow.
type work struct {
	tiles, compute, dram, traffic float64
	weightFetches, inputFetches   float64
}

func (d Design) layer(p product, a Array, s System) (Layer, work) {
	out, rows, act := float64(p.out), float64(p.rows), float64(s.ActivationBits)
	bits := a.WeightBits
	if p.attention {
		bits = act
	}
	weights := math.Ceil(float64(p.in)*bits/8) * out
	inputs := math.Ceil(float64(p.inputs)*act/8) * rows
	outputs := math.Ceil(out*act/8) * rows
	w := work{weightFetches: 1, inputFetches: 1}
	if wb, ib := float64(s.WeightBuffer), float64(s.InputBuffer); weights > wb && inputs > ib {
		again, inputsAgain := math.Ceil(inputs/ib), math.Ceil(weights/wb)
		if again*weights+inputs < inputsAgain*inputs+weights {
			w.weightFetches = again
		} else {
			w.inputFetches = inputsAgain
		}
	}
	w.tiles = math.Ceil(float64(p.in)/float64(d.Lanes)) * math.Ceil(out/float64(a.Rows)) * math.Ceil(rows/float64(a.Cols))
	w.compute = w.tiles * d.latency(a)
	w.traffic = weights*w.weightFetches + inputs*w.inputFetches + outputs
	w.dram = math.Floor(8 * w.traffic / s.DRAMBits)
	return Layer{
		Name: p.name, Count: p.count, Out: p.out, In: p.in, Rows: p.rows, MACs: p.macs,
		Compute: int64(w.compute), DRAM: int64(w.dram), Traffic: int64(w.traffic),
		WeightFetches: int64(w.weightFetches), InputFetches: int64(w.inputFetches),
	}, w
}
