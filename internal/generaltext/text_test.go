package generaltext

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	if n := len(Text); n < 100e3 || n > 150e3 {
		t.Errorf("%d bytes", n)
	}
	if !utf8.ValidString(Text) || strings.ContainsAny(Text, "\r\x00") {
		t.Error("the text is not UTF-8 with plain line ends")
	}
	for i, p := range strings.Split(Text, "\n\n") {
		if strings.TrimSpace(p) == "" {
			t.Errorf("paragraph %d is empty", i)
		}
	}
}
