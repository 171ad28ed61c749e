//go:build amd64 && !purego

package floats

func multiplyColumns(_, _, _ Matrix, _, _, _ int) int { return 0 }
func addRow(_, _ []float32) int                       { return 0 }
func (*Norm) layer(_, _ []float32) bool               { return false }
func softmax(_ []float32) bool                        { return false }
func (Activation) apply(_, _ []float32) int           { return 0 }
