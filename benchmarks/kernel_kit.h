#pragma once

#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "experiments/bench_roofs.h"

namespace basis::benchmarks {

/// Matrices in the backend's memory, filled with random numbers.
class Pool {
 public:
  explicit Pool(Backend& backend) : backend_(backend) {}
  MatrixView matrix(std::int64_t rows, std::int64_t columns, DType dtype = DType::F32);
  template <class T>
  T* zeros(std::int64_t count) {
    return reinterpret_cast<T*>(zero_bytes(static_cast<std::size_t>(count) * sizeof(T)));
  }
  /// Copies; the same numbers in the backend's memory.
  const std::int32_t* integers(const std::vector<std::int32_t>& values);
  const StepState* state(const StepState& state);
  /// Packed rows are rounded up to a multiple of this.
  std::size_t row_bucket() const { return static_cast<std::size_t>(backend_.row_bucket()); }
  Workspace workspace(std::size_t bytes) { return {zero_bytes(bytes), bytes}; }

 private:
  std::byte* zero_bytes(std::size_t bytes);
  std::byte* copied(const void* host, std::size_t bytes);

  Backend& backend_;
  RandomStream stream_{1, 1};
  std::vector<Block> blocks_;
};

/// Sequences of 25 to 81 tokens, 53 on average, as MRPC's pairs; or all of one length.
struct Batch {
  Batch(Pool& pool, int sequences, int length);

  SequenceView view;
  double pairs = 0;  // sum of squared lengths
};

/// Registers kernels with what they do a second beside what the machine gives at most.
class Bench {
 public:
  Bench(Backend& backend, int threads);

  /// The roof is that of a product in `dtype`.
  void flops(const std::string& name, DType dtype, double count, std::function<void()> work);
  /// The roof is the cache's where everything fits into half of 32 MiB, else a copy's beyond it.
  void bytes(const std::string& name, double count, std::function<void()> work);

  Backend& backend;
  Pool pool;
  const StepState* state = nullptr;  // in the backend's memory
  Roofs roofs;
  /// Of a copy within the last-level cache, read + written, per second. On a GPU that of any copy.
  double cached_bytes = 0;

 private:
  void add(const std::string& name, const char* unit, double amount, double roof,
           std::function<void()> work);

  int threads_;
};

// One file each. Names are KERNEL/SIZES/DTYPE.
void add_products(Bench&, DType);
void add_attention(Bench&, DType);
void add_rows(Bench&, DType);
void add_tables(Bench&, DType);
void add_row_table(Bench&, DType);
void add_optimizer(Bench&);

}  // namespace basis::benchmarks
