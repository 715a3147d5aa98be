#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tensor/arena.h"
#include "tensor/backend.h"
#include "tensor/caching_allocator.h"
#include "tensor/decompositions.h"

namespace basis {

/// A device with the memory of one piece of work: what lasts (`memory`) and what a step needs
/// (`arena`). Everything made from it must be gone before it.
class Compute {
 public:
  /// `device` "cpu" or "cuda". `threads` 0: all; of the CPU. `is_tf32`: see CudaOptions. Throws
  /// Error for a device that this build or machine does not have.
  explicit Compute(const std::string& device = "cpu", std::int64_t threads = 0,
                   bool is_tf32 = false);
  explicit Compute(std::unique_ptr<Backend> backend);

  Backend& backend() { return *backend_; }
  Allocator& memory() { return *memory_; }
  Arena& arena() { return *arena_; }

  /// The most memory that the work has taken of its device. On the CPU the process's, since
  /// reset_peak_memory().
  double peak_memory_mib() const;

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<CachingAllocator> memory_;
  std::unique_ptr<Arena> arena_;
};

/// What a device computes in where a config asks for "f32", "bf16" or "f64": F32 in place of BF16
/// on a processor that has no instructions for it, which the remark then says.
struct ComputeDType {
  DType activations = DType::F32;
  std::string remark;

  /// Of parameters, their gradients and the optimiser's state.
  DType master() const { return accumulation_dtype(activations); }
};

/// The backend of a Compute.
std::unique_ptr<Backend> make_backend(const std::string& device, std::int64_t threads,
                                      bool is_tf32);

/// What a device decomposes matrices with, for stages that need nothing else of it. Of the CPU
/// nothing: LAPACK's users take null.
class DeviceDecompositions {
 public:
  DeviceDecompositions(const std::string& device, std::int64_t threads, bool is_tf32);
  Decompositions* get() const { return decompositions_.get(); }
  /// For the user; empty where there is nothing to say.
  std::string remark() const { return decompositions_ ? decompositions_->remark() : ""; }

 private:
  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Decompositions> decompositions_;
};

/// Throws Error for another name, and for "f64" on another device than the CPU.
ComputeDType compute_dtype(const Backend& backend, const std::string& name);

/// Throws Error, beginning with `source`, where the values, gradients and moments of a model with
/// so many parameters are more than this machine's memory. For the CPU: a GPU has its own.
void expect_memory_to_train(std::int64_t parameters, DType dtype, const std::string& source);

/// The process's largest resident set since the last reset, in MiB.
double peak_memory_mib();
/// Starts the measurement anew where the system allows it.
void reset_peak_memory();

}  // namespace basis
