// Bench runs llama.cpp through its public API:
//
//	bench quantize IN OUT TYPE PURE       quantizes a GGUF file; TYPE is a llama_ftype
//	bench speed FILE THREADS PROMPT NEW   prints two medians of three rounds: tokens a second of
//	                                      a prompt, and of NEW tokens one by one from an empty cache
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "llama.h"

namespace {

double seconds() {
  using clock = std::chrono::steady_clock;
  return std::chrono::duration<double>(clock::now().time_since_epoch()).count();
}

int quantize(char **args) {
  auto params = llama_model_quantize_default_params();
  params.ftype = static_cast<llama_ftype>(atoi(args[2]));
  params.pure = atoi(args[3]) != 0;
  return llama_model_quantize(args[0], args[1], &params) == 0 ? 0 : 1;
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
  const std::string command = argc == 6 ? argv[1] : "";
  if (command == "quantize") return quantize(argv + 2);
  if (command == "speed") return speed(argv + 2);
  fputs("usage: bench quantize IN OUT TYPE PURE | bench speed FILE THREADS PROMPT NEW\n", stderr);
  return 2;
}
