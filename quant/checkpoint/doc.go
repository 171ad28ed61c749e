// Package checkpoint opens, makes and verifies whole quantized checkpoints.
//
//	c, err := checkpoint.Open("model-bitmod4")                        // a file, a directory or an index
//	defer c.Close()
//	m, err := c.Matrix("model.layers.0.mlp.down_proj.weight")         // a *quant.Matrix
//	err = c.ReadRows(norm, "model.layers.0.input_layernorm.weight", 0, 1) // a float tensor
//
// Matrices of a program's own go to a file and back:
//
//	entries := []checkpoint.Entry{{Name: "mlp.up", Matrix: m}}
//	err = checkpoint.Save(ctx, "mlp.safetensors", entries, checkpoint.SaveOptions{})
//	c, err := checkpoint.Open("mlp.safetensors")
//
// A quantized checkpoint is made of ordinary safetensors files, sharded or not,
// that any safetensors reader opens. FORMAT.md beside this package specifies
// them. Each quantized tensor NAME is stored as four:
//
//	NAME.codes       U8  [rows, bytes]   the packed codes
//	NAME.scales      U8  [rows, groups]  the 8-bit scales
//	NAME.row_scales  F32 [rows]          the factor of all scales of a row
//	NAME.special     U8  [rows, bytes]   which codebook, so which special value, a group has
//
// If a tensor has rows of several types, each type has these four, NAME.0.codes and so
// on, and NAME.order has the type of each row. It is still one tensor and one Matrix.
// All other tensors are stored as they were. [Open] also reads checkpoints that are not
// quantized, from safetensors or GGUF files, so that the same calls serve both sides of
// a comparison.
//
// # GGUF
//
// A GGUF file whose general.architecture is llama (also Mistral's and Mixtral's
// models), qwen2, qwen3, qwen2moe, qwen3moe, phi3, gemma2, gemma3, olmo2, smollm3,
// gpt-oss, gpt2 or bert is opened as the Hugging Face model that llama.cpp's converter
// read: tensors have the original names, rows of queries and keys the original order,
// norms of Gemma and matrices of GPT-2 and gpt-oss their original form, and experts are
// separate tensors where they were. [Checkpoint.Companions] has config.json and
// tokenizer.json. A model of another family, or with a tensor or a key that its family
// does not have, keeps the names of llama.cpp and has no companions. The pooler of
// BERT, which the converter leaves out, stays missing.
//
// # Making one
//
// [NewPlan] decides about every tensor of a source, with the reason. It reads only
// headers and samples. By default it quantizes the weights of linear layers, see
// [Tensor.Role]. It knows them by the names in models of Hugging Face and llama.cpp,
// and by config.json and the shapes; if the name is unknown, it takes matrices of 16
// rows and 32 columns or more. [Plan.Run] quantizes and writes, a block of rows at a
// time, so that memory does not depend on the size of the checkpoint or its tensors.
// Files appear whole or not at all, and a second run continues after the files that are
// finished. Several machines can each run a part of a plan on shared storage; [Merge]
// then writes the index. [Verify] checks the result.
//
// A result that is a directory has all companions of the model, and its config.json
// tells other programs that they cannot read the weights. [Dequantize] writes weights
// that they can read.
//
// [Save] writes tensors from memory and copies or converts tensors of other
// checkpoints.
//
// # Where it is
//
// [OpenFS] opens a checkpoint that is embedded in a program, in an archive or in an
// object store, and [New] a file behind an [io.ReaderAt]. [OpenMapped] maps matrices
// into memory. [Checkpoint.Sections] returns their places in the files.
package checkpoint
