// Package safetensors reads safetensors files tensor by tensor, without loading
// them.
//
// A file is
//
//	8 bytes   N, little-endian
//	N bytes   the header, a JSON object, padded with spaces:
//	          {"NAME": {"dtype": "F32", "shape": [4,6], "data_offsets": [0,96]}, …,
//	           "__metadata__": {"KEY": "VALUE", …}}
//	the rest  the data: row-major, little-endian, the tensors side by side
//
// [New] accepts nothing else: it rejects headers above 100 MB, keys that occur twice,
// data that tensors share or that belongs to none, shapes that do not fit their bytes
// or overflow, and files that end early or late. Callers can trust what it returns.
//
// The format is that of github.com/huggingface/safetensors.
package safetensors
