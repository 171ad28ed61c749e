// Package gguf reads GGUF files, versions 2 and 3, tensor by tensor, without
// loading them.
//
// A file is
//
//	"GGUF"  version u32  tensors u64  pairs u64
//	pairs × (key string, type u32, value)
//	tensors × (name string, dimensions u32, dimension u64 …, type u32, offset u64)
//	padding to a multiple of general.alignment, which is 32 by default
//	the data: tensors in the order of their offsets, each padded likewise
//
// with everything little-endian and strings as a u64 length and bytes. Counts and
// lengths are checked against the bytes of the file, so that a small file cannot cause
// a large allocation.
//
// Floats and the quantized types of most published models are read to exactly the
// float32s that ggml and the Python package gguf compute (testdata/quants.py). Tensors
// of other types are described, and their bytes can be read.
//
// The format is that of github.com/ggml-org/ggml/blob/master/docs/gguf.md.
package gguf
