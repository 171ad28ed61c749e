package hf

import (
	"fmt"
	"math"
	"reflect"

	"github.com/bitmod-go/bitmod/internal/badfile"
)

// keys are the pairs of a GGUF file's header. As many programs write such files, a
// number may have any type that holds it.
type keys struct {
	pairs map[string]any
	arch  string // general.architecture, in front of the keys of a family
}

// unsupported is the reason why a model that may be valid stays unknown.
type unsupported struct{ reason string }

func (e *unsupported) Error() string { return e.reason }

func unsupportedf(format string, args ...any) error {
	return &unsupported{fmt.Sprintf(format, args...)}
}

func (k keys) has(key string) bool { _, ok := k.pairs[key]; return ok }

func wrongType(key string, v any, want string) error {
	return badfile.New("%s is of type %T, want %s", badfile.Quote(key), v, want)
}

// integer returns the value of a key that is an integer from lo to hi. ok is false if
// there is no such key. An array of equal elements, one for each layer, counts as one
// of them.
func (k keys) integer(key string, lo, hi int64) (n int64, ok bool, err error) {
	v, ok := k.pairs[key]
	if !ok {
		return 0, false, nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Slice {
		if r.Len() == 0 {
			return 0, false, badfile.New("%s is an empty array", badfile.Quote(key))
		}
		first, isInt := asInteger(r.Index(0))
		if !isInt {
			return 0, false, wrongType(key, v, "an integer")
		}
		for i := range r.Len() {
			if n, _ := asInteger(r.Index(i)); n != first {
				return 0, false, unsupportedf("%s differs from layer to layer", badfile.Quote(key))
			}
		}
		r = r.Index(0)
	}
	n, isInt := asInteger(r)
	if !isInt {
		return 0, false, wrongType(key, v, "an integer")
	}
	if n < lo || n > hi {
		return 0, false, badfile.New("%s is %v, want %d to %d", badfile.Quote(key), v, lo, hi)
	}
	return n, true, nil
}

// asInteger returns an integer of any type, or MaxInt64 if it is larger.
func asInteger(r reflect.Value) (int64, bool) {
	switch {
	case r.CanInt():
		return r.Int(), true
	case r.CanUint():
		return int64(min(r.Uint(), math.MaxInt64)), true
	}
	return 0, false
}

// A number is a float of a file, which keeps its precision for printing.
type number struct {
	value float64
	bits  int
}

// number returns the value of a key that is a finite float, or an integer.
func (k keys) number(key string) (x number, ok bool, err error) {
	v, ok := k.pairs[key]
	if !ok {
		return number{}, false, nil
	}
	switch v := v.(type) {
	case float32:
		x = number{float64(v), 32}
	case float64:
		x = number{v, 64}
	default:
		n, isInt := asInteger(reflect.ValueOf(v))
		if !isInt {
			return number{}, false, wrongType(key, v, "a number")
		}
		x = number{float64(n), 64}
	}
	if math.IsNaN(x.value) || math.IsInf(x.value, 0) {
		return number{}, false, badfile.New("%s is %v", badfile.Quote(key), x.value)
	}
	return x, true, nil
}

// get returns the value of a key that has exactly the type T.
func get[T any](k keys, key string) (v T, ok bool, err error) {
	x, ok := k.pairs[key]
	if !ok {
		return v, false, nil
	}
	if v, ok = x.(T); !ok {
		return v, false, wrongType(key, x, fmt.Sprintf("%T", v))
	}
	return v, true, nil
}

// integers returns the value of a key that is an array of integers.
func (k keys) integers(key string) (ns []int64, ok bool, err error) {
	v, ok := k.pairs[key]
	if !ok {
		return nil, false, nil
	}
	r := reflect.ValueOf(v)
	if r.Kind() != reflect.Slice {
		return nil, false, wrongType(key, v, "an array of integers")
	}
	for i := range r.Len() {
		n, isInt := asInteger(r.Index(i))
		if !isInt {
			return nil, false, wrongType(key, v, "an array of integers")
		}
		ns = append(ns, n)
	}
	return ns, true, nil
}
