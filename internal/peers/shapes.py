"""shapes.py OUT.gguf: writes a model in the shapes of Llama-3.2-1B, in float16, whose
weights are random. It needs the PyPI packages numpy and gguf."""

import sys

import gguf
import numpy

HIDDEN, LAYERS, HEADS, KV_HEADS, HEAD, FEED_FORWARD, VOCABULARY = 2048, 16, 32, 8, 64, 8192, 128256

random = numpy.random.default_rng(1)
writer = gguf.GGUFWriter(sys.argv[1], "llama")
writer.add_context_length(4096)
writer.add_embedding_length(HIDDEN)
writer.add_block_count(LAYERS)
writer.add_feed_forward_length(FEED_FORWARD)
writer.add_head_count(HEADS)
writer.add_head_count_kv(KV_HEADS)
writer.add_rope_dimension_count(HEAD)
writer.add_rope_freq_base(500000.0)
writer.add_layer_norm_rms_eps(1e-5)
writer.add_vocab_size(VOCABULARY)
writer.add_tokenizer_model("llama")
writer.add_token_list([f"<{i}>" for i in range(VOCABULARY)])
writer.add_token_scores([0.0] * VOCABULARY)
writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (VOCABULARY - 3))
writer.add_bos_token_id(1)
writer.add_eos_token_id(2)


def matrix(name, rows, cols):
    values = random.standard_normal((rows, cols), dtype=numpy.float32) * numpy.float32(0.02)
    writer.add_tensor(f"{name}.weight", values.astype(numpy.float16))


def norm(name):
    writer.add_tensor(f"{name}.weight", numpy.ones(HIDDEN, numpy.float32))


matrix("token_embd", VOCABULARY, HIDDEN)
norm("output_norm")
for layer in range(LAYERS):
    block = f"blk.{layer}."
    norm(block + "attn_norm")
    matrix(block + "attn_q", HEADS * HEAD, HIDDEN)
    matrix(block + "attn_k", KV_HEADS * HEAD, HIDDEN)
    matrix(block + "attn_v", KV_HEADS * HEAD, HIDDEN)
    matrix(block + "attn_output", HIDDEN, HEADS * HEAD)
    norm(block + "ffn_norm")
    matrix(block + "ffn_gate", FEED_FORWARD, HIDDEN)
    matrix(block + "ffn_up", FEED_FORWARD, HIDDEN)
    matrix(block + "ffn_down", HIDDEN, FEED_FORWARD)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
