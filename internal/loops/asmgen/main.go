// Asmgen writes the assembly of package loops.
//
//	go generate ./internal/loops
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// files returns the files by name.
func files() map[string][]byte {
	all := map[string][]byte{}
	add := func(name, suffix string, s set, parts map[string]*file) {
		for part, f := range parts {
			all[part+"_"+suffix+".s"] = f.Bytes()
			s.stubs = append(s.stubs, f.stubs...)
		}
		all[name+"_"+suffix[strings.LastIndex(suffix, "_")+1:]+".go"] = s.source()
	}
	add("avx512", "avx512_amd64", avx512Set(), map[string]*file{"panel": panelAVX512(), "dots": dotsAVX512(), "panelfloat": panelFloatAVX512()})
	all["coding/avx2_amd64.s"] = codingAVX2().Bytes()
	all["coding/avx512_amd64.s"] = codingAVX512().Bytes()
	all["algebra/avx2_amd64.s"] = algebraAVX2().Bytes()
	all["coding/neon_arm64.s"] = codingNEON().Bytes()
	all["algebra/avx512_amd64.s"] = algebraAVX512().Bytes()
	all["floats/avx2_amd64.s"] = floatsAVX2().Bytes()
	all["floats/avx512_amd64.s"] = floatsAVX512().Bytes()
	all["algebra/neon_arm64.s"] = algebraNEON().Bytes()
	all["floats/neon_arm64.s"] = floatsNEONFile().Bytes()
	all["rows_avx512_amd64.s"] = rowsAVX512().Bytes()
	add("avx2", "avx2_amd64", avx2Set(), map[string]*file{"panel": panelAVX2(), "dots": dotsAVX2(), "panelfloat": panelFloatAVX2()})
	add("avxvnni", "avxvnni_amd64", avxVNNISet(), map[string]*file{"dots": dotsAVXVNNI()})
	add("neon", "neon_arm64", neonSet(), map[string]*file{"panel": panelNEON(), "dots": dotsNEON(), "panelfloat": panelFloatNEON()})
	add("neondot", "neondot_arm64", neonDotSet(), map[string]*file{"dots": dotsNEONDot()})
	add("neonmatrix", "neonmatrix_arm64", neonMatrixSet(), map[string]*file{"dots": dotsNEONMatrix()})
	return all
}

func main() {
	dir := "."
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	for name, text := range files() {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o666); err != nil {
			fmt.Fprintln(os.Stderr, "asmgen:", err)
			os.Exit(1)
		}
	}
}
