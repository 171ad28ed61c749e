package accelerator

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
)

// golden has the figures of the reference simulator (github yc2367/BitMoD-HPCA-25,
// bitmod_sim/plot), for the models in the order of Models: the cycles of the
// discriminative task and of one generated token, and for each the energy on chip and the
// total energy, in µJ, rounded.
var golden = map[string]struct {
	discriminative, generative             [6]int64
	discriminativeEnergy, generativeEnergy [6][2]float64
}{
	"fp16": {
		[6]int64{669255680, 1399816192, 2878668800, 3156574208, 6676111360, 3969089536},
		[6]int64{82153718, 165841248, 362970848, 413518608, 804330080, 469624976},
		[6][2]float64{{656667, 2549498}, {1273252, 6252349}, {2614171, 13014774}, {2928682, 15511220}, {5742951, 36365138}, {3279511, 18528840}},
		[6][2]float64{{25745, 419862}, {51929, 847599}, {113537, 1854106}, {129318, 2113617}, {251588, 4110960}, {146812, 2399478}},
	},
	"bitmod_lossless": {
		[6]int64{336236544, 693780480, 1414209536, 1649680384, 3537397760, 1901133824},
		[6]int64{31220054, 62986912, 137681120, 156919888, 305157360, 178109840},
		[6][2]float64{{317887, 1272043}, {615118, 3020095}, {1255562, 5452484}, {1410390, 7186699}, {2763255, 16664646}, {1572255, 7727074}},
		[6][2]float64{{15691, 165547}, {31662, 334000}, {69245, 729367}, {78882, 832097}, {153502, 1618257}, {89561, 943899}},
	},
	"bitmod_lossy": {
		[6]int64{233070592, 515194880, 946937856, 1202921472, 2601461760, 1273233408},
		[6]int64{15857750, 31959712, 69662944, 79493200, 154552560, 90099088},
		[6][2]float64{{221382, 986623}, {428524, 2315439}, {871622, 3820005}, {981870, 5388371}, {1924566, 12460765}, {1091548, 5416024}},
		[6][2]float64{{10470, 86588}, {21129, 174535}, {46198, 380148}, {52631, 434198}, {102418, 844271}, {59753, 491953}},
	},
	"ant": {
		[6]int64{440975360, 847773696, 1734868992, 1949564928, 4076584960, 2266234880},
		[6]int64{25779238, 51998112, 119342816, 129497936, 251907680, 132370576},
		[6][2]float64{{459880, 1360903}, {888236, 3147508}, {1815179, 5659691}, {2035862, 7426912}, {3981122, 16936053}, {2270541, 7910575}},
		[6][2]float64{{22139, 145879}, {44668, 294259}, {97934, 669718}, {111292, 732882}, {216575, 1425302}, {125750, 760225}},
	},
	"olive": {
		[6]int64{403718144, 779268096, 1575157760, 1768062976, 3648512000, 2008645632},
		[6]int64{20018374, 41655712, 96691936, 97236816, 189155680, 105031744},
		[6][2]float64{{501789, 1308354}, {969019, 2969260}, {1960581, 5182082}, {2192068, 6898215}, {4285634, 15557969}, {2440769, 7165633}},
		[6][2]float64{{23250, 119339}, {46840, 246787}, {104204, 567264}, {115455, 582192}, {225859, 1133377}, {131179, 624942}},
	},
}

