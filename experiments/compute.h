#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "experiments/config.h"
#include "tensor/arena.h"
#include "tensor/backend.h"
#include "tensor/caching_allocator.h"

namespace basis {

/// A device with the memory of one piece of work: what lasts (`memory`) and what a step needs
/// (`arena`). Everything made from it must be gone before it.
class Compute {
 public:
  struct Options {
    std::string device = "cpu";  // or "cuda"
    std::int64_t threads = 0;    // of the CPU; 0: all
    bool is_tf32 = false;        // of the GPU
  };
  Compute() : Compute(Options{}) {}
  /// Throws Error for a device that this build or this machine does not have.
  explicit Compute(const Options& options);

  Backend& backend() { return *backend_; }
  Allocator& memory() { return *memory_; }
  Arena& arena() { return *arena_; }
  /// The most memory that the work has taken since the last reset_peak_memory, in MiB: on the CPU
  /// the process's largest resident set, on a GPU what was allocated on it.
  double peak_memory_mib() const;

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<CachingAllocator> memory_;
  std::unique_ptr<Arena> arena_;
};

/// As a config asks for it.
Compute::Options compute_options(const Config& config);
/// The backend alone. Throws as Compute does.
std::unique_ptr<Backend> make_backend(const Compute::Options& options);

/// What a device computes in where a config asks for "f32", "bf16" or "f64": F32 in place of BF16
/// on a processor that has no instructions for it, which the remark then says.
struct ComputeDType {
  DType activations = DType::F32;
  std::string remark;

  /// Of parameters, their gradients and the optimiser's state.
  DType master() const { return accumulation_dtype(activations); }
};

/// Throws Error for another name.
ComputeDType compute_dtype(const Backend& backend, const std::string& name);

/// Throws Error, beginning with `source`, where the values, gradients and moments of a model with
/// so many parameters are more than this machine's memory.
void expect_memory_to_train(std::int64_t parameters, DType dtype, const std::string& source);

/// The process's largest resident set since the last reset, in MiB.
double peak_resident_mib();
/// Starts that measurement anew where the system allows it.
void reset_peak_memory();

}  // namespace basis
