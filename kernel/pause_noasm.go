//go:build !(amd64 || arm64) || purego

package kernel

// pause does nothing, as Go has no such instruction.
func pause() {}
