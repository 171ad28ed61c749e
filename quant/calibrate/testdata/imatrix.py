"""imatrix.py: writes imatrix.gguf as llama.cpp's program imatrix does. Needs the packages gguf and numpy."""
import gguf
import numpy as np

w = gguf.GGUFWriter("imatrix.gguf", "")
w.add_type("imatrix")
w.add_array("imatrix.datasets", ["x.txt"])
w.add_uint32("imatrix.chunk_count", 2)
w.add_uint32("imatrix.chunk_size", 512)
for name, counts in ("blk.0.attn_q.weight", [4]), ("blk.0.ffn_up_exps.weight", [4, 2]):
    sums = np.arange(8 * len(counts), dtype=np.float32).reshape(-1, 8)
    w.add_tensor(name + ".in_sum2", sums)
    w.add_tensor(name + ".counts", np.array(counts, dtype=np.float32).reshape(-1, 1))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
