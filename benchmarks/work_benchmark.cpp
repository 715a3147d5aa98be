// What stands around the step: the tokenizer by threads, bases by method, loading a model.
//   build/release/benchmarks/work_benchmark --benchmark_filter=svd

#include <algorithm>
#include <memory>

#include <benchmark/benchmark.h>
#include <omp.h>

#include "data/synthetic.h"
#include "experiments/bench_step.h"
#include "experiments/compute.h"
#include "experiments/restart.h"
#include "nn/checkpoint.h"
#include "nn/sequence_classifier.h"
#include "spectral/adapter_method.h"
#include "tensor/cpu/cpu_backend.h"

namespace {

using namespace basis;

/// Lines of 20 words of the synthetic language's vocabulary.
std::vector<std::string> lines(const std::vector<std::string>& vocabulary, int count) {
  std::vector<std::string> made(static_cast<std::size_t>(count));
  RandomStream stream(7, 7);
  for (std::string& line : made) {
    for (int word = 0; word < 20; ++word) {
      line += vocabulary[stream.below(static_cast<std::uint32_t>(vocabulary.size()))] + " ";
    }
  }
  return made;
}

void tokenize(benchmark::State& state) {
  const SyntheticLanguage language(0);
  const WordPieceTokenizer tokenizer(language.vocabulary(), WordPieceOptions{}, "synthetic");
  const std::vector<std::string> text = lines(language.vocabulary(), 20'000);
  const std::vector<std::string_view> views(text.begin(), text.end());
  std::int64_t bytes = 0, tokens = 0;
  for (const std::string& line : text) bytes += std::ssize(line);
  for (auto _ : state) {
    tokens = encode_all(tokenizer, views, static_cast<int>(state.range(0))).offsets.back();
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  state.SetItemsProcessed(state.iterations() * tokens);
}

/// A basis of a random weight (out, in), the k leading pairs or (k = 0) all.
void decompose(benchmark::State& state) {
  const std::unique_ptr<Backend> backend = make_cpu_backend(1);
  CachingAllocator memory(*backend);
  ParameterStore store;
  ModelBuilder builder(*backend, memory, store, nullptr, ModelOptions{}, 0.02);
  const Shape shape{state.range(0), state.range(1)};
  const HostWeight weight{"weight",
                          builder.weight("weight", shape, ParameterRole::Encoder).value()};
  const std::int64_t full = std::min(shape[0], shape[1]);
  const std::int64_t k = state.range(2) == 0 ? full : state.range(2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(basis_of_weight(weight, BasisKind::Leading, k, 0));
  }
}

/// A model folder to a classifier that can run: BASIS_BENCH_MODEL names it.
void load(benchmark::State& state, const std::string& folder) {
  for (auto _ : state) {
    Compute compute;
    Checkpoint checkpoint(folder);
    const SequenceClassifier model(compute.backend(), compute.memory(), BertConfig::read(folder), 2,
                                   &checkpoint, ModelOptions{});
    benchmark::DoNotOptimize(&model);
  }
}

void initialise(benchmark::State& state) {
  for (auto _ : state) {
    Compute compute;
    const SequenceClassifier model(compute.backend(), compute.memory(), bench_size("minilm"), 2,
                                   nullptr, ModelOptions{});
    benchmark::DoNotOptimize(&model);
  }
}

}  // namespace

int main(int argc, char** argv) {
  basis::restart_for_libraries(argv);
  benchmark::Initialize(&argc, argv);
  auto* const by_threads = benchmark::RegisterBenchmark("tokenize/threads", tokenize);
  by_threads->UseRealTime()->Unit(benchmark::kMillisecond)->Arg(1);
  if (chosen_threads() > 1) by_threads->Arg(chosen_threads());
  auto* const svd = benchmark::RegisterBenchmark("svd", decompose);
  svd->Unit(benchmark::kMillisecond)->ArgNames({"out", "in", "k"});
  for (const std::int64_t H : {384, 768}) {
    for (const std::int64_t k : {8, 32, 0}) {
      svd->Args({H, H, k})->Args({4 * H, H, k});
    }
  }
  if (const char* const folder = std::getenv("BASIS_BENCH_MODEL")) {
    benchmark::RegisterBenchmark("load_model", load, std::string(folder))
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("random_model/minilm", initialise)->Unit(benchmark::kMillisecond);
  benchmark::RunSpecifiedBenchmarks();
}
