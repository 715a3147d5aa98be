#include "benchmarks/kernel_kit.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace basis::benchmarks {

MatrixView Pool::matrix(std::int64_t rows, std::int64_t columns, DType dtype) {
  auto* const data = zeros<float>(rows * columns);
  // The same 64 thousand numbers again and again: kernels do not know, and drawing takes longer.
  const std::int64_t drawn = std::min<std::int64_t>(rows * columns, 1 << 16);
  for (std::int64_t i = 0; i < drawn; ++i) data[i] = static_cast<float>(stream_.normal());
  for (std::int64_t i = drawn; i < rows * columns; ++i) data[i] = data[i - drawn];
  const MatrixView wide{data, DType::F32, rows, columns, columns};
  if (dtype == DType::F32) return wide;
  const MatrixView out{zero_bytes(static_cast<std::size_t>(rows * columns) * size_of(dtype)), dtype,
                       rows, columns, columns};
  backend_.convert(wide, out);
  blocks_.erase(blocks_.end() - 2);
  return out;
}

std::byte* Pool::zero_bytes(std::size_t bytes) {
  blocks_.push_back(backend_.reserve(bytes));
  std::memset(blocks_.back().get(), 0, bytes);
  return blocks_.back().get();
}

Batch::Batch(int sequences, int length) {
  RandomStream stream(3, 3);
  offsets.push_back(0);
  for (int b = 0; b < sequences; ++b) {
    const int own = length > 0 ? length : 25 + static_cast<int>(stream.below(57));
    rows.insert(rows.end(), static_cast<std::size_t>(own), b);
    offsets.push_back(offsets.back() + own);
    longest = std::max(longest, own);
    pairs += static_cast<double>(own) * own;
  }
  rows.resize((rows.size() + 63) / 64 * 64, sequences - 1);
}

SequenceView Batch::view() const {
  return {offsets.data(),
          rows.data(),
          static_cast<std::int64_t>(rows.size()),
          static_cast<std::int64_t>(offsets.size()) - 1,
          longest,
          0};
}

Bench::Bench(Backend& on, int threads) : backend(on), pool(on), threads_(threads) {
  state.learning_rate[0] = 1e-5;
  state.bias_correction1 = 0.1;
  state.bias_correction2 = 0.001;
  WorkCount both;
  both.flops_f32 = 1;
  both.flops_bf16 = on.is_native(DType::BF16) ? 1 : 0;
  roofs = measure_roofs(on, threads, both);

  constexpr int repeats = 20;
  const MatrixView x = pool.matrix(1728, 384), y = pool.matrix(1728, 384);
  for (int run = 0; run < 10; ++run) {
    const auto start = std::chrono::steady_clock::now();
    for (int repeat = 0; repeat < repeats; ++repeat) on.convert(x, y);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const auto bytes = static_cast<double>(repeats * 8 * x.element_count());
    cached_bytes = std::max(cached_bytes, bytes / seconds.count());
  }
}

void Bench::flops(const std::string& name, DType dtype, double count, std::function<void()> work) {
  add(name, "GFLOP/s", count, dtype == DType::BF16 ? roofs.flops_bf16 : roofs.flops_f32,
      std::move(work));
}

void Bench::bytes(const std::string& name, double count, std::function<void()> work) {
  add(name, "GB/s", count, count < (16 << 20) ? cached_bytes : roofs.memory_bytes, std::move(work));
}

void Bench::add(const std::string& name, const char* unit, double amount, double roof,
                std::function<void()> work) {
  auto* registered = benchmark::RegisterBenchmark(
      name.c_str(), [=, work = std::move(work)](benchmark::State& run) {
        for (auto _ : run) work();
        const auto done = amount * static_cast<double>(run.iterations());
        run.counters[unit] = benchmark::Counter(done / 1e9, benchmark::Counter::kIsRate);
        run.counters["of_roof"] = benchmark::Counter(done / roof, benchmark::Counter::kIsRate);
      });
  registered->Unit(benchmark::kMicrosecond);
  // With one thread the processor's time is the measure: it forgets what else the machine does.
  if (threads_ > 1) registered->UseRealTime();
}

}  // namespace basis::benchmarks
