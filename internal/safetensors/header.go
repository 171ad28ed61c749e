package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/bitmod-go/bitmod/internal/badfile"
	"github.com/bitmod-go/bitmod/internal/shape"
)

// maxHeader is the limit that the reference implementation sets.
const maxHeader = 100_000_000

// maxRank is larger than in any framework, and small enough for an error message.
const maxRank = 64

const metadataKey = "__metadata__"

// parseHeader returns the tensors in the order of their data, with offsets
// relative to the start of the data, of which there are size bytes.
func parseHeader(header []byte, size int64) ([]Tensor, map[string]string, error) {
	if !utf8.Valid(header) {
		return nil, nil, badfile.New("the header is not UTF-8")
	}
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, badfile.New("the header does not start with '{'")
	}
	p := parser{json.NewDecoder(bytes.NewReader(header))}
	p.UseNumber()
	var tensors []Tensor
	var metadata map[string]string
	err := p.object("the header", func(name string) error {
		if name == metadataKey {
			m, err := p.stringMapOrNull(metadataKey)
			metadata = m
			return err
		}
		t, err := p.tensor(name)
		tensors = append(tensors, t)
		return err
	})
	if err == nil {
		if _, e := p.Token(); e != io.EOF {
			err = badfile.New("the header has text after its object")
		}
	}
	if err != nil {
		return nil, nil, syntax(err)
	}
	slices.SortStableFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Begin, b.Begin), cmp.Compare(a.End, b.End))
	})
	return tensors, metadata, tile(tensors, size)
}

// tile checks that the tensors, in order, lie side by side and fill size bytes.
func tile(tensors []Tensor, size int64) error {
	var end int64
	for i, t := range tensors {
		switch {
		case t.Begin < end:
			return badfile.Tensor(t.Name, "data [%d, %d) overlaps that of tensor %s, which ends at %d", t.Begin, t.End, badfile.Quote(tensors[i-1].Name), end)
		case t.Begin > end:
			return badfile.Tensor(t.Name, "data starts at %d, after a hole that starts at %d", t.Begin, end)
		case t.End > size:
			return badfile.Tensor(t.Name, "data ends at %d, but the file is truncated at %d", t.End, size)
		}
		end = t.End
	}
	if end < size {
		if len(tensors) == 0 {
			return badfile.New("%d bytes of data but no tensors", size)
		}
		return badfile.Tensor(tensors[len(tensors)-1].Name, "it is the last, and %d trailing bytes follow", size-end)
	}
	return nil
}

// A parser reads JSON token by token. Structs and maps of encoding/json would not do:
// they accept equal keys, and keys in any case.
type parser struct{ *json.Decoder }

