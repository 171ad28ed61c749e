package llm

import "fmt"

// Activations are the form in which vectors are multiplied by packed matrices.
type Activations uint8

const (
	Float32 Activations = iota
	Int16               // nearly as exact
	Int8                // the fastest
)

var activationNames = [...]string{"float32", "int16", "int8"}

func (a Activations) String() string { return activationNames[a] }

// UnmarshalText reads what String returns.
func (a *Activations) UnmarshalText(text []byte) error {
	for i, name := range activationNames {
		if string(text) == name {
			*a = Activations(i)
			return nil
		}
	}
	return fmt.Errorf("activations %q, want int8, int16 or float32", text)
}

// MarshalText returns String.
func (a Activations) MarshalText() ([]byte, error) { return []byte(a.String()), nil }
