// Matrices times ggml's products of a matrix and some vectors. It reads cases from standard
// input, a line each,
//
//	TYPE ROWS COLS VECTORS THREADS MIB
//
// and prints each line again with how many billion products of a weight and an activation
// a second ggml makes, from plain and from repacked weights (0 where it does not repack).
// Copies of the matrix of MIB together take turns, so that weights come from memory; 0 is
// one copy, from the cache.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "ggml.h"

namespace {

double seconds() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

ggml_type find_type(const char *name) {
  for (int t = 0; t < GGML_TYPE_COUNT; t++) {
    const char *known = ggml_type_name(static_cast<ggml_type>(t));
    if (known != nullptr && strcasecmp(known, name) == 0) return static_cast<ggml_type>(t);
  }
  return GGML_TYPE_COUNT;
}

ggml_backend_buffer_type_t repacking() {
  auto device = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  auto find = reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
      ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts"));
  if (find == nullptr) return nullptr;
  for (auto types = find(device); types != nullptr && *types != nullptr; types++)
    if (strcmp(ggml_backend_buft_name(*types), "CPU_REPACK") == 0) return *types;
  return nullptr;
}

// measure returns the median of repeated measurements, 0 if ggml can't.
double measure(ggml_backend_t cpu, ggml_backend_buffer_type_t buffers, ggml_type type, long rows, long cols, long vectors, long mib) {
  if (buffers == nullptr) return 0;
  const size_t bytes = ggml_row_size(type, cols) * rows;
  const size_t copies = std::max<size_t>(1, (static_cast<size_t>(mib) << 20) / bytes);
  const ggml_init_params params{2 * copies * ggml_tensor_overhead() + ggml_graph_overhead_custom(2 * copies + 8, false) + 4096, nullptr, true};
  ggml_context *weights = ggml_init(params), *rest = ggml_init(params);
  std::vector<ggml_tensor *> matrices(copies);
  for (auto &m : matrices) m = ggml_new_tensor_2d(weights, type, cols, rows);
  ggml_tensor *x = ggml_new_tensor_2d(rest, GGML_TYPE_F32, cols, vectors);
  ggml_cgraph *graph = ggml_new_graph_custom(rest, 2 * copies + 8, false);
  auto memory = ggml_backend_alloc_ctx_tensors_from_buft(weights, buffers);
  double rate = 0;
  if (memory != nullptr) {
    bool able = true;
    for (auto m : matrices) {
      ggml_tensor *y = ggml_mul_mat(rest, m, x);
      able = able && ggml_backend_supports_op(cpu, y);
      ggml_build_forward_expand(graph, y);
    }
    auto others = able ? ggml_backend_alloc_ctx_tensors(rest, cpu) : nullptr;
    if (others != nullptr) {
      std::mt19937 random(1);
      std::normal_distribution<float> normal;
      std::vector<float> values(std::max(rows, vectors) * cols);
      for (auto &v : values) v = normal(random);
      std::vector<char> packed(bytes);
      ggml_quantize_chunk(type, values.data(), packed.data(), 0, rows, cols, nullptr);
      for (auto m : matrices) ggml_backend_tensor_set(m, packed.data(), 0, bytes);
      ggml_backend_tensor_set(x, values.data(), 0, sizeof(float) * vectors * cols);
      ggml_backend_graph_compute(cpu, graph);
      double start = seconds();
      ggml_backend_graph_compute(cpu, graph);
      const int times = std::max(1, static_cast<int>(0.01 / (seconds() - start)));
      std::vector<double> all;
      for (double begin = seconds(); all.size() < 3 || seconds() - begin < 0.06;) {
        start = seconds();
        for (int i = 0; i < times; i++) ggml_backend_graph_compute(cpu, graph);
        all.push_back((seconds() - start) / times / copies);
      }
      std::sort(all.begin(), all.end());
      rate = static_cast<double>(rows) * cols * vectors / all[all.size() / 2] / 1e9;
      ggml_backend_buffer_free(others);
    }
    ggml_backend_buffer_free(memory);
  }
  ggml_free(rest);
  ggml_free(weights);
  return rate;
}

}  // namespace

int main() {
  ggml_log_set([](ggml_log_level level, const char *text, void *) {
    if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
  }, nullptr);
  char name[64];
  long rows, cols, vectors, threads, mib;
  auto repacked = repacking();
  while (scanf("%63s %ld %ld %ld %ld %ld", name, &rows, &cols, &vectors, &threads, &mib) == 6) {
    const ggml_type type = find_type(name);
    if (type == GGML_TYPE_COUNT || cols % ggml_blck_size(type) != 0) {
      fprintf(stderr, "matrices: ggml has no %s of %ld columns\n", name, cols);
      return 1;
    }
    // A new backend has threads that wait for work without sleeping.
    ggml_backend_t cpu = ggml_backend_cpu_init();
    auto params = ggml_threadpool_params_default(static_cast<int>(threads));
    params.poll = 100;
    auto pool = ggml_threadpool_new(&params);
    ggml_backend_cpu_set_n_threads(cpu, static_cast<int>(threads));
    ggml_backend_cpu_set_threadpool(cpu, pool);
    const double plain = measure(cpu, ggml_backend_cpu_buffer_type(), type, rows, cols, vectors, mib);
    const double packed = measure(cpu, repacked, type, rows, cols, vectors, mib);
    printf("%s %ld %ld %ld %ld %ld %.3f %.3f\n", name, rows, cols, vectors, threads, mib, plain, packed);
    fflush(stdout);
    ggml_backend_free(cpu);
    ggml_threadpool_free(pool);
  }
  return 0;
}
