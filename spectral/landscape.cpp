#include "spectral/landscape.h"

#include <cmath>

#include <fmt/format.h>

#include "nn/model_builder.h"
#include "tensor/philox.h"
#include "tensor/transfer.h"

namespace basis {
namespace {

Tensor copy_of(Backend& backend, Allocator& allocator, const Tensor& tensor) {
  const Tensor copy = Tensor::allocate(allocator, tensor.shape(), tensor.dtype(), backend.device());
  backend.convert(tensor.view(), copy.view());
  return copy;
}

double squared_norm(Backend& backend, Allocator& allocator, const Tensor& tensor) {
  const Tensor sum = Tensor::allocate(allocator, {1, 1}, DType::F64, backend.device());
  backend.squared_norm(tensor.view(), 0, sum.view());
  return to_host<double>(backend, sum).front();
}

void scale(Backend& backend, const Tensor& tensor, double factor) {
  backend.add_scaled(factor, tensor.view(), 0, tensor.view());
}

}  // namespace

std::int64_t element_count(const ParameterList& parameters) {
  std::int64_t count = 0;
  for (const Parameter* parameter : parameters) count += parameter->count();
  return count;
}

Direction gaussian_direction(Backend& backend, Allocator& allocator,
                             const ParameterList& parameters, std::uint64_t seed,
                             std::uint64_t place) {
  Direction direction;
  for (const Parameter* parameter : parameters) {
    direction.push_back(random_tensor(backend, allocator, parameter->shape(),
                                      parameter->value().dtype(), seed,
                                      fmt::format("{} direction {}", parameter->name(), place), 1));
  }
  return direction;
}

Direction difference_to(Backend& backend, Allocator& allocator, const ParameterList& parameters,
                        std::span<const Tensor> other) {
  ensure(other.size() == parameters.size(), "difference_to: a tensor for each parameter");
  Direction direction;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    direction.push_back(copy_of(backend, allocator, other[i]));
    backend.add_scaled(-1, parameters[i]->value().view(), 1, direction.back().view());
  }
  return direction;
}

void scale_by_tensor(Backend& backend, Allocator& allocator, const ParameterList& parameters,
                     Direction& direction) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double own = squared_norm(backend, allocator, direction[i]);
    const double wanted = squared_norm(backend, allocator, parameters[i]->value());
    scale(backend, direction[i], own > 0 ? std::sqrt(wanted / own) : 0);
  }
}

void scale_by_root_mean_square(Backend& backend, Allocator& allocator,
                               const ParameterList& parameters, Direction& direction) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const double squares = squared_norm(backend, allocator, parameters[i]->value());
    scale(backend, direction[i], std::sqrt(squares / static_cast<double>(parameters[i]->count())));
  }
}

Matrix noise_in_basis(const Basis& basis, double norm, std::uint64_t seed, std::uint64_t place,
                      const std::string& name) {
  const std::int64_t k = basis.u.columns();
  RandomStream random(seed, hash_of_name(name, place));
  Matrix coefficients(k, k);
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < k; ++j) coefficients(i, j) = random.normal();
  }
  Matrix noise = multiply_a_bt(multiply(basis.u, coefficients), basis.v);
  const double own = frobenius_norm(noise);
  scale(noise, own > 0 ? norm / own : 0);
  return noise;
}

double norm_of(Backend& backend, Allocator& allocator, const Direction& direction) {
  double sum = 0;
  for (const Tensor& tensor : direction) sum += squared_norm(backend, allocator, tensor);
  return std::sqrt(sum);
}

void scale(Backend& backend, Direction& direction, double factor) {
  for (const Tensor& tensor : direction) scale(backend, tensor, factor);
}

Direction worst_direction(Backend& backend, Allocator& allocator, const ParameterList& parameters,
                          const GradientFunction& gradient, double alpha, int steps, double rate,
                          std::uint64_t seed) {
  const double radius = std::sqrt(static_cast<double>(element_count(parameters)));
  const auto project = [&](Direction& direction) {
    scale(backend, direction, radius / norm_of(backend, allocator, direction));
  };
  Direction direction = gaussian_direction(backend, allocator, parameters, seed, 0);
  project(direction);
  Displacement displacement(backend, allocator, parameters);
  for (int step = 0; step < steps; ++step) {
    displacement.move(alpha, direction);
    const Direction ascent = gradient();
    const double norm = norm_of(backend, allocator, ascent);
    if (norm == 0) break;  // a flat loss has no worse side
    for (std::size_t i = 0; i < direction.size(); ++i) {
      backend.add_scaled(rate * radius / norm, ascent[i].view(), 1, direction[i].view());
    }
    project(direction);
  }
  return direction;
}

Displacement::Displacement(Backend& backend, Allocator& allocator, ParameterList parameters)
    : backend_(backend), parameters_(std::move(parameters)) {
  for (const Parameter* parameter : parameters_) {
    kept_.push_back(parameter->value());
    moved_.push_back(Tensor::allocate(allocator, parameter->shape(), parameter->value().dtype(),
                                      backend.device()));
  }
}

void Displacement::move(std::span<const Move> moves) {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& to = moved_[i];
    backend_.convert(kept_[i].view(), to.view());
    for (const Move& move : moves) {
      backend_.add_scaled(move.alpha, (*move.direction)[i].view(), 1, to.view());
    }
    if (is_moved_) {
      parameters_[i]->touch();
    } else {
      parameters_[i]->set_value(to);
    }
  }
  is_moved_ = true;
}

void Displacement::move(double alpha, const Direction& direction) {
  const Move one{alpha, &direction};
  move({&one, 1});
}

void Displacement::put_back() {
  if (!is_moved_) return;
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i]->set_value(kept_[i]);
  is_moved_ = false;
}

}  // namespace basis
