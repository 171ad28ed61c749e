package quant_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/internal/misuse"
	"github.com/bitmod-go/bitmod/quant"
)

func TestMisuse(t *testing.T) {
	m, err := quant.Group(make([]float32, 8), 8, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	mixed, err := quant.GroupMixed(context.Background(), make([]float32, 16), 8, []uint8{0, 1}, []quant.Config{{}, {Type: datatype.Int8}})
	if err != nil {
		t.Fatal(err)
	}
	h, err := quant.NewHessian(8)
	if err != nil {
		t.Fatal(err)
	}
	empty := *h
	if err := h.Add([]float32{1, 2, 3, 4, 5, 6, 7, 8}); err != nil {
		t.Fatal(err)
	}
	cross, err := quant.NewCross(8, 8)
	if err != nil {
		t.Fatal(err)
	}
	lost := quant.Lost{Inputs: cross, Outputs: &quant.Cross{}}
	feedback := quant.Config{Feedback: &quant.Feedback{Hessian: h}}
	misuse.Test(t, "quant", map[string]any{
		"Allot":         quant.Allot,
		"ChannelScales": quant.ChannelScales[float32],
		"Group":         quant.Group[float64],
		"GroupContext":  quant.GroupContext[float32],
		"GroupMixed":    quant.GroupMixed[quant.BFloat16],
		"Measure":       quant.Measure[float32],
		"New":           quant.New,
		"NewCross":      quant.NewCross,
		"NewHessian":    quant.NewHessian,
		"NewHessianOf":  quant.NewHessianOf,
		"NewMixed":      quant.NewMixed,
		"OutputErrors":  quant.OutputErrors[float32],
	}, m, mixed, h, &empty, m.Storage(), quant.BFloat16(1), &quant.Report{}, feedback,
		cross, lost, quant.Lost{Inputs: cross, Outputs: cross, Share: .5}, feedback.Feedback, &quant.Feedback{},
		quant.Config{Feedback: &quant.Feedback{}}, quant.Config{Feedback: &quant.Feedback{Hessian: &empty}},
		quant.Config{Search: true, GroupSize: 8, Workers: 1}, quant.Config{Type: 255}, datatype.BitMoD3)
}

// encoding/json writes {} for a struct without exported fields.
func TestMatrixHasNoJSON(t *testing.T) {
	m, err := quant.Group(make([]float32, 8), 8, quant.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{m, *m, struct{ M *quant.Matrix }{m}, []quant.Matrix{{}}} {
		if b, err := json.Marshal(v); err == nil || !strings.Contains(err.Error(), "AppendBinary") {
			t.Errorf("json.Marshal(%T) is %s, %v", v, b, err)
		}
	}
}

func TestGroupMixedStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := quant.GroupMixed(ctx, make([]float32, 16), 8, []uint8{0, 1}, []quant.Config{{}, {Type: datatype.Int8}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want context.Canceled", err)
	}
}
