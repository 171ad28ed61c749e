package group

import (
	"errors"
	"fmt"

	"github.com/bitmod-go/bitmod/internal/errs"
)

// SelectFloat32 is [Selector.Select] for the groups of a row, each of groupSize
// weights; the last may be shorter. It sets a choice for each group and a code for each
// weight, the same as Select does. It is many times as fast where the processor has
// NEON, AVX2, or AVX-512 with DQ, BW, VL and VBMI.
//
// The importance is nil or has a number for each weight of the row. An error about a
// weight names its index in the row. The error also matches [ErrShape] if groupSize is
// below 1, or if there are too few choices or codes.
func (s *Selector) SelectFloat32(choices []Choice, codes []uint8, w []float32, groupSize int, importance []float64, tensorScale float32) error {
	if !s.made() {
		return errNotMade
	}
	groups, err := rowGroups(len(w), groupSize, len(choices), len(codes))
	if err != nil || groups == 0 {
		return err
	}
	if importance != nil && len(importance) != len(w) {
		return fmt.Errorf("group: %w: len(importance) is %d, want %d (weights)", ErrShape, len(importance), len(w))
	}
	choices = choices[:groups]
	if s.fast != nil && !s.fast.row(s, choices, codes[:len(w)], w, groupSize, importance, tensorScale) {
		return nil
	}
	for g := range choices {
		if s.fast != nil && !s.fast.left[g] {
			continue
		}
		lo := g * groupSize
		hi := min(lo+groupSize, len(w))
		var a []float64
		if importance != nil {
			a = importance[lo:hi]
		}
		c, err := s.Select(codes[lo:hi], s.widen(w[lo:hi]), a, tensorScale)
		if err != nil {
			var bad *errs.Weight
			if errors.As(err, &bad) {
				bad.Index += lo
			}
			return err
		}
		choices[g] = c
	}
	return nil
}

// rowGroups returns the number of groups in a row, or an error if there are too few choices
// for them or too few codes for the weights.
func rowGroups(weights, groupSize, choices, codes int) (int, error) {
	if groupSize < 1 {
		return 0, fmt.Errorf("group: %w: groupSize is %d, want at least 1", ErrShape, groupSize)
	}
	if weights == 0 {
		return 0, nil
	}
	groups := (weights-1)/groupSize + 1
	if choices < groups {
		return 0, fmt.Errorf("group: %w: len(choices) is %d, want at least %d (groups)", ErrShape, choices, groups)
	}
	if codes < weights {
		return 0, fmt.Errorf("group: %w: len(codes) is %d, want at least %d (weights)", ErrShape, codes, weights)
	}
	return groups, nil
}

// EncodeFloat32 is [Selector.Encode] for the groups of a row, with a choice for each
// group. A group has groupSize weights; the last may be shorter. The error also matches
// [ErrShape] if groupSize is below 1 or if there are too few choices.
func (s *Selector) EncodeFloat32(codes []uint8, w []float32, groupSize int, choices []Choice) error {
	if !s.made() {
		return errNotMade
	}
	groups, err := rowGroups(len(w), groupSize, len(choices), len(codes))
	if err != nil || groups == 0 {
		return err
	}
	choices = choices[:groups]
	for _, c := range choices {
		if uint(c.Codebook) >= uint(s.codebooks) {
			return fmt.Errorf("group: %w: codebook %d of %d", ErrShape, c.Codebook, s.codebooks)
		}
	}
	if s.fast != nil && !s.fast.encode(s, codes[:len(w)], w, groupSize, choices) {
		return nil
	}
	for g, c := range choices {
		if s.fast != nil && !s.fast.left[g] {
			continue
		}
		lo := g * groupSize
		hi := min(lo+groupSize, len(w))
		if err := s.Encode(codes[lo:hi], s.widen(w[lo:hi]), c); err != nil {
			return err
		}
	}
	return nil
}

// widen returns w as float64, in memory that the next call uses again.
func (s *Selector) widen(w []float32) []float64 {
	if len(s.wide) < len(w) {
		s.wide = make([]float64, len(w))
	}
	wide := s.wide[:len(w)]
	for i, x := range w {
		wide[i] = float64(x)
	}
	return wide
}
