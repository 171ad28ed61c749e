// Bench runs llama.cpp through its public API:
//
//	bench quantize IN OUT TYPE PURE [IMATRIX [EMBEDDING]]
//	                                      quantizes a GGUF file; TYPE is a llama_ftype, IMATRIX a GGUF
//	                                      file of importances or "", EMBEDDING the type of the embedding
//	bench speed FILE THREADS PROMPT NEW   prints two medians of three rounds: tokens a second of
//	                                      a prompt, and of NEW tokens one by one from an empty cache
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "ggml.h"
#include "gguf.h"
#include "llama.h"

namespace {

double seconds() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

// Importances has the mean squares of the inputs of matrices, by the names of tensors.
struct Importances {
  std::map<std::string, std::vector<float>> means;
  std::vector<llama_model_imatrix_data> list;  // of means; the last has no name

  bool read(const char *path) {
    ggml_context *tensors = nullptr;
    gguf_context *file = gguf_init_from_file(path, {false, &tensors});
    if (file == nullptr) return false;
    const std::string suffix = ".in_sum2";
    for (auto t = ggml_get_first_tensor(tensors); t != nullptr; t = ggml_get_next_tensor(tensors, t)) {
      std::string name = t->name;
      if (name.size() < suffix.size() || name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) continue;
      name.resize(name.size() - suffix.size());
      auto counts = ggml_get_tensor(tensors, (name + ".counts").c_str());
      if (counts == nullptr || t->ne[1] != 1 || *ggml_get_data_f32(counts) <= 0) return false;
      auto sums = ggml_get_data_f32(t);
      auto &m = means[name];
      for (int64_t i = 0; i < t->ne[0]; i++) m.push_back(sums[i] / *ggml_get_data_f32(counts));
    }
    gguf_free(file);
    ggml_free(tensors);
    for (auto &m : means) list.push_back({m.first.c_str(), m.second.data(), m.second.size()});
    list.push_back({nullptr, nullptr, 0});
    return !means.empty();
  }
};

ggml_type find_type(const std::string &name) {
  for (int t = 0; t < GGML_TYPE_COUNT; t++) {
    const char *known = ggml_type_name(static_cast<ggml_type>(t));
    if (known != nullptr && name == known) return static_cast<ggml_type>(t);
  }
  return GGML_TYPE_COUNT;
}

int quantize(const std::vector<std::string> &args) {
  auto params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(atoi(args[2].c_str()));
  params.pure = args[3] != "0";
  Importances importances;
  if (args.size() > 4 && !args[4].empty()) {
    if (!importances.read(args[4].c_str())) {
      fprintf(stderr, "%s is no importance matrix\n", args[4].c_str());
      return 1;
    }
    params.imatrix = importances.list.data();
  }
  if (args.size() > 5) {
    params.token_embedding_type = params.output_tensor_type = find_type(args[5]);
    if (params.token_embedding_type == GGML_TYPE_COUNT) {
      fprintf(stderr, "no type %s\n", args[5].c_str());
      return 1;
    }
  }
  return llama_model_quantize(args[0].c_str(), args[1].c_str(), &params) == 0 ? 0 : 1;
}

bool decode(llama_context *context, llama_token *tokens, int n) {
  if (llama_decode(context, llama_batch_get_one(tokens, n)) != 0) {
    fputs("llama_decode failed\n", stderr);
    return false;
  }
  llama_synchronize(context);
  return true;
}

int speed(char **args) {
  llama_model *model = llama_model_load_from_file(args[0], llama_model_default_params());
  if (model == nullptr) return 1;
  const int threads = atoi(args[1]), prompt = atoi(args[2]), fresh = atoi(args[3]);
  auto params = llama_context_default_params();
  params.n_ctx = prompt + fresh;
  params.n_batch = params.n_ubatch = prompt;
  params.n_threads = params.n_threads_batch = threads;
  llama_context *context = llama_init_from_model(model, params);
  if (context == nullptr) return 1;
  const int vocabulary = llama_vocab_n_tokens(llama_model_get_vocab(model));
  std::vector<double> prompts, singles;
  for (int round = 0; round < 3; round++) {
    std::vector<llama_token> tokens(prompt);
    for (auto &token : tokens) token = rand() % vocabulary;
    llama_memory_clear(llama_get_memory(context), true);
    double start = seconds();
    if (!decode(context, tokens.data(), prompt)) return 1;
    prompts.push_back(prompt / (seconds() - start));
    llama_memory_clear(llama_get_memory(context), true);
    start = seconds();
    for (int i = 0; i < fresh; i++)
      if (!decode(context, &tokens[i], 1)) return 1;
    singles.push_back(fresh / (seconds() - start));
  }
  std::sort(prompts.begin(), prompts.end());
  std::sort(singles.begin(), singles.end());
  printf("%.2f %.2f\n", prompts[1], singles[1]);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  llama_log_set([](ggml_log_level level, const char *text, void *) {
    if (level >= GGML_LOG_LEVEL_ERROR) fputs(text, stderr);
  }, nullptr);
  llama_backend_init();
  const std::string command = argc > 1 ? argv[1] : "";
  if (command == "quantize" && argc >= 6 && argc <= 8) return quantize({argv + 2, argv + argc});
  if (command == "speed" && argc == 6) return speed(argv + 2);
  fputs("usage: bench quantize IN OUT TYPE PURE [IMATRIX [EMBEDDING]] | bench speed FILE THREADS PROMPT NEW\n", stderr);
  return 2;
}
