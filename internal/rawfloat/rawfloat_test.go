package rawfloat

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"
)

// value is the value of a 16-bit float with the given mantissa bits, from its
// definition. The exponent of all ones is the caller's to avoid.
func value(bits uint16, mantissa, bias int) float64 {
	m := int64(bits) & (1<<mantissa - 1)
	e := int(bits&0x7fff) >> mantissa
	if e == 0 {
		e = 1
	} else {
		m += 1 << mantissa
	}
	v, _ := new(big.Float).SetMantExp(big.NewFloat(float64(m)), e-bias-mantissa).Float64()
	if bits>>15 == 1 {
		return -v
	}
	return v
}

func TestDecodeEvery16BitFloat(t *testing.T) {
	for _, f := range []struct {
		format         Format
		mantissa, bias int
	}{{F16, 10, 15}, {BF16, 7, 127}} {
		special := 0x7fff >> f.mantissa
		var src [2]byte
		for b := range 1 << 16 {
			binary.LittleEndian.PutUint16(src[:], uint16(b))
			var got32 [1]float32
			var got64 [1]float64
			Decode(got32[:], src[:], f.format)
			Decode(got64[:], src[:], f.format)
			if b&0x7fff>>f.mantissa == special {
				mant := b & (1<<f.mantissa - 1)
				sign := 1 - 2*(b>>15)
				if mant == 0 && !math.IsInf(got64[0], sign) || mant != 0 && !math.IsNaN(got64[0]) {
					t.Fatalf("format %d, bits %#04x: got %v", f.format, b, got64[0])
				}
				continue
			}
			want := value(uint16(b), f.mantissa, f.bias)
			if math.Float64bits(got64[0]) != math.Float64bits(want) || math.Float64bits(float64(got32[0])) != math.Float64bits(want) {
				t.Fatalf("format %d, bits %#04x: got %v and %v, want %v", f.format, b, got32[0], got64[0], want)
			}
		}
	}
}

// TestDecodeEvery8BitFloat compares with the definitions: exponents of all ones
// are numbers in E4M3, but for a mantissa of all ones.
func TestDecodeEvery8BitFloat(t *testing.T) {
	for b := range 256 {
		nan := math.NaN()
		e4m3, e5m2, e8m0 := 0., 0., math.Ldexp(1, b-127)
		sign := float64(1 - 2*(b>>7))
		switch e, m := b>>3&15, b&7; {
		case e == 15 && m == 7:
			e4m3 = nan
		case e == 0:
			e4m3 = sign * math.Ldexp(float64(m), -9)
		default:
			e4m3 = sign * math.Ldexp(float64(8+m), e-10)
		}
		switch e, m := b>>2&31, b&3; {
		case e == 31 && m > 0:
			e5m2 = nan
		case e == 31:
			e5m2 = math.Inf(int(sign))
		case e == 0:
			e5m2 = sign * math.Ldexp(float64(m), -16)
		default:
			e5m2 = sign * math.Ldexp(float64(4+m), e-17)
		}
		if b == 255 {
			e8m0 = nan
		}
		if b == 0x80 {
			e4m3, e5m2 = math.Copysign(0, -1), math.Copysign(0, -1)
		}
		for f, want := range map[Format]float64{E4M3: e4m3, E5M2: e5m2, E8M0: e8m0} {
			var got32 [1]float32
			var got64 [1]float64
			Decode(got32[:], []byte{byte(b)}, f)
			Decode(got64[:], []byte{byte(b)}, f)
			if want != want && got32[0] != got32[0] && got64[0] != got64[0] {
				continue
			}
			if math.Float64bits(got64[0]) != math.Float64bits(want) || math.Float64bits(float64(got32[0])) != math.Float64bits(want) {
				t.Errorf("format %d, byte %#02x: %v and %v, want %v", f, b, got32[0], got64[0], want)
			}
		}
	}
}

func TestDecodeWide(t *testing.T) {
	values := []float64{0, math.Copysign(0, -1), 1, -1.5, math.Pi, 1e-40, 1e300, math.Inf(-1), math.SmallestNonzeroFloat64}
	src64, src32 := []byte{}, []byte{}
	for _, v := range values {
		src64 = binary.LittleEndian.AppendUint64(src64, math.Float64bits(v))
		src32 = binary.LittleEndian.AppendUint32(src32, math.Float32bits(float32(v)))
	}
	got64, got32 := make([]float64, len(values)), make([]float32, len(values))
	Decode(got64, src64, F64)
	for i, v := range values {
		if math.Float64bits(got64[i]) != math.Float64bits(v) {
			t.Errorf("F64: got %v, want %v", got64[i], v)
		}
	}
	for _, f := range []struct {
		format Format
		src    []byte
	}{{F64, src64}, {F32, src32}} {
		Decode(got32, f.src, f.format)
		Decode(got64, f.src, f.format)
		for i, v := range values {
			if math.Float32bits(got32[i]) != math.Float32bits(float32(v)) {
				t.Errorf("format %d as float32: got %v, want %v", f.format, got32[i], float32(v))
			}
		}
	}
	for i, v := range values {
		if got64[i] != float64(float32(v)) {
			t.Errorf("F32 as float64: got %v, want %v", got64[i], float32(v))
		}
	}
}

// TestDecodeLengths decodes short and ragged runs, in which the fast paths end.
func TestDecodeLengths(t *testing.T) {
	for _, f := range []Format{F32, F64, F16, BF16, E4M3, E5M2, E8M0} {
		src := make([]byte, 8*40)
		for i := range src {
			src[i] = byte(i * 37 & 0x3f) // no NaN
		}
		for n := range 40 {
			got, one := make([]float32, n+1), make([]float32, 1)
			got[n] = 7
			Decode(got[:n], src, f)
			for i := range n {
				if Decode(one, src[i*f.Size():], f); got[i] != one[0] {
					t.Fatalf("format %d, element %d of %d: %v, want %v", f, i, n, got[i], one[0])
				}
			}
			if got[n] != 7 {
				t.Fatalf("format %d: wrote beyond %d elements", f, n)
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	src, dst := make([]byte, 8<<12), make([]float32, 1<<12)
	for _, f := range []struct {
		name string
		Format
	}{{"F64", F64}, {"F32", F32}, {"F16", F16}, {"BF16", BF16}, {"E4M3", E4M3}} {
		b.Run("format="+f.name, func(b *testing.B) {
			b.SetBytes(int64(len(dst) * f.Size()))
			for b.Loop() {
				Decode(dst, src, f.Format)
			}
		})
	}
}