func evaluate(t testing.TB, s System) *Evaluation {
	t.Helper()
	e, err := Evaluate(Models(), s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestReferenceFigures compares every cycle count with the reference simulator's,
// exactly, and every energy to the µJ that it is rounded to.
func TestReferenceFigures(t *testing.T) {
	e := evaluate(t, DefaultSystem())
	worst := 0.
	for i, rs := range e.Results {
		for _, r := range rs {
			g := golden[r.Design.Name]
			name := e.Models[i].Name + " on " + r.Design.Name
			if r.Discriminative.Cycles != g.discriminative[i] || r.Generative.Cycles != g.generative[i] {
				t.Errorf("%s: %d and %d cycles, want %d and %d", name,
					r.Discriminative.Cycles, r.Generative.Cycles, g.discriminative[i], g.generative[i])
			}
			for _, c := range []struct {
				got  Energy
				want [2]float64
			}{{r.Discriminative.Energy, g.discriminativeEnergy[i]}, {r.Generative.Energy, g.generativeEnergy[i]}} {
				for k, got := range []float64{c.got.onChip() / 1e6, c.got.Total() / 1e6} {
					worst = max(worst, math.Abs(got-c.want[k]))
					if math.Abs(got-c.want[k]) > 1.1 {
						t.Errorf("%s: energy %v µJ, want %v", name, got, c.want[k])
					}
				}
			}
		}
	}
	t.Logf("energies differ by at most %.2f µJ", worst)
}

// TestPaperFigures compares with the paper's headline figures, within 1 %: "on average
// 1.69× and 1.48× speedup over ANT and OliVe", and lossless over FP16 1.99× and 2.41×.
// The energy efficiency is 2.31× over FP16, 1.48× over ANT and 1.31× over OliVe, computed
// as the paper does.
func TestPaperFigures(t *testing.T) {
	e := evaluate(t, DefaultSystem())
	for _, c := range []struct {
		name string
		got  float64
		want float64
	}{
		{"fp16 discriminative", e.Speedup("fp16").Discriminative, 1.99},
		{"fp16 generative", e.Speedup("fp16").Generative, 2.41},
		{"ant discriminative", e.Speedup("ant").Discriminative, 1.72},
		{"ant generative", e.Speedup("ant").Generative, 1.66},
		{"ant", e.Speedup("ant").Overall, 1.69},
		{"olive discriminative", e.Speedup("olive").Discriminative, 1.56},
		{"olive generative", e.Speedup("olive").Generative, 1.39},
		{"olive", e.Speedup("olive").Overall, 1.48},
		{"energy over fp16", paperEfficiency(e, "fp16"), 2.31},
		{"energy over ant", paperEfficiency(e, "ant"), 1.48},
		{"energy over olive", paperEfficiency(e, "olive"), 1.31},
	} {
		t.Logf("%-22s %.4f, paper %.2f", c.name, c.got, c.want)
		if math.Abs(c.got/c.want-1) > .01 {
			t.Errorf("%s: %.4f, want %.2f", c.name, c.got, c.want)
		}
	}
	for _, over := range []string{"fp16", "ant", "olive"} {
		t.Logf("energy over %s, mean of ratios: %.4f", over, e.compare(over, func(r Result, generate bool) float64 { return r.Energy(generate).Total() }))
	}
	if c := e.Speedup("tpu"); c != (Comparison{}) {
		t.Errorf("over nothing: %v", c)
	}
}

// paperEfficiency computes an energy figure as the paper does. The labels of its figure
// 8, mean energies relative to FP16, are rounded to two places and then divided by each
// other. Without the rounding the figures are 2.31, 1.48 and 1.32, and as means of
// ratios, as for the speedups, 2.32, 1.49 and 1.32.
func paperEfficiency(e *Evaluation, over string) float64 {
	label := func(design string, generate bool) float64 {
		_, energy := e.Relative(design, generate)
		return math.Round(100*energy) / 100
	}
	b := comparedWith(over)
	return (label(over, false)/label(b, false) + label(over, true)/label(b, true)) / 2
}

// TestReports checks that every layer is consistent with its parts, that nothing is
// beyond the array's peak, and that the multiplications are those of the model.
func TestReports(t *testing.T) {
	for _, perHead := range []bool{false, true} {
		s := DefaultSystem()
		s.PerHeadAttention = perHead
		for _, m := range Models() {
			for _, d := range Designs(m.Name) {
				for _, task := range []Task{Discriminative(), Generative(), {Tokens: 3, Context: 1000, Decode: true}} {
					r, err := Simulate(d, m, task, s)
					if err != nil {
						t.Fatal(err)
					}
					var cycles, weights int64
					macs := 0.
					for _, l := range r.Layers {
						cycles += int64(l.Count) * l.Cycles()
						macs += float64(l.Count) * l.MACs
						if l.Name != "attn.scores" && l.Name != "attn.values" {
							weights += int64(l.Count) * int64(l.Out) * int64(l.In)
							if l.MACs > float64(l.Compute)*d.PeakMACs(task) {
								t.Errorf("%s, %s, %s: more than the peak", m.Name, d.Name, l.Name)
							}
						} else if perHead && l.MACs > float64(l.Compute)*d.PeakMACs(task) {
							t.Errorf("%s, %s, %s: more than the peak", m.Name, d.Name, l.Name)
						}
						if bound := l.Bound(); (bound == "memory") != (l.DRAM > l.Compute) {
							t.Errorf("%s: bound by %s", l.Name, bound)
						}
					}
					if cycles != r.Cycles {
						t.Errorf("%s, %s: layers add up to %d, report %d", m.Name, d.Name, cycles, r.Cycles)
					}
					want := float64(weights)*float64(task.Tokens) + 2*float64(m.Blocks*m.Hidden)*float64(task.Tokens)*float64(task.Context)
					if math.Abs(macs/want-1) > 1e-12 {
						t.Errorf("%s: %g MACs, want %g", m.Name, macs, want)
					}
				}
			}
		}
	}
}

// TestModelSizes compares the numbers of weights of the linear layers with the sizes in
// the names of models, except for embeddings.
func TestModelSizes(t *testing.T) {
	for _, m := range Models() {
		r, err := Simulate(FP16(), m, Generative(), DefaultSystem())
		if err != nil {
			t.Fatal(err)
		}
		n := 0.
		for _, l := range r.Layers[:len(r.Layers)-2] {
			n += float64(l.Count) * float64(l.Out) * float64(l.In)
		}
		want := map[string]float64{"opt-1.3b": 1.31e9, "phi-2": 2.65e9, "yi-6b": 5.80e9, "llama-2-7b": 6.61e9, "llama-2-13b": 12.85e9, "llama-3-8b": 7.50e9}[m.Name]
		if math.Abs(n/want-1) > .01 {
			t.Errorf("%s has %.3g weights, want %.3g", m.Name, n, want)
		}
		if f, err := FindModel(m.Name); err != nil || f != m {
			t.Errorf("FindModel(%q) = %v, %v", m.Name, f, err)
		}
	}
	if _, err := FindModel("gpt-5"); !errors.Is(err, ErrConfig) {
		t.Error(err)
	}
}

// TestAttentionProducts computes both conventions of the attention products by hand, for
// two heads of four on one key-value head.
func TestAttentionProducts(t *testing.T) {
	m := Model{Blocks: 3, Hidden: 8, Heads: 2, KVHeads: 1}
	task := Task{Tokens: 5, Context: 7}
	for _, c := range []struct {
		perHead bool
		want    string
	}{
		// The reference's: a T × hidden query against heads·T rows of keys.
		{false, "attn.scores 3·(5×8)·10 inputs 4; attn.values 3·(10×7)·5 inputs 4; "},
		// The keys of one head, 7 × 4, against 2·5 queries.
		{true, "attn.scores 3·(7×4)·10 inputs 4; attn.values 3·(4×7)·10 inputs 7; "},
	} {
		got := ""
		for _, p := range m.products(task, c.perHead) {
			if p.attention {
				got += fmt.Sprintf("%s %d·(%d×%d)·%d inputs %d; ", p.name, p.count, p.out, p.in, p.rows, p.inputs)
			}
		}
		if got != c.want {
			t.Errorf("per head %v: %s\nwant %s", c.perHead, got, c.want)
		}
	}
	for _, perHead := range []bool{false, true} {
		s := DefaultSystem()
		s.PerHeadAttention = perHead
		e := evaluate(t, s)
		t.Logf("per head %v: over fp16 %.3f, ant %.3f, olive %.3f", perHead, e.Speedup("fp16"), e.Speedup("ant"), e.Speedup("olive"))
	}
}

// TestRefetch computes fetches by hand. Only if both operands exceed their buffers, one
// is fetched again, the one that costs less.
func TestRefetch(t *testing.T) {
	for _, c := range []struct {
		weightBuffer, inputBuffer int
		out, in, rows             int // 2·out·in and 2·in·rows bytes
		weights, inputs           int64
	}{
		{100, 50, 10, 5, 50, 1, 1},   // 100 bytes of weights fit
		{100, 50, 11, 5, 5, 1, 1},    // 110 do not, but 50 bytes of inputs do
		{100, 50, 11, 5, 6, 1, 2},    // 2·110 + 60 against 110 + 2·60
		{100, 50, 100, 5, 6, 1, 10},  // 2·1000 + 60 against 1000 + 10·60
		{50, 100, 6, 5, 11, 2, 1},    // 2·60 + 110 against 60 + 2·110
		{50, 100, 6, 5, 100, 10, 1},  // 10·60 + 1000 against 60 + 2·1000
		{50, 100, 60, 5, 11, 2, 1},   // 2·600 + 110 against 600 + 12·110
		{50, 100, 60, 5, 100, 10, 1}, // 10·600 + 1000 against 600 + 12·1000
	} {
		s, d := DefaultSystem(), FP16()
		s.WeightBuffer, s.InputBuffer = c.weightBuffer, c.inputBuffer
		l, w := d.layer(product{out: c.out, in: c.in, inputs: c.in, rows: c.rows}, d.Prefill, s)
		if l.WeightFetches != c.weights || l.InputFetches != c.inputs {
			t.Errorf("%+v: fetched %d and %d times", c, l.WeightFetches, l.InputFetches)
		}
		want := 2 * (int64(c.out*c.in)*c.weights + int64(c.rows*c.in)*c.inputs + int64(c.out*c.rows))
		if l.Traffic != want || w.traffic != float64(want) || l.DRAM != want*8/256 {
			t.Errorf("%+v: %d bytes in %d cycles, want %d", c, l.Traffic, l.DRAM, want)
		}
	}
}

func TestParseModel(t *testing.T) {
	for _, c := range []struct {
		config string
		want   Model
	}{
		{`{"_name_or_path": "meta-llama/Llama-3.2-1B", "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16,
		   "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "rope_scaling": {"factor": 32.0}}`,
			Model{"meta-llama/Llama-3.2-1B", 16, 2048, 8192, 32, 8, 128256, true}},
		{`{"model_type": "opt", "hidden_size": 2048, "word_embed_proj_dim": 2048, "ffn_dim": 8192, "num_hidden_layers": 24, "num_attention_heads": 32, "vocab_size": 50272}`,
			Model{"opt", 24, 2048, 8192, 32, 32, 50272, false}},
		{`{"model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": null, "vocab_size": 51200}`,
			Model{"phi", 32, 2560, 10240, 32, 32, 51200, false}},
	} {
		if got, err := ParseModel([]byte(c.config)); err != nil || got != c.want {
			t.Errorf("%s\n%+v, %v", c.config, got, err)
		}
	}
	for _, bad := range []string{
		``, `[]`, `{}`, `{"model_type": "mamba"}`, `{"model_type": "llama"}`,
		`{"model_type": "llama", "hidden_size": 10, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3, "vocab_size": 5}`,
		`{"model_type": "llama", "hidden_size": 12, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3, "num_key_value_heads": 2, "vocab_size": 5}`,
		`{"model_type": "llama", "hidden_size": 12, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3, "head_dim": 8, "vocab_size": 5}`,
		`{"model_type": "llama", "hidden_size": 99999999999, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3, "vocab_size": 5}`,
		`{"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512, "ffn_dim": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "vocab_size": 50272}`,
	} {
		if m, err := ParseModel([]byte(bad)); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %+v, %v", bad, m, err)
		}
	}
}

func FuzzParseModel(f *testing.F) {
	f.Add([]byte(`{"model_type": "llama", "hidden_size": 12, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 3, "vocab_size": 5}`), 256, 256)
	f.Add([]byte(`{"model_type": "opt", "hidden_size": 16777216, "ffn_dim": 16777216, "num_hidden_layers": 16777216, "num_attention_heads": 1, "vocab_size": 1}`), 1<<24, 1<<24)
	f.Fuzz(func(t *testing.T, config []byte, tokens, context int) {
		m, err := ParseModel(config)
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatal(err)
			}
			return
		}
		r, err := Simulate(BitMoDLossy(), m, Task{Tokens: tokens, Context: context}, DefaultSystem())
		if err != nil {
			if !errors.Is(err, ErrConfig) {
				t.Fatal(err)
			}
			return
		}
		var sum int64
		for _, l := range r.Layers {
			if l.Compute < 1 || l.DRAM < 0 || l.WeightFetches < 1 || l.InputFetches < 1 {
				t.Fatalf("%+v: %+v", m, l)
			}
			sum += int64(l.Count) * l.Cycles()
		}
		if sum != r.Cycles || !(r.Energy.Total() > 0) {
			t.Fatalf("%+v: %d cycles, layers %d, %g pJ", m, r.Cycles, sum, r.Energy.Total())
		}
	})
}

