// Asmgen writes the assembly of package loops.
//
//	go generate ./internal/loops
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// files returns the files by name.
func files() map[string][]byte {
	return map[string][]byte{
		"panel_avx512_amd64.s": panelAVX512().Bytes(),
		"dots_avx512_amd64.s":  dotsAVX512().Bytes(),
	}
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