// object calls field for every key, whose value field must consume.
func (p parser) object(what string, field func(key string) error) error {
	if err := p.delim('{', what); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for p.More() {
		tok, err := p.Token()
		if err != nil {
			return err
		}
		key := tok.(string) // Token checks keys
		if seen[key] {
			return badfile.New("%s has the key %s twice", what, badfile.Quote(key))
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	return p.delim('}', what)
}

func (p parser) delim(want json.Delim, what string) error {
	tok, err := p.Token()
	if err != nil {
		return err
	}
	if tok != want {
		return badfile.New("%s: %s where '%v' should be", what, badfile.Quote(fmt.Sprint(tok)), want)
	}
	return nil
}

// stringMapOrNull is stringMap, but returns nil for null, which the reference
// implementation takes as no metadata. As there, values that are not strings, null
// among them, are refused.
func (p parser) stringMapOrNull(what string) (map[string]string, error) {
	var value json.RawMessage
	if err := p.Decode(&value); err != nil {
		return nil, err
	}
	if string(value) == "null" {
		return nil, nil
	}
	return parser{json.NewDecoder(bytes.NewReader(value))}.stringMap(what)
}

// stringMap reads an object whose values are strings.
func (p parser) stringMap(what string) (map[string]string, error) {
	m := make(map[string]string)
	err := p.object(what, func(key string) error {
		tok, err := p.Token()
		if err != nil {
			return err
		}
		v, ok := tok.(string)
		if !ok {
			return badfile.New("%s: the value of %s is not a string", what, badfile.Quote(key))
		}
		m[key] = v
		return nil
	})
	return m, err
}

// tensor reads the description of one tensor and checks it by itself.
func (p parser) tensor(name string) (Tensor, error) {
	t := Tensor{Name: name}
	var have [3]bool
	var offsets []int64
	err := p.object("its description", func(key string) (err error) {
		switch key {
		case "dtype":
			have[0] = true
			var tok json.Token
			tok, err = p.Token()
			s, ok := tok.(string)
			if err == nil && !ok {
				return badfile.New("dtype is not a string")
			}
			t.DType = DType(s)
		case "shape":
			have[1] = true
			t.Shape = []int{}
			err = p.numbers(key, math.MaxInt, func(n int64) { t.Shape = append(t.Shape, int(n)) })
		case "data_offsets":
			have[2] = true
			err = p.numbers(key, math.MaxInt64, func(n int64) { offsets = append(offsets, n) })
		default: // a later version's
			var skip json.RawMessage
			err = p.Decode(&skip)
		}
		return err
	})
	if err == nil {
		err = t.describe(have, offsets)
	}
	if err != nil {
		if fe, ok := errors.AsType[*badfile.Error](syntax(err)); ok {
			fe.Tensor = name
			err = fe
		}
	}
	return t, err
}

func (t *Tensor) describe(have [3]bool, offsets []int64) error {
	for i, ok := range have {
		if !ok {
			return badfile.New("no %s", []string{"dtype", "shape", "data_offsets"}[i])
		}
	}
	width := t.DType.Bits()
	if width == 0 {
		return badfile.New("unknown dtype %s", badfile.Quote(string(t.DType)))
	}
	n, ok := shape.Checked(t.Shape)
	if !ok {
		return badfile.New("shape %v overflows", t.Shape)
	}
	want, ok := byteLen(n, width)
	if !ok {
		return badfile.New("shape %v of %s overflows or ends within a byte", t.Shape, t.DType)
	}
	if len(offsets) != 2 || offsets[0] > offsets[1] {
		return badfile.New("data_offsets %v are not a begin and an end", offsets)
	}
	t.Begin, t.End = offsets[0], offsets[1]
	if t.Bytes() != want {
		return badfile.New("data [%d, %d) has %d bytes, but shape %v of %s takes %d", t.Begin, t.End, t.Bytes(), t.Shape, t.DType, want)
	}
	return nil
}

// numbers reads an array of integers 0…most.
func (p parser) numbers(key string, most int64, add func(int64)) error {
	if err := p.delim('[', key); err != nil {
		return err
	}
	for count := 0; p.More(); {
		tok, err := p.Token()
		if err != nil {
			return err
		}
		num, ok := tok.(json.Number)
		if !ok {
			return badfile.New("%s: %s is not a number", key, badfile.Quote(fmt.Sprint(tok)))
		}
		n, err := strconv.ParseUint(num.String(), 10, 63)
		if err != nil || int64(n) > most {
			return badfile.New("%s: %s is not an integer from 0 to %d", key, badfile.Quote(num.String()), most)
		}
		if count++; count > maxRank {
			return badfile.New("%s: more than %d numbers", key, maxRank)
		}
		add(int64(n))
	}
	return p.delim(']', key)
}

// syntax turns an error of encoding/json into a FormatError.
func syntax(err error) error {
	if _, ok := errors.AsType[*badfile.Error](err); ok {
		return err
	}
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return badfile.New("the header ends within its JSON")
	}
	return &badfile.Error{Problem: fmt.Sprintf("the header is not JSON: %v", err)}
}
