package llm

import (
	"slices"
	"testing"
)

func TestBytes(t *testing.T) {
	const text = "Zoë\n"
	got, err := Bytes{}.Encode(text)
	if err != nil || !slices.Equal(got, []int{'Z', 'o', 0xc3, 0xab, '\n'}) {
		t.Errorf("tokens %d, error %v", got, err)
	}
	if back := Text(Bytes{}, 0, append(got, 0)); back != text {
		t.Errorf("back again %q", back)
	}
}
