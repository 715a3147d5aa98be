#pragma once

#include <cstdint>
#include <string>

#include "nn/checkpoint.h"
#include "nn/parameter.h"

namespace basis {

/// Where a model's parameters come from: a checkpoint where it has them, else an initialiser whose
/// random numbers depend on the seed and the parameter's name alone.
struct ModelOptions {
  std::uint64_t seed = 0;
  DType dtype = DType::F32;  // of the master values; F64 in tests
};

/// Creates parameters in a store, one call each.
class ModelBuilder {
 public:
  /// `checkpoint` may be null. Where it is not, it must hold all parameters of the encoder.
  ModelBuilder(Backend& backend, Allocator& allocator, ParameterStore& store,
               Checkpoint* checkpoint, const ModelOptions& options, double initializer_range);

  /// Normal(0, initializer_range): weights and embeddings.
  Parameter& weight(const std::string& name, const Shape& shape, ParameterRole role);
  /// Zeros; no decay.
  Parameter& bias(const std::string& name, std::int64_t size, ParameterRole role);
  /// Ones; no decay.
  Parameter& gain(const std::string& name, std::int64_t size, ParameterRole role);

  LoadReport report() const;

 private:
  enum class Start : std::uint8_t { Normal, Zeros, Ones };
  Parameter& create(const std::string& name, const Shape& shape, ParameterRole role, Start start);
  Tensor initial(const std::string& name, const Shape& shape, Start start) const;

  Backend& backend_;
  Allocator& allocator_;
  ParameterStore& store_;
  Checkpoint* checkpoint_;
  ModelOptions options_;
  double initializer_range_;
  std::vector<std::string> fresh_;
};

/// Normal(0, standard_deviation) from the stream of (seed, name), in `dtype` (F32 or F64; the
/// same f32 numbers in both).
Tensor random_tensor(Backend&, Allocator&, const Shape&, DType dtype, std::uint64_t seed,
                     const std::string& name, double standard_deviation);

/// Uniform in [-bound, bound), likewise.
Tensor uniform_tensor(Backend&, Allocator&, const Shape&, DType dtype, std::uint64_t seed,
                      const std::string& name, double bound);

}  // namespace basis
