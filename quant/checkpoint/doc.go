// Package checkpoint opens, makes and verifies whole quantized checkpoints.
//
//	c, err := checkpoint.Open("model-bitmod4")                        // a file, a directory or an index
//	defer c.Close()
//	m, err := c.Matrix("model.layers.0.mlp.down_proj.weight")         // a *quant.Matrix
//	err = c.ReadRows(norm, "model.layers.0.input_layernorm.weight", 0, 1) // a float tensor
//
// A quantized checkpoint is made of ordinary safetensors files, sharded or not,
// that any safetensors reader opens. FORMAT.md beside this package specifies
// them. Each quantized tensor NAME is stored as four:
//
//	NAME.codes       U8  [rows, bytes]   the packed codes
//	NAME.scales      U8  [rows, groups]  the 8-bit scales
//	NAME.row_scales  F32 [rows]          the scale that those of a row are multiplied by
//	NAME.special     U8  [rows, bytes]   which codebook, so which special value, a group has
//
// If a tensor has rows of several types, each of these has four, NAME.0.codes and so
// on, and NAME.order says which type each row is of: it is one tensor, and one Matrix,
// all the same. All others are stored as they were. [Open] also reads checkpoints that are
// not quantized, from safetensors or GGUF files, so that one set of calls serves
// both sides of a comparison.
//
// # GGUF
//
// A GGUF file whose general.architecture is llama (also Mistral's and Mixtral's
// models), qwen2, qwen3, qwen2moe, qwen3moe, phi3, gemma2, gemma3, olmo2, smollm3,
// gpt-oss, gpt2 or bert is opened as the Hugging Face model that llama.cpp's converter
// made it of: tensors have its names, the rows of queries and keys its order, norms
// of Gemma and matrices of GPT-2 and gpt-oss their own form, and experts are one by
// one where they were. [Checkpoint.Companions] has its config.json and tokenizer.json.
// A model with a tensor or a key that its family has not, or of another one, keeps
// llama.cpp's names, and has no companions. What the converter leaves out can't come
// back: the pooler of BERT.
//
// # Making one
//
// [NewPlan] decides about every tensor of a source, with the reason; nothing is
// read but headers and samples. By default it takes the weights of linear layers,
// as [Tensor.Role] has them: by the names of the models of Hugging Face and of
// llama.cpp, and by what config.json and the shapes say; of names that say nothing,
// matrices of 16 rows and 32 columns or more. [Plan.Run] quantizes and writes, a block of rows
// at a time, so that memory does not depend on the size of the checkpoint or its
// tensors. Files appear whole or not at all, and a second run goes on after
// those that are finished. Several machines can each run a part of a plan on
// shared storage; [Merge] then writes the index. [Verify] checks the result.
//
// A result that is a directory has all that belongs to the model, and a
// config.json from which others see that they can't read the weights;
// [Dequantize] writes those that they can.
//
// [Save] writes tensors that are in memory, and copies those of other checkpoints as
// they are, or converted.
//
// # Where it is
//
// [OpenFS] opens what is embedded in a program, in an archive or in an object store,
// and [New] a file of which there is an [io.ReaderAt]. [OpenMapped] leaves matrices
// in the file, and [Checkpoint.Sections] says where that has them.
package checkpoint
