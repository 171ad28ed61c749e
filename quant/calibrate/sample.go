package calibrate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/bitmod-go/bitmod/quant"
)

// Sample returns count texts of length tokens from random places in tokens, or fewer if
// tokens are too few. Texts do not overlap. Each begins with before and ends with
// after, which count towards its length. The same seed gives the same texts. The error
// matches [quant.ErrShape] if count or length leaves no text.
func Sample(tokens, before, after []int, count, length int, seed uint64) ([][]int, error) {
	own := length - len(before) - len(after)
	if own < 1 || count < 1 {
		return nil, fmt.Errorf("calibrate: %w: %d texts of %d tokens, of which %d are around them", quant.ErrShape, count, length, len(before)+len(after))
	}
	own = min(own, len(tokens))
	if own == 0 {
		return nil, fmt.Errorf("calibrate: %w: no tokens", quant.ErrShape)
	}
	places := rand.New(rand.NewPCG(seed, 0)).Perm(len(tokens) / own)
	var texts [][]int
	for _, i := range places[:min(count, len(places))] {
		texts = append(texts, slices.Concat(before, tokens[i*own:(i+1)*own], after))
	}
	return texts, nil
}

// TextSettings returns settings that identify texts for [Network.Settings]: the numbers
// of texts and tokens, and a hash.
func TextSettings(texts [][]int) string {
	h := sha256.New()
	var b []byte
	tokens := 0
	for _, t := range texts {
		b = binary.LittleEndian.AppendUint64(b[:0], uint64(len(t)))
		for _, token := range t {
			b = binary.LittleEndian.AppendUint64(b, uint64(token))
		}
		h.Write(b)
		tokens += len(t)
	}
	return fmt.Sprintf(`{"texts":%d,"tokens":%d,"sha256":"%s"}`, len(texts), tokens, hex.EncodeToString(h.Sum(nil)))
}
