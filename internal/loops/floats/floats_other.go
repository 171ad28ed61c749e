//go:build !(amd64 || arm64) || purego

package floats

// Fast reports whether there is assembly for this processor.
func Fast() bool { return false }

func multiplyColumns(_, _, _ Matrix, _, _, _ int) int { return 0 }
func addRow(_, _ []float32) int                       { return 0 }
func (*Norm) layer(_, _ []float32) bool               { return false }
func (*Norm) rms(_, _ []float32) bool                 { return false }
func rotate(_, _, _ []float32, _, _ int) bool         { return false }
func softmax(_ []float32) bool                        { return false }
func (Activation) apply(_, _ []float32) int           { return 0 }
func (Activation) gate(_, _ []float32) int            { return 0 }
