#include "optim/perturbation.h"

#include <cmath>

namespace basis {

Perturbation::Perturbation(Backend& backend, Allocator& allocator,
                           const PerturbationOptions& options, const Tensor& flat_values)
    : backend_(backend), options_(options), values_(flat_values) {
  if (!is_on()) return;
  kept_ = Tensor::allocate(allocator, flat_values.shape(), flat_values.dtype(), backend.device());
  squared_norm_ = Tensor::allocate(allocator, {1, 1}, DType::F64, backend.device());
}

void Perturbation::keep() {
  backend_.convert(values_.view(), kept_.view());
}

void Perturbation::put_back() {
  backend_.convert(kept_.view(), values_.view());
}

void Perturbation::add_noise(std::span<const MovedPart> parts, const StepState* state) {
  for (const MovedPart& part : parts) {
    if (!options_.is_relative) {
      backend_.add_noise(options_.size, {}, part.stream, state, part.values);
      continue;
    }
    backend_.squared_norm(part.values, 0, squared_norm_.view());
    backend_.add_noise(options_.size / std::sqrt(static_cast<double>(part.count)),
                       squared_norm_.view(), part.stream, state, part.values);
  }
}

void Perturbation::measure(std::span<const ConstMatrixView> gradients) {
  backend_.squared_norm_of_all(gradients, squared_norm_.view());
}

void Perturbation::add_gradient(ConstMatrixView gradient, ConstMatrixView rows, MatrixView out) {
  backend_.add_normalised(options_.size, gradient, squared_norm_.view(), rows, out);
}

}  // namespace basis
