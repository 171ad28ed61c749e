package coding

// A Set has the functions for one kind of processor. It must not be changed. Lookup takes
// bytes below Cells. Powers, Weighted, Narrow, and FitEdges may be nil, as may the five
// from Survey to Noise together.
type Set struct {
	Steps     [Members + 1]func(*StepsArgs) // by the number of codebooks
	Powers    [Members + 1]func(*StepsArgs)
	Weighted  [Members + 1]func(*StepsArgs) // from 1 on
	Clamped   func(*StepsArgs)
	Lookup    func(*LookupArgs)
	Any       func(*AnyArgs)
	Max       func(*MaxArgs)
	Round     func(*RoundArgs)
	Range     func(*RangeArgs)
	FitCells  func(*FitArgs)
	FitRound  func(*FitArgs)
	FitEdges  func(*FitArgs)
	Survey    func(*SurveyArgs)
	Sample    func(*SampleArgs)
	Square    func(*SquareArgs)
	Emphasize func(*EmphasizeArgs)
	Noise     func(*NoiseArgs)
	WidenBF16 func(*WidenArgs)
	WidenF16  func(*WidenArgs)
	Narrow    func(*NarrowArgs)
	Pack      [9]func(*PackArgs) // by the bits of a code
}
