#include "optim/optimizer.h"

#include <cmath>

#include "tensor/packed.h"

namespace basis {

namespace {

/// Slices start at 64 bytes. The gap between two has zero gradients for ever, so its values stay 0.
constexpr std::int64_t slice_alignment = 16;

double decay_of(const Parameter& parameter, const OptimizerOptions& options) {
  if (!parameter.decays()) return 0;
  return parameter.role() == ParameterRole::Adapter ? options.adapter_weight_decay
                                                    : options.weight_decay;
}

MatrixView part(const Tensor& flat, std::int64_t begin, std::int64_t end) {
  return flat.columns(begin, end);
}

}  // namespace

Optimizer::Optimizer(Backend& backend, Allocator& allocator, std::vector<Parameter*> parameters,
                     const std::function<int(const Parameter&)>& group_of,
                     const OptimizerOptions& options)
    : backend_(backend), options_(options), parameters_(std::move(parameters)) {
  if (parameters_.empty()) throw Error("nothing to train: no parameter is marked trainable");
  for (const Parameter* parameter : parameters_) {
    const std::int64_t end =
        size_ + (parameter->count() + slice_alignment - 1) / slice_alignment * slice_alignment;
    slices_.push_back({size_, end, group_of(*parameter), decay_of(*parameter, options)});
    size_ = end;
  }
  values_ = flat(allocator);
  gradients_ = flat(allocator);
  moment1_ = flat(allocator);
  if (options.kind == OptimizerOptions::Kind::AdamW) moment2_ = flat(allocator);
  squared_sum_ = Tensor::allocate(allocator, {1, 1}, DType::F64, backend.device());

  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& parameter = *parameters_[i];
    auto slice = [&](const Tensor& buffer) {
      return buffer.reshape({size_})
          .rows(slices_[i].begin, slices_[i].begin + parameter.count())
          .reshape(parameter.shape());
    };
    const Tensor value = slice(values_);
    backend.convert(parameter.value().view(), value.view());
    parameter.set_value(value);
    parameter.set_gradient(slice(gradients_));
  }
}

Tensor Optimizer::flat(Allocator& allocator) const {
  Tensor buffer = Tensor::allocate(allocator, {1, size_}, parameters_.front()->value().dtype(),
                                   backend_.device());
  backend_.fill(0, buffer.view());
  return buffer;
}

void Optimizer::begin_step() {
  for (Parameter* parameter : parameters_) parameter->gradient().is_written = false;
}

void Optimizer::set_bias_corrections(StepState& state) const {
  const auto count = static_cast<double>(state.step + 1);
  state.bias_correction1 = 1 - std::pow(options_.adamw.beta1, count);
  state.bias_correction2 = 1 - std::pow(options_.adamw.beta2, count);
}

std::vector<OptimizerRange> Optimizer::written_ranges() const {
  std::vector<OptimizerRange> ranges;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    const Slice& slice = slices_[i];
    if (!parameters_[i]->gradient().is_written) continue;
    const bool continues = !ranges.empty() && begin + ranges.back().value.columns == slice.begin &&
                           ranges.back().group == slice.group &&
                           ranges.back().weight_decay == slice.weight_decay;
    if (!continues) {
      begin = slice.begin;
      ranges.push_back({{}, {}, {}, {}, slice.group, slice.weight_decay});
    }
    OptimizerRange& range = ranges.back();
    range.value = part(values_, begin, slice.end);
    range.gradient = part(gradients_, begin, slice.end);
    range.moment1 = part(moment1_, begin, slice.end);
    if (!moment2_.is_empty()) range.moment2 = part(moment2_, begin, slice.end);
  }
  return ranges;
}

void Optimizer::step(StepState* state) {
  const std::vector<OptimizerRange> ranges = written_ranges();
  double beta = 0;
  for (const OptimizerRange& range : ranges) {
    backend_.squared_norm(range.gradient, beta, squared_sum_.view());
    beta = 1;
  }
  backend_.update_clip(squared_sum_.view(), options_.clip_norm, state);
  for (const OptimizerRange& range : ranges) {
    if (options_.kind == OptimizerOptions::Kind::AdamW) {
      backend_.adamw(range, options_.adamw, state);
    } else {
      backend_.sgd(range, options_.sgd, state);
    }
  }
  for (Parameter* parameter : parameters_) {
    if (parameter->gradient().is_written) parameter->touch();
  }
}

double Optimizer::squared_norm_of(const Tensor& buffer, const Slice& slice) const {
  backend_.squared_norm(part(buffer, slice.begin, slice.end), 0, squared_sum_.view());
  return to_host<double>(backend_, squared_sum_).front();
}

std::string Optimizer::parameter_not_finite() const {
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (!parameters_[i]->gradient().is_written) continue;
    if (!std::isfinite(squared_norm_of(gradients_, slices_[i]))) return parameters_[i]->name();
  }
  return "the sum of all gradients";
}

ParameterSize Optimizer::largest_parameter() const {
  ParameterSize largest;
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    const double mean_square =
        squared_norm_of(values_, slices_[i]) / static_cast<double>(parameters_[i]->count());
    const ParameterSize size{parameters_[i]->name(), std::sqrt(mean_square)};
    if (!std::isfinite(size.root_mean_square)) return size;
    if (i == 0 || size.root_mean_square > largest.root_mean_square) largest = size;
  }
  return largest;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> state{{"values", values_}, {"moment1", moment1_}};
  if (!moment2_.is_empty()) state.emplace_back("moment2", moment2_);
  return state;
}

void Optimizer::state_was_loaded() {
  for (Parameter* parameter : parameters_) parameter->touch();
}

}  // namespace basis
