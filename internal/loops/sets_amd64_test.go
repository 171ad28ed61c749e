//go:build amd64 && !purego

package loops

// sets returns the sets that this machine has, by name.
func sets() map[string]*Set {
	all := map[string]*Set{}
	for name, s := range map[string]*Set{"AVX2": AVX2(), "AVX-VNNI": AVXVNNI(), "AVX-512": AVX512()} {
		if s != nil {
			all[name] = s
		}
	}
	return all
}
