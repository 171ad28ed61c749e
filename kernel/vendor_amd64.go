//go:build amd64 && !purego

package kernel

// byAMD reports whether AMD made the processor. Some loops prefetch differently there.
var byAMD = vendor() == 'A'|'u'<<8|'t'<<16|'h'<<24 // the beginning of AuthenticAMD

// vendor returns the first four bytes of the processor's vendor.
func vendor() uint32
