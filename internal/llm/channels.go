package llm

import (
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// scaleChannels moves scales of channels from the inputs of a layer's matrices into
// their columns, as quant.ChannelScales finds them for the Hessians hs, by inputs. The
// source of each input is divided by the scales: the weights of a norm, the rows of the
// value matrix for the output of attention, and the rows of up for down. With float32
// weights the layer computes the same except for rounding. scaleChannels returns the
// new layer and the Hessians of its inputs.
func scaleChannels(c *Config, l Layer, q quant.Config, hs layerHessians) (Layer, layerHessians, error) {
	if err := c.llamaOnly("scales of channels"); err != nil {
		return l, nil, err
	}
	for _, n := range []*Norm{&l.AttentionNorm, &l.FeedForwardNorm} {
		n.Weight = slices.Clone(n.Weight)
	}
	hs = slices.Clone(hs)
	ws := map[Kind][]float32{}
	for k, linear := range l.Linears {
		w, err := Weights(linear)
		if err != nil {
			return l, nil, err
		}
		ws[Kind(k)] = slices.Clone(w)
	}
	for i, kinds := range inputs {
		cols := l.Linears[kinds[0]].Cols()
		var all []float32
		for _, k := range kinds {
			all = append(all, ws[k]...)
		}
		var ties []int
		if kinds[0] == Output {
			ties = c.valueOf()
		}
		found, err := quant.ChannelScales(all, cols, q, hs[i], ties)
		if err != nil {
			return l, nil, err
		}
		s := found.Scales
		for _, k := range kinds {
			for j := range ws[k] {
				ws[k][j] *= s[j%cols]
			}
		}
		switch kinds[0] {
		case Query:
			divide(l.AttentionNorm.Weight, s)
		case Output: // the heads of a group have the same scales
			byValue := make([]float32, c.kvDim())
			for j, v := range ties {
				byValue[v] = s[j]
			}
			divideRows(ws[Value], byValue)
		case Gate:
			divide(l.FeedForwardNorm.Weight, s)
		case Down:
			divideRows(ws[Up], s)
		}
		if hs[i], err = hs[i].Divide(s); err != nil {
			return l, nil, err
		}
	}
	for k := range l.Linears {
		l.Linears[k] = newDense(ws[Kind(k)], l.Linears[k].Cols())
	}
	return l, hs, nil
}

// valueOf returns, for every element of the heads' outputs, the element of the values
// that it is a mean of: grouped queries share them.
func (c *Config) valueOf() []int {
	of := make([]int, c.qDim())
	for i := range of {
		of[i] = i/c.HeadDim/(c.Heads/c.KVHeads)*c.HeadDim + i%c.HeadDim
	}
	return of
}

func divide(x, s []float32) {
	for i := range x {
		x[i] /= s[i]
	}
}

// divideRows divides the rows of w, one for each element of s.
func divideRows(w, s []float32) {
	cols := len(w) / len(s)
	for i := range w {
		w[i] /= s[i/cols]
	}
}
