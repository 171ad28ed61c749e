//go:build (amd64 || arm64) && !purego

package kernel

// The functions decodeN unpack steps·512 columns of N-bit codes and look each up
// in the 16 bytes at table + runs[column/16].

//go:noescape
func decode4Vector(dst, codes, runs, table *byte, steps int)

//go:noescape
func decode3Vector(dst, codes, runs, table *byte, steps int)

//go:noescape
func decode2Vector(dst, codes, runs, table *byte, steps int)

func decode(dst, codes, runs, table *byte, bits, steps int) {
	switch bits {
	case 4:
		decode4Vector(dst, codes, runs, table, steps)
	case 3:
		decode3Vector(dst, codes, runs, table, steps)
	default:
		decode2Vector(dst, codes, runs, table, steps)
	}
}

// decode looks up the codes of n steps from step s on in table, and writes the values.
// r must be filled for these steps.
func (r *runMeta) decode(values []byte, p *plan, table []byte, row, s, n int) {
	whole := min(n, p.cols/step-s)
	if whole > 0 {
		codes := &p.s.Codes[row*p.rowBytes+s*step*p.bits/8]
		decode(&values[0], codes, &r.tables[0], &table[0], p.bits, whole)
	}
	if whole == n {
		return
	}
	if p.bits > 2 {
		p.lastStep(&r.codes, row)
		decode(&values[whole*step], &r.codes[0], &r.tables[whole*32], &table[0], p.bits, 1)
		return
	}
	r.decodeEnd(values, p, table, row, s, whole)
}

// addFloats adds the steps of a row from step s on to the lanes of float mode.
func (r *runMeta) addFloats(acc *[floatLanes]float32, p *plan, a *Activation, row, s int, impl implementation) {
	for ; s*step < p.cols; s += runSteps {
		n := min(runSteps, (p.cols-1)/step+1-s)
		r.fill(p, row, s, n)
		blocks := p.blocks(s, n)
		r.fillRunK(p, s, blocks)
		r.decode(r.values[:], p, p.signed, row, s, n)
		if p.exact {
			floatBlocks(acc, &r.values[0], &a.x[s*step], &r.runK[0], blocks, impl)
		} else {
			floatTable(acc, &r.values[0], &a.x[s*step], &r.runK[0], blocks, &p.wide[0], impl)
		}
	}
}
