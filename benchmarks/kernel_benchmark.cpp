// Each kernel at the sizes of a MiniLM and a BERT-base step (MRPC, 32 pairs: about 1,700 tokens,
// widths 384 and 768) and, where it is bound by memory, on data beyond the cache ("far"),
// in GFLOP/s or GB/s beside a roof measured in the same process: a large product of that dtype, and
// a copy with non-temporal stores. Bytes are the compulsory ones: each operand once. BASIS_ISA and
// BASIS_THREADS choose; bf16 where the processor has it. On a GPU fifty calls are timed together.
//   build/release/benchmarks/kernel_benchmark --benchmark_filter=attention [--device=cuda]

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include <omp.h>

#include "benchmarks/kernel_kit.h"
#include "experiments/compute.h"
#include "experiments/restart.h"
#include "tensor/cpu/isa.h"
#include "tensor/error.h"

namespace {

/// Takes --device=NAME out of the arguments; "cpu" where there is none.
std::string take_device(int& argc, char** argv) {
  constexpr std::string_view flag = "--device=";
  std::string device = "cpu";
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(flag)) {
      device = argument.substr(flag.size());
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return device;
}

int run(int argc, char** argv) {
  using namespace basis;
  const std::string device = take_device(argc, argv);
  benchmark::Initialize(&argc, argv);
  const std::unique_ptr<Backend> backend = make_backend(device, 0, false);
  const int threads = chosen_threads();
  omp_set_num_threads(threads);
  benchmarks::Bench bench(*backend, threads);
  for (const auto& [key, value] : backend->description()) benchmark::AddCustomContext(key, value);
  auto giga = [](double value) { return std::to_string(value / 1e9); };
  benchmark::AddCustomContext("roof f32 GFLOP/s", giga(bench.roofs.flops_f32));
  benchmark::AddCustomContext("roof bf16 GFLOP/s", giga(bench.roofs.flops_bf16));
  benchmark::AddCustomContext("roof GB/s beyond the cache", giga(bench.roofs.memory_bytes));
  benchmark::AddCustomContext("roof GB/s in the cache", giga(bench.cached_bytes));

  for (const DType dtype : {DType::F32, DType::BF16}) {
    if (!backend->is_native(dtype)) continue;
    benchmarks::add_products(bench, dtype);
    benchmarks::add_attention(bench, dtype);
    benchmarks::add_rows(bench, dtype);
    benchmarks::add_tables(bench, dtype);
    benchmarks::add_row_table(bench, dtype);
  }
  benchmarks::add_optimizer(bench);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  basis::restart_for_libraries(argv);
  try {
    return run(argc, argv);
  } catch (const basis::Error& error) {
    std::fprintf(stderr, "kernel_benchmark: %s\n", error.what());
    return 2;
  }
}
