#include "benchmarks/kernel_kit.h"

#include <algorithm>
#include <chrono>

namespace basis::benchmarks {

namespace {

/// Whether a call returns before the work is done: so many are timed together then.
int calls_a_measurement(const Backend& backend) {
  return backend.is_asynchronous() ? 50 : 1;
}

}  // namespace

MatrixView Pool::matrix(std::int64_t rows, std::int64_t columns, DType dtype) {
  const std::int64_t count = rows * columns;
  const MatrixView wide{zeros<float>(count), DType::F32, rows, columns, columns};
  std::vector<float> drawn(static_cast<std::size_t>(std::min<std::int64_t>(count, 1 << 16)));
  for (float& number : drawn) number = static_cast<float>(stream_.normal());
  fill_repeating(backend_, drawn, wide);
  if (dtype == DType::F32) return wide;
  const MatrixView out{zero_bytes(static_cast<std::size_t>(count) * size_of(dtype)), dtype, rows,
                       columns, columns};
  backend_.convert(wide, out);
  wait_for(backend_, blocks_.back().get());
  blocks_.erase(blocks_.end() - 2);
  return out;
}

const std::int32_t* Pool::integers(const std::vector<std::int32_t>& values) {
  return reinterpret_cast<const std::int32_t*>(
      copied(values.data(), values.size() * sizeof(std::int32_t)));
}

const StepState* Pool::state(const StepState& state) {
  return reinterpret_cast<const StepState*>(copied(&state, sizeof(state)));
}

std::byte* Pool::copied(const void* host, std::size_t bytes) {
  blocks_.push_back(backend_.reserve(bytes));
  backend_.copy_to_device(host, blocks_.back().get(), bytes);
  return blocks_.back().get();
}

std::byte* Pool::zero_bytes(std::size_t bytes) {
  blocks_.push_back(backend_.reserve(bytes));
  std::byte* const memory = blocks_.back().get();
  const std::vector<std::byte> zeros(std::min<std::size_t>(bytes, 1 << 20));
  for (std::size_t done = 0; done < bytes; done += zeros.size()) {
    backend_.copy_to_device(zeros.data(), memory + done, std::min(bytes - done, zeros.size()));
  }
  return memory;
}

Batch::Batch(Pool& pool, int sequences, int length) {
  RandomStream stream(3, 3);
  std::vector<std::int32_t> offsets = {0}, rows;
  for (int b = 0; b < sequences; ++b) {
    const int own = length > 0 ? length : 25 + static_cast<int>(stream.below(57));
    rows.insert(rows.end(), static_cast<std::size_t>(own), b);
    offsets.push_back(offsets.back() + own);
    view.longest = std::max<std::int64_t>(view.longest, own);
    pairs += static_cast<double>(own) * own;
  }
  const std::size_t bucket = pool.row_bucket();
  rows.resize((rows.size() + bucket - 1) / bucket * bucket, sequences - 1);
  view.offsets = pool.integers(offsets);
  view.sequence_of_row = pool.integers(rows);
  view.rows = std::ssize(rows);
  view.sequences = sequences;
}

Bench::Bench(Backend& on, int threads) : backend(on), pool(on), threads_(threads) {
  StepState begin;
  begin.learning_rate[0] = 1e-5;
  begin.bias_correction1 = 0.1;
  begin.bias_correction2 = 0.001;
  state = pool.state(begin);
  WorkCount both;
  both.flops_f32 = 1;
  both.flops_bf16 = on.is_native(DType::BF16) ? 1 : 0;
  roofs = measure_roofs(on, threads, both);
  cached_bytes = roofs.memory_bytes;
  if (on.is_asynchronous()) return;

  cached_bytes = 0;
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
      name.c_str(), [=, this, work = std::move(work)](benchmark::State& run) {
        const int calls = calls_a_measurement(backend);
        for (auto _ : run) {
          for (int call = 0; call < calls; ++call) work();
          if (backend.is_asynchronous())
            wait_for(backend, reinterpret_cast<const std::byte*>(state));
        }
        const auto done = amount * calls * static_cast<double>(run.iterations());
        run.counters[unit] = benchmark::Counter(done / 1e9, benchmark::Counter::kIsRate);
        run.counters["of_roof"] = benchmark::Counter(done / roof, benchmark::Counter::kIsRate);
      });
  registered->Unit(benchmark::kMicrosecond);
  // With one thread the processor's time is the measure: it forgets what else the machine does.
  if (threads_ > 1 || backend.is_asynchronous()) registered->UseRealTime();
}

}  // namespace basis::benchmarks
