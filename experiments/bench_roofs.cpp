#include "experiments/bench_roofs.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

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

/// A block with an n x n matrix of ones.
struct Square {
  Square(Backend& backend, std::int64_t n, DType dtype)
      : block(backend.reserve(static_cast<std::size_t>(n * n) * size_of(dtype))),
        view{block.get(), dtype, n, n, n} {
    if (dtype == DType::BF16) {
      const Square wide(backend, n, DType::F32);
      backend.convert(wide.view, view);
    } else {
      backend.fill(1, view);
    }
  }
  Block block;
  MatrixView view;
};

/// Until all that was asked of the device is done. `memory`: any of its.
void wait_for(Backend& backend, const std::byte* memory) {
  std::byte first{};
  backend.copy_to_host(memory, &first, sizeof(first));
}

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

double measure_product_roof(Backend& backend, DType dtype) {
  constexpr std::int64_t n = 2048;
  constexpr int runs = 6;
  const Square a(backend, n, dtype), out(backend, n, dtype);
  const Square weight(backend, n, accumulation_dtype(dtype));
  const PreparedWeight prepared = backend.prepare_weight(weight.view, dtype);
  double best = best_seconds(runs, [&] {
    backend.linear(a.view, prepared, {}, out.view);
    wait_for(backend, out.block.get());
  });
  const Square b(backend, n, dtype);
  best = std::min(best, best_seconds(runs, [&] {
                    backend.matmul(1, a.view, false, b.view, true, 0, out.view);
                    wait_for(backend, out.block.get());
                  }));
  return 2.0 * static_cast<double>(n * n * n) / best;
}

double measure_copy_roof(Backend& backend, int threads) {
  constexpr std::int64_t count = 32 << 20;
  constexpr std::size_t bytes = count * sizeof(float);
  const Block from = backend.reserve(bytes), to = backend.reserve(bytes);
  auto* source = reinterpret_cast<float*>(from.get());
  auto* target = reinterpret_cast<float*>(to.get());
  backend.fill(0, {source, DType::F32, 1, count, count});
  backend.fill(0, {target, DType::F32, 1, count, count});
  if (backend.device() != DeviceKind::Cpu) {
    return 2 * static_cast<double>(bytes) / best_seconds(10, [&] {
             backend.add_scaled(1, {source, DType::F32, 1, count, count}, 0,
                                {target, DType::F32, 1, count, count});
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
