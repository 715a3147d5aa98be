// The whole step by model, method, dtype, length, batch and threads, on drawn tokens: tokens/s, the
// step by its floor, and memory. One step of `basis bench step` an iteration, timed by itself.
//   build/release/benchmarks/step_benchmark --benchmark_filter=minilm/full

#include <algorithm>
#include <memory>

#include <benchmark/benchmark.h>

#include "experiments/bench_step.h"
#include "experiments/compute.h"
#include "experiments/config_fields.h"
#include "experiments/restart.h"
#include "tensor/cpu/cpu_backend.h"

namespace {

using namespace basis;

struct Case {
  std::string size = "minilm";
  std::string method = "full";
  std::string dtype = "f32";
  std::int64_t batch = 32;
  std::int64_t max_length = 128;
  int threads = 0;  // all
  bool is_evaluation = false;
  bool recomputes_layers = false;

  std::string name() const {
    return size + "/" + (is_evaluation ? "evaluation" : method) + "/" + dtype + "/batch_" +
           std::to_string(batch) + "/longest_" + std::to_string(max_length) + "/threads_" +
           std::to_string(threads) + (recomputes_layers ? "/recompute" : "");
  }
};

void measure(benchmark::State& state, const Case& one, Cache& cache) {
  constexpr std::int64_t warmup = 2;
  BenchStepOptions options;
  options.config = bench_size(one.size);
  options.method = method_preset(one.method);
  options.dtype = one.dtype;
  options.threads = one.threads;
  options.is_evaluation = one.is_evaluation;
  options.recomputes_layers = one.recomputes_layers;
  options.warmup_steps = warmup;
  options.cache = &cache;
  DrawnBatches drawn;
  drawn.steps = warmup + static_cast<std::int64_t>(state.max_iterations);
  drawn.examples = one.batch;
  drawn.max_length = one.max_length;
  options.batches = draw_batches(drawn);
  reset_peak_memory();
  const BenchStepResult result = bench_step(options);
  for (auto _ : state) state.SetIterationTime(result.step_s);
  state.counters["tokens/s"] = result.tokens_per_s;
  state.counters["over_floor"] = result.step_over_floor;
  state.counters["GFLOP/s"] = result.work.flops() / result.step_s / 1e9;
  state.counters["peak_MiB"] = result.peak_mib;
  state.counters["arena_MiB"] = result.arena_mib;
}

std::vector<Case> cases(int threads) {
  std::vector<Case> all;
  const std::vector<std::string> dtypes = make_cpu_backend()->is_native(DType::BF16)
                                              ? std::vector<std::string>{"f32", "bf16"}
                                              : std::vector<std::string>{"f32"};
  for (const std::string& dtype : dtypes) {
    const Case one{.dtype = dtype, .threads = threads};
    auto add = [&](auto&& change) {
      all.push_back(one);
      change(all.back());
    };
    for (const char* method : {"full", "head", "bitfit", "lora", "spectral-core",
                               "spectral-diagonal", "spectral-band"}) {
      add([&](Case& c) { c.method = method; });
    }
    add([](Case& c) { c.is_evaluation = true; });
    add([](Case& c) { c.recomputes_layers = true; });
    for (const std::int64_t batch : {1, 8, 128}) add([&](Case& c) { c.batch = batch; });
    add([](Case& c) { c.max_length = 32; });
    for (const char* size : {"tiny", "mini", "small", "base"}) add([&](Case& c) { c.size = size; });
    for (int t = 1; t < threads; t *= 2) add([&](Case& c) { c.threads = t; });
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  basis::restart_for_libraries(argv);
  benchmark::Initialize(&argc, argv);
  Cache cache(Cache::default_folder());
  for (const auto& [key, value] : make_cpu_backend()->description()) {
    benchmark::AddCustomContext(key, value);
  }
  for (const Case& one : cases(chosen_threads())) {
    benchmark::RegisterBenchmark(
        one.name().c_str(), [one, &cache](benchmark::State& state) { measure(state, one, cache); })
        ->UseManualTime()
        ->Iterations(8)
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RunSpecifiedBenchmarks();
}
