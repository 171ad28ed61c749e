//go:build arm64 && !purego

package loops

// sets returns the sets that this machine has, by name.
func sets() map[string]*Set {
	all := map[string]*Set{}
	for name, s := range map[string]*Set{"NEON": NEON(), "dot product": NEONDot(), "int8 matrix": NEONMatrix()} {
		if s != nil {
			all[name] = s
		}
	}
	return all
}
