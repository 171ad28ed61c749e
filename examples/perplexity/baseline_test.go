package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestBaselines(t *testing.T) {
	for _, x := range []struct {
		name    string
		w, want []float32
	}{
		{"mxfp3", []float32{7.9, 0.5, 0.51, 1.5, -3, 3.1, -1.4, 0}, []float32{4, 0, 1, 2, -2, 4, -1, 0}},
		{"mxfp3", []float32{.5, .1, -.2}, []float32{.5, .125, -.25}}, // a scale of 1/8
		{"mxfp3", []float32{0, 0}, []float32{0, 0}},
		// Integers are exact without outliers.
		{"olive4", []float32{7, -3, 2, 0, 1, -7, 5}, []float32{7, -3, 2, 0, 1, -7, 5}},
		// An outlier takes the place of its neighbour.
		{"olive4", []float32{48, 1, 3, -2, 5, 6, -7, 4, 1}, []float32{48, 0, 3, -2, 5, 6, -7, 4, 1}},
		{"olive4", []float32{0, 0}, []float32{0, 0}},
	} {
		w := slices.Clone(x.w)
		baselines[x.name].quantize(w)
		for i, got := range w {
			if d := math.Abs(float64(got - x.want[i])); d > .03*math.Abs(float64(x.want[i])) { // scales are a sixteenth apart
				t.Errorf("%s of %v is %v, want %v", x.name, x.w, w, x.want)
				break
			}
		}
	}
	out := program.Must(t, "-tokens", "100", "-types", "olive4,mxfp3", "-group", "64", "-json")
	var rows []jsonRow
	for line := range strings.Lines(out) {
		var r jsonRow
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 3 || rows[1].Bits != 4.25 || rows[1].Group != 64 || rows[2].Bits != 3.25 || rows[2].Group != 32 || !(rows[2].KL > rows[1].KL && rows[1].KL > 0) {
		t.Errorf("rows %+v", rows)
	}
}
