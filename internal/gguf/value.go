package gguf

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

const (
	// maxHeader bounds the pairs and tensor descriptions together. Those of
	// real models have some megabytes, for the tokenizer.
	maxHeader = 256 << 20
	maxString = 16 << 20
	maxNested = 4 // arrays of arrays
)

// A scanner reads the header. It stops at the first error and then returns
// zeros, so that callers check err once in a while.
type scanner struct {
	r    *bufio.Reader
	pos  int64 // in the file
	size int64 // of what may be read
	err  error
}

func newScanner(r *io.SectionReader) *scanner {
	return &scanner{r: bufio.NewReaderSize(r, 64<<10), size: r.Size()}
}

func (s *scanner) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

func (s *scanner) left() int64 { return s.size - s.pos }

// need checks that count things of at least the given bytes each can follow.
func (s *scanner) need(what string, count, each uint64) bool {
	if s.err == nil && count > uint64(s.left())/each {
		s.fail(badfile.New("%d %s at byte %d do not fit in the file (or in a header of %d MiB)", count, what, s.pos, maxHeader>>20))
	}
	return s.err == nil
}

func (s *scanner) bytes(p []byte) []byte {
	if s.err == nil {
		n, err := io.ReadFull(s.r, p)
		s.pos += int64(n)
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = badfile.New("the header ends at byte %d, too early", s.pos)
		}
		if err != nil {
			s.fail(err)
		}
	}
	if s.err != nil {
		clear(p)
	}
	return p
}

func (s *scanner) u8() uint8 { var b [1]byte; return s.bytes(b[:])[0] }
func (s *scanner) u16() uint16 {
	var b [2]byte
	return binary.LittleEndian.Uint16(s.bytes(b[:]))
}
func (s *scanner) u32() uint32 {
	var b [4]byte
	return binary.LittleEndian.Uint32(s.bytes(b[:]))
}
func (s *scanner) u64() uint64 {
	var b [8]byte
	return binary.LittleEndian.Uint64(s.bytes(b[:]))
}

func (s *scanner) str() string {
	n := s.u64()
	if !s.need("bytes of a string", n, 1) {
		return ""
	}
	if n > maxString {
		s.fail(badfile.New("a string of %d bytes at byte %d is above the limit of %d", n, s.pos, maxString))
		return ""
	}
	return string(s.bytes(make([]byte, n)))
}

// Types of values.
const (
	valueU8 = iota
	valueI8
	valueU16
	valueI16
	valueU32
	valueI32
	valueF32
	valueBool
	valueString
	valueArray
	valueU64
	valueI64
	valueF64
)

// value reads a value of the given type as the Go type of the same name. Arrays
// are slices of it, but arrays of arrays are []any.
func (s *scanner) value(typ uint32, depth int) any {
	switch typ {
	case valueU8:
		return s.u8()
	case valueI8:
		return int8(s.u8())
	case valueU16:
		return s.u16()
	case valueI16:
		return int16(s.u16())
	case valueU32:
		return s.u32()
	case valueI32:
		return int32(s.u32())
	case valueF32:
		return math.Float32frombits(s.u32())
	case valueBool:
		return s.bool()
	case valueString:
		return s.str()
	case valueArray:
		return s.array(depth)
	case valueU64:
		return s.u64()
	case valueI64:
		return int64(s.u64())
	case valueF64:
		return math.Float64frombits(s.u64())
	}
	s.fail(badfile.New("value type %d before byte %d", typ, s.pos))
	return nil
}

func (s *scanner) bool() bool {
	b := s.u8()
	if b > 1 {
		s.fail(badfile.New("a bool of %d at byte %d", b, s.pos-1))
	}
	return b == 1
}

func (s *scanner) array(depth int) any {
	typ, n := s.u32(), s.u64()
	switch typ {
	case valueU8:
		return list(s, n, 1, s.u8)
	case valueI8:
		return list(s, n, 1, func() int8 { return int8(s.u8()) })
	case valueU16:
		return list(s, n, 2, s.u16)
	case valueI16:
		return list(s, n, 2, func() int16 { return int16(s.u16()) })
	case valueU32:
		return list(s, n, 4, s.u32)
	case valueI32:
		return list(s, n, 4, func() int32 { return int32(s.u32()) })
	case valueF32:
		return list(s, n, 4, func() float32 { return math.Float32frombits(s.u32()) })
	case valueBool:
		return list(s, n, 1, s.bool)
	case valueString:
		return list(s, n, 8, s.str)
	case valueU64:
		return list(s, n, 8, s.u64)
	case valueI64:
		return list(s, n, 8, func() int64 { return int64(s.u64()) })
	case valueF64:
		return list(s, n, 8, func() float64 { return math.Float64frombits(s.u64()) })
	case valueArray:
		if depth == maxNested {
			s.fail(badfile.New("arrays nested more than %d deep at byte %d", maxNested, s.pos))
			return nil
		}
		return list(s, n, 12, func() any { return s.array(depth + 1) })
	}
	s.fail(badfile.New("an array of value type %d at byte %d", typ, s.pos))
	return nil
}

// list reads n values of at least the given bytes each. Its slice grows with the values
// that are read, because n may be wrong.
func list[T any](s *scanner, n, each uint64, next func() T) []T {
	vs := []T{}
	if !s.need("array elements", n, each) {
		return vs
	}
	for range n {
		v := next()
		if s.err != nil {
			break
		}
		vs = append(vs, v)
	}
	return vs
}
