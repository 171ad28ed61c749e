package tokenizer

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// BenchmarkEncode measures megabytes of text a second, of a text with more words than any
// cache has.
func BenchmarkEncode(b *testing.B) {
	var text strings.Builder
	texts := tokenTexts(b).Texts
	for i := 0; text.Len() < 1<<20; i++ {
		fmt.Fprintf(&text, "The king's %d daughters (aged %d) walked to the sea %x. ", i*7919%1000, i%97, i*i*i)
		if i%20 == 0 {
			text.WriteString(texts[i%len(texts)])
		}
	}
	run := func(name string, tok *Tokenizer) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			tokens := 0
			for b.Loop() {
				ids, err := tok.Encode(text.String())
				if err != nil {
					b.Fatal(err)
				}
				tokens += len(ids)
			}
			b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
	for _, v := range tokenTexts(b).Tokenizers {
		if len(v.Set) == 0 {
			run(v.File, v.parse(b))
		}
	}
	if os.Getenv("BITMOD_MODELS") != "" {
		for _, name := range []string{"smollm2", "minilm"} {
			run(name, published(b, name))
		}
	}
}
