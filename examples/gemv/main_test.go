package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/bitmod-go/bitmod/examples/internal/cli/clitest"
)

var program = clitest.Program{Name: "gemv", Run: run}

// What is left of a line without its figures is what was measured.
func TestDocs(t *testing.T) {
	program.Docs(t, func(words []string) []string {
		if len(words) > 0 && strings.Contains(words[0], "/") {
			return nil // the machine
		}
		return words[:max(0, len(words)-3)]
	}, quick...)
}

var quick = []string{"-rounds", "1", "-turn", "1us", "-rows", "16", "-cols", "256", "-memory", "1"}

func TestJSON(t *testing.T) {
	out := program.Must(t, append(quick, "-json")...)
	var res result
	if err := json.Unmarshal([]byte(out), &res); err != nil {
		t.Fatal(err)
	}
	if len(res.Rates) != 19 || len(res.Ratios) != 17 {
		t.Errorf("%d rates and %d ratios", len(res.Rates), len(res.Ratios))
	}
	for _, r := range res.Rates {
		if !(r.Milliseconds > 0 && r.Gweights > 0 && r.GB > 0) {
			t.Errorf("%+v", r)
		}
	}
	for _, r := range res.Ratios {
		if r.Min != r.Median || r.Median != r.Max || !(r.Min > 0) {
			t.Errorf("%+v, of a single turn", r)
		}
	}
}

func TestErrors(t *testing.T) {
	program.Errors(t, []clitest.Case{{"-rounds 0", 2, "-rounds"}, {"-cols -1", 2, "-cols"}})
}
