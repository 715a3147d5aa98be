#include "nn/model_builder.h"

#include <algorithm>

#include "tensor/packed.h"

namespace basis {

namespace {

/// A stream of its own for each name, whatever the order of creation.
std::uint64_t purpose_of(const std::string& name) {
  return hash_of_name(name) & 0x7fffffffffffffffu;
}

}  // namespace

ModelBuilder::ModelBuilder(Backend& backend, Allocator& allocator, ParameterStore& store,
                           Checkpoint* checkpoint, const ModelOptions& options,
                           double initializer_range)
    : backend_(backend),
      allocator_(allocator),
      store_(store),
      checkpoint_(checkpoint),
      options_(options),
      initializer_range_(initializer_range) {}

Parameter& ModelBuilder::weight(const std::string& name, const Shape& shape, ParameterRole role) {
  return create(name, shape, role, Start::Normal);
}

Parameter& ModelBuilder::bias(const std::string& name, std::int64_t size, ParameterRole role) {
  return create(name, {size}, role, Start::Zeros);
}

Parameter& ModelBuilder::gain(const std::string& name, std::int64_t size, ParameterRole role) {
  return create(name, {size}, role, Start::Ones);
}

Parameter& ModelBuilder::create(const std::string& name, const Shape& shape, ParameterRole role,
                                Start start) {
  Tensor value;
  if (checkpoint_ != nullptr && role == ParameterRole::Encoder) {
    // Half of it from the file and half from the initialiser would train, and predict, badly.
    value = to_device(backend_, allocator_, checkpoint_->require(name, shape, options_.dtype));
  } else if (checkpoint_ != nullptr) {
    if (auto stored = checkpoint_->take(name, shape, options_.dtype)) {
      value = to_device(backend_, allocator_, *stored);
    } else {
      fresh_.push_back(name);
    }
  }
  if (value.is_empty()) value = initial(name, shape, start);
  // Biases and both vectors of a layer norm are the tensors of rank 1: none of them decays.
  return store_.create(name, std::move(value), role, shape.rank() > 1);
}

Tensor ModelBuilder::initial(const std::string& name, const Shape& shape, Start start) const {
  if (start == Start::Normal) {
    return random_tensor(backend_, allocator_, shape, options_.dtype, options_.seed, name,
                         initializer_range_);
  }
  Tensor value = Tensor::allocate(allocator_, shape, options_.dtype, backend_.device());
  backend_.fill(start == Start::Ones ? 1 : 0, value.view());
  return value;
}

LoadReport ModelBuilder::report() const {
  LoadReport report{fresh_, {}};
  if (checkpoint_ != nullptr) report.unused = checkpoint_->unused();
  return report;
}

namespace {

/// `draw(stream)`, which takes 4 / `draws_per_block` words, for each element in order, rounded to
/// f32, as a tensor of `dtype`. Threads take stretches of the stream each, so their number changes
/// nothing.
template <class Draw>
Tensor drawn_tensor(Backend& backend, Allocator& allocator, const Shape& shape, DType dtype,
                    const RandomStream& stream, int draws_per_block, const Draw& draw) {
  constexpr std::int64_t stretch = 1 << 14;
  const std::int64_t count = shape.element_count();
  std::vector<float> values(static_cast<std::size_t>(count));
#pragma omp parallel for schedule(static)
  for (std::int64_t first = 0; first < count; first += stretch) {
    RandomStream part = stream;
    part.skip(static_cast<std::uint64_t>(first / draws_per_block));
    const std::int64_t end = std::min(count, first + stretch);
    for (std::int64_t i = first; i < end; ++i) {
      values[static_cast<std::size_t>(i)] = static_cast<float>(draw(part));
    }
  }
  if (dtype != DType::F64) return to_device<float>(backend, allocator, values, shape);
  const std::vector<double> wide(values.begin(), values.end());
  return to_device<double>(backend, allocator, wide, shape);
}

}  // namespace

Tensor random_tensor(Backend& backend, Allocator& allocator, const Shape& shape, DType dtype,
                     std::uint64_t seed, const std::string& name, double standard_deviation) {
  return drawn_tensor(backend, allocator, shape, dtype, {seed, purpose_of(name)}, 1,
                      [&](RandomStream& random) { return random.normal() * standard_deviation; });
}

Tensor uniform_tensor(Backend& backend, Allocator& allocator, const Shape& shape, DType dtype,
                      std::uint64_t seed, const std::string& name, double bound) {
  return drawn_tensor(backend, allocator, shape, dtype, {seed, purpose_of(name)}, 2,
                      [&](RandomStream& random) { return (2 * random.uniform() - 1) * bound; });
}

}  // namespace basis