func TestSimulateErrors(t *testing.T) {
	m := Models()[0]
	change := func(f func(d *Design, m *Model, t *Task, s *System)) error {
		d, m, task, s := BitMoDLossy(), m, Discriminative(), DefaultSystem()
		f(&d, &m, &task, &s)
		_, err := Simulate(d, m, task, s)
		return err
	}
	for name, err := range map[string]error{
		"rows":               change(func(d *Design, m *Model, t *Task, s *System) { d.Prefill.Rows = 0 }),
		"cols":               change(func(d *Design, m *Model, t *Task, s *System) { d.Prefill.Cols = -1 }),
		"lanes":              change(func(d *Design, m *Model, t *Task, s *System) { d.Lanes = 0 }),
		"bits":               change(func(d *Design, m *Model, t *Task, s *System) { d.Prefill.WeightBits = .5 }),
		"NaN bits":           change(func(d *Design, m *Model, t *Task, s *System) { d.Prefill.WeightBits = math.NaN() }),
		"energy":             change(func(d *Design, m *Model, t *Task, s *System) { d.PEEnergy = -1 }),
		"blocks":             change(func(d *Design, m *Model, t *Task, s *System) { m.Blocks = 0 }),
		"heads":              change(func(d *Design, m *Model, t *Task, s *System) { m.Heads = 7 }),
		"kv heads":           change(func(d *Design, m *Model, t *Task, s *System) { m.KVHeads = 3 }),
		"tokens":             change(func(d *Design, m *Model, t *Task, s *System) { t.Tokens = 0 }),
		"context":            change(func(d *Design, m *Model, t *Task, s *System) { t.Context = 1 << 30 }),
		"DRAM":               change(func(d *Design, m *Model, t *Task, s *System) { s.DRAMBits = 0 }),
		"buffer":             change(func(d *Design, m *Model, t *Task, s *System) { s.WeightBuffer = 0 }),
		"input":              change(func(d *Design, m *Model, t *Task, s *System) { s.InputBuffer = -1 }),
		"act":                change(func(d *Design, m *Model, t *Task, s *System) { s.ActivationBits = 0 }),
		"SRAM":               change(func(d *Design, m *Model, t *Task, s *System) { s.SRAM = []SRAMCost{{Bits: 2}, {Bits: 1}} }),
		"heads times tokens": change(func(d *Design, m *Model, t *Task, s *System) { t.Tokens = largest; m.Hidden, m.Heads = 1<<20, 1<<20 }),
		"too large": change(func(d *Design, m *Model, t *Task, s *System) {
			t.Tokens, m.Hidden, m.Blocks = largest, largest, largest
		}),
	} {
		var c *configError
		if !errors.Is(err, ErrConfig) || !errors.As(err, &c) || c.want == "" || !strings.HasPrefix(err.Error(), "accelerator: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := change(func(d *Design, m *Model, t *Task, s *System) { s.SRAM = nil }); err != nil {
		t.Errorf("without SRAM costs: %v", err)
	}
}

func TestSRAM(t *testing.T) {
	s := DefaultSystem()
	for _, c := range []struct{ width, read float64 }{
		{1, 66.58}, {192, 66.58}, {224, (66.58 + 70.092) / 2}, {512, 92.795}, {1024, 138.441}, {9999, 138.441},
	} {
		if got := s.sram(c.width); math.Abs(got.Read-c.read) > 1e-3 {
			t.Errorf("width %v: %+v, want %v", c.width, got, c.read)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for b.Loop() {
		evaluate(b, DefaultSystem())
	}
}
