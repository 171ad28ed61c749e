package tokenizer

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"
	"testing"

	"github.com/bitmod-go/bitmod/internal/dirtest"
	"github.com/bitmod-go/bitmod/quant"
)

func readData(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(dirtest.Data(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestLlama2cTokenizer(t *testing.T) {
	data := readData(t, "tok512.bin")
	tok, err := ParseLlama2c(data, 512)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tok.Encode("Once upon a time")
	if want := []int{403, 407, 261, 378}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens %d, error %v, want %d", got, err, want)
	}
	for _, s := range []string{string(readData(t, "tinystories_val.txt")), "naïve 🙂 \x00\xff\t", " two  spaces "} {
		tokens, err := tok.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if back := streamed(tok, llama2cStart, tokens); back != s {
			t.Errorf("%.20q came back as %.20q", s, back)
		}
	}
	if got, err := tok.Encode(""); len(got) > 0 || err != nil {
		t.Errorf("empty text: tokens %d, error %v", got, err)
	}

	for _, n := range []int{0, 3, 4, 11, 12, 100, len(data) - 1} {
		if _, err := ParseLlama2c(data[:n], 512); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("cut after %d bytes: error %v", n, err)
		}
	}
	for _, vocab := range []int{511, 513} {
		if _, err := ParseLlama2c(data, vocab); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("for a vocabulary of %d: error %v", vocab, err)
		}
	}
	for _, length := range []uint32{1 << 31, 1 << 20} {
		bad := slices.Clone(data)
		binary.LittleEndian.PutUint32(bad[8:], length)
		if _, err := ParseLlama2c(bad, 512); !errors.Is(err, quant.ErrFormat) {
			t.Errorf("length %#x: error %v", length, err)
		}
	}
}
