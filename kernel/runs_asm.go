//go:build (amd64 || arm64) && !purego

package kernel

// decode writes to values what table has for the codes of n steps from step s on,
// for which r is filled.
func (r *runMeta) decode(values []byte, p *plan, table []byte, row, s, n int) {
	whole := min(n, p.cols/step-s)
	if whole > 0 {
		codes := &p.s.Codes[row*p.rowBytes+s*step*p.bits/8]
		decode(&values[0], codes, &r.tables[0], &table[0], p.bits, whole)
	}
	if whole == n {
		return
	}
	if p.cols%block == 0 && p.bits > 2 {
		p.lastStep(&r.codes, row)
		decode(&values[whole*step], &r.codes[0], &r.tables[whole*32], &table[0], p.bits, 1)
		return
	}
	r.decodeEnd(values, p, table, row, s, whole)
}
