//go:build amd64 && !purego

package kernel

import "github.com/bitmod-go/bitmod/datatype"

// groupRunRows is groupRows for whole steps of matrices that are not direct.
func groupRunRows(dst []float32, p *plan, a *Activation, lo, hi int) {
	var meta runMeta
	for r := lo; r < hi; r++ {
		var acc [lanes]float32
		meta.addGroups(&acc, p, a, r)
		dst[r] = p.finish(&acc, r)
	}
}

// addGroups adds the whole steps of a row with scales for every 16, 32 or 64
// columns.
func (r *runMeta) addGroups(acc *[lanes]float32, p *plan, a *Activation, row int) {
	spread := &spreads[p.groupSize/32]
	for s := 0; s < p.cols/step; s += runSteps {
		n := min(runSteps, p.cols/step-s)
		r.fill(p, row, s, n)
		args := groupArgs{
			codes:     &p.s.Codes[row*p.rowBytes+s*step*p.bits/8],
			scales:    &r.scales[0],
			scaleStep: block / p.groupSize,
			spread:    spread,
			runs:      &r.tables[0],
			table:     &p.bytes[0],
			q:         &a.q[s*step],
			corr16:    &a.corr16[s*32],
			d:         &a.d[s*4],
			steps:     n,
			blocks:    4,
		}
		switch {
		case p.scale == datatype.E8M0 && p.selectorBits == 0:
			groupsE8M0x0AVX2(acc, &args)
		case p.scale == datatype.E8M0:
			groupsE8M0AVX2(acc, &args)
		case p.scale == datatype.E4M3 && p.selectorBits == 0:
			groupsE4M3x0AVX2(acc, &args)
		case p.scale == datatype.E4M3:
			groupsE4M3AVX2(acc, &args)
		case p.bits == 4:
			groups4AVX2(acc, &args)
		case p.bits == 3:
			groups3AVX2(acc, &args)
		default:
			groups2AVX2(acc, &args)
		}
	}
}

// spreads are the byte shuffles of groupArgs for scales of 16, 32 and 64 columns.
var spreads = func() (s [3][5 * 32]byte) {
	for i, size := range []int{16, 32, 64} {
		for b := range s[i] {
			switch {
			case b%2 == 1:
				s[i][b] = 0x80 // the high byte of a word: 0
			case b < 128:
				s[i][b] = byte((b/32*32 + b%32/16*16) / size) // 16 bytes are 16 columns
			default:
				s[i][b] = byte((b - 128) / 2 * 16 / size) // a word is 16 columns
			}
		}
	}
	return s
}()
