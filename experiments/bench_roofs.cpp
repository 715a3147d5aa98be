#include "experiments/bench_roofs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "tensor/philox.h"

namespace basis {

namespace {

double best_seconds(int runs, const std::function<void()>& work) {
  double best = 1e9;
  for (int run = 0; run < runs; ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::min(best, seconds.count());
  }
  return best;
}

/// How a roof is measured: a GPU takes larger work, and many calls in a row, for what it takes to
/// begin and to wait is as long as a small product.
struct Effort {
  std::int64_t product_size, copied_floats;
  int calls;
};
Effort effort_on(const Backend& backend) {
  if (backend.device() == DeviceKind::Cpu) return {2048, std::int64_t{32} << 20, 1};
  return {8192, std::int64_t{256} << 20, 20};
}

/// Numbers between -1 and 1, the same few again and again: a GPU is faster on ones, which take less
/// power, and on a CPU they are all alike.
void fill_with_numbers(Backend& backend, MatrixView view) {
  if (backend.device() == DeviceKind::Cpu) return backend.fill(1, view);
  RandomStream stream(1, 1);
  std::vector<float> numbers(std::size_t{1} << 20);
  for (float& number : numbers) number = static_cast<float>(2 * stream.uniform() - 1);
  fill_repeating(backend, numbers, view);
}

/// A block with an n x n matrix of numbers.
struct Square {
  Square(Backend& backend, std::int64_t n, DType dtype)
      : block(backend.reserve(static_cast<std::size_t>(n * n) * size_of(dtype))),
        view{block.get(), dtype, n, n, n} {
    if (dtype == DType::BF16) {
      const Square wide(backend, n, DType::F32);
      backend.convert(wide.view, view);
    } else if (dtype == DType::F32) {
      fill_with_numbers(backend, view);
    } else {
      backend.fill(1, view);
    }
  }
  Block block;
  MatrixView view;
};

void copy_past_cache(int threads, const float* from, float* to, std::int64_t count) {
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < count; i += 16) {
#if defined(__x86_64__)
    for (std::int64_t j = i; j < i + 16; j += 4) _mm_stream_ps(to + j, _mm_load_ps(from + j));
#else
    std::memcpy(to + i, from + i, 16 * sizeof(float));
#endif
  }
}

}  // namespace

void wait_for(Backend& backend, const std::byte* memory) {
  std::byte first{};
  backend.copy_to_host(memory, &first, sizeof(first));
}

void fill_repeating(Backend& backend, std::span<const float> numbers, MatrixView out) {
  auto* to = static_cast<float*>(out.data);
  for (std::int64_t rest = out.element_count(); rest > 0;) {
    const std::int64_t count = std::min<std::int64_t>(rest, std::ssize(numbers));
    backend.copy_to_device(numbers.data(), to, static_cast<std::size_t>(count) * sizeof(float));
    to += count;
    rest -= count;
  }
}

double measure_product_roof(Backend& backend, DType dtype) {
  const Effort effort = effort_on(backend);
  const std::int64_t n = effort.product_size;
  // f32 takes a GPU fifteen times as long.
  const int calls = dtype == DType::BF16 ? effort.calls : std::min(effort.calls, 3);
  constexpr int runs = 6;
  const Square a(backend, n, dtype), out(backend, n, dtype);
  const Square weight(backend, n, accumulation_dtype(dtype));
  const PreparedWeight prepared = backend.prepare_weight(weight.view, dtype);
  double best = best_seconds(runs, [&] {
    for (int call = 0; call < calls; ++call) {
      backend.linear(a.view, prepared, {}, out.view);
    }
    wait_for(backend, out.block.get());
  });
  const Square b(backend, n, dtype);
  best = std::min(best, best_seconds(runs, [&] {
                    for (int call = 0; call < calls; ++call) {
                      backend.matmul(1, a.view, false, b.view, true, 0, out.view);
                    }
                    wait_for(backend, out.block.get());
                  }));
  return 2.0 * static_cast<double>(n * n * n) * calls / best;
}

double measure_copy_roof(Backend& backend, int threads) {
  const Effort effort = effort_on(backend);
  const std::int64_t count = effort.copied_floats;
  const auto bytes = static_cast<std::size_t>(count) * sizeof(float);
  const Block from = backend.reserve(bytes), to = backend.reserve(bytes);
  auto* source = reinterpret_cast<float*>(from.get());
  auto* target = reinterpret_cast<float*>(to.get());
  backend.fill(0, {source, DType::F32, 1, count, count});
  backend.fill(0, {target, DType::F32, 1, count, count});
  if (backend.device() != DeviceKind::Cpu) {
    return 2 * static_cast<double>(bytes) * effort.calls / best_seconds(3, [&] {
             for (int call = 0; call < effort.calls; ++call) {
               backend.add_scaled(1, {source, DType::F32, 1, count, count}, 0,
                                  {target, DType::F32, 1, count, count});
             }
             wait_for(backend, to.get());
           });
  }
  return 2 * static_cast<double>(bytes) /
         best_seconds(10, [&] { copy_past_cache(threads, source, target, count); });
}

Roofs measure_roofs(Backend& backend, int threads, const WorkCount& count) {
  Roofs roofs;
  roofs.memory_bytes = measure_copy_roof(backend, threads);
  if (count.flops_f32 > 0) roofs.flops_f32 = measure_product_roof(backend, DType::F32);
  if (count.flops_bf16 > 0) roofs.flops_bf16 = measure_product_roof(backend, DType::BF16);
  if (count.flops_f64 > 0) roofs.flops_f64 = measure_product_roof(backend, DType::F64);
  return roofs;
}

double floor_seconds(const WorkCount& count, const Roofs& roofs) {
  const auto by = [](double amount, double rate) { return amount == 0 ? 0 : amount / rate; };
  return by(count.flops_f32, roofs.flops_f32) + by(count.flops_bf16, roofs.flops_bf16) +
         by(count.flops_f64, roofs.flops_f64) + by(count.bytes, roofs.memory_bytes);
}

}  // namespace basis
