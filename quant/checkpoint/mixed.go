package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/bitmod-go/bitmod/datatype"
	"github.com/bitmod-go/bitmod/quant"
)

// Mixed chooses the type of each row of a tensor.
type Mixed struct {
	// Parts are the choices, 1 to 256. Rows of a part is ignored, as Order determines it.
	// A GroupSize of 0 stands for the default of the type. NV types, which have a scale
	// for the tensor, cannot be among several parts.
	Parts []Part
	// Order has the index of a part for every row of the stored tensor.
	Order []uint8
}

// canonical returns m in the form of [quant.NewMixed]: parts in the order of their
// first rows, no two alike, with their numbers of rows.
func (m Mixed) canonical() Mixed {
	var c Mixed
	c.Order = make([]uint8, len(m.Order))
	for row, i := range m.Order {
		p := Part{m.Parts[i].Type, m.Parts[i].GroupSize, 0}
		if p.GroupSize == 0 {
			p.GroupSize = p.Type.GroupSize()
		}
		j := c.part(p)
		if j < 0 {
			j = len(c.Parts)
			c.Parts = append(c.Parts, p)
		}
		c.Parts[j].Rows++
		c.Order[row] = uint8(j)
	}
	return c
}

// part returns the index of the part of the type and group size of p, −1 if there is
// none.
func (m Mixed) part(p Part) int {
	return slices.IndexFunc(m.Parts, func(q Part) bool { return q.Type == p.Type && q.GroupSize == p.GroupSize })
}

// check returns an error if m is not valid for a tensor of the given number of rows.
func (m Mixed) check(rows int) error {
	if len(m.Parts) < 1 || len(m.Parts) > maxParts {
		return fmt.Errorf("%w: %d parts, want 1 to %d", quant.ErrShape, len(m.Parts), maxParts)
	}
	for i, p := range m.Parts {
		switch {
		case !p.Type.Valid():
			return fmt.Errorf("part %d: %w: %v", i, datatype.ErrUnknown, p.Type)
		case p.GroupSize != 0 && p.GroupSize < 8:
			return fmt.Errorf("part %d: %w: a group size of %d, want 0 or at least 8", i, quant.ErrShape, p.GroupSize)
		case len(m.Parts) > 1 && needsMax(p.Type):
			return fmt.Errorf("part %d: %w: rows of %v, which has one scale for all rows, together with rows of other types", i, ErrUnsupported, p.Type)
		}
	}
	if len(m.Order) != rows {
		return fmt.Errorf("%w: an order of %d rows, want %d", quant.ErrShape, len(m.Order), rows)
	}
	for row, i := range m.Order {
		if int(i) >= len(m.Parts) {
			return fmt.Errorf("%w: row %d is of part %d of %d", quant.ErrShape, row, i, len(m.Parts))
		}
	}
	return nil
}

// canonicalMixed checks the mixed tensors of rules, and returns them in their canonical
// form.
func (c *Checkpoint) canonicalMixed(mixed map[string]Mixed) (map[string]Mixed, error) {
	if len(mixed) == 0 {
		return nil, nil
	}
	canonical := make(map[string]Mixed)
	for _, name := range slices.Sorted(maps.Keys(mixed)) {
		t, ok := c.Tensor(name)
		if !ok {
			return nil, tensorError(name, fmt.Errorf("types of its rows: %w", ErrNoTensor))
		}
		rows := t.Rows()
		if len(mixed[name].Order) != rows && len(t.Shape) > 1 {
			rows = Tensor{Shape: swap(t.Shape)}.Rows() // the number of rows if the tensor is transposed
		}
		if err := mixed[name].check(rows); err != nil {
			return nil, tensorError(name, fmt.Errorf("types of its rows: %w", err))
		}
		canonical[name] = mixed[name].canonical()
	}
	return canonical, nil
}

// mixedDigest returns a hash of the mixed tensors, or "" if there are none.
func mixedDigest(mixed map[string]Mixed) string {
	if len(mixed) == 0 {
		return ""
	}
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(mixed)) {
		fmt.Fprintf(h, "%q %v %x\n", name, mixed[name].Parts, mixed[name].Order)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// configs returns c with the type and group size of each part of a tensor.
func (t Tensor) configs(c quant.Config) []quant.Config {
	var cs []quant.Config
	for _, p := range t.types() {
		c.Type, c.GroupSize = p.Type, p.GroupSize
		cs = append(cs, c)
	}
	return cs
}

// writeRows appends all rows of m to a tensor with rows of several types.
func (s *shard) writeRows(name string, m *quant.Matrix, parts []Part) error {
	var number [maxParts]uint8 // by part of m
	for i := range m.Parts() {
		p := m.Part(i)
		j := Mixed{Parts: parts}.part(Part{p.Type(), p.GroupSize(), 0})
		if j < 0 {
			return badTensor(name, "rows of %v in groups of %d belong to no part", p.Type(), p.GroupSize())
		}
		number[i] = uint8(j)
		if err := s.writeBlock(partName(name, j), p, 0); err != nil {
			return err
		}
	}
	order := make([]byte, m.Rows())
	for row := range order {
		i, _ := m.RowPart(row)
		order[row] = number[i]
	}
	return s.write(name+suffixOrder, order)
}
