#include "optim/optimizer.h"

#include <cmath>

#include <fmt/format.h>

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

/// Whether rows without gradients only ever decay, each by itself.
bool can_owe(const OptimizerOptions& options) {
  return options.kind == OptimizerOptions::Kind::AdamW || options.sgd.momentum == 0;
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
  make_slices(allocator, group_of);
  const DType dtype = parameters_.front()->value().dtype();
  make_runs(dtype);
  values_ = flat(allocator, dtype);
  moment1_ = flat(allocator, dtype);
  if (options.kind == OptimizerOptions::Kind::AdamW) moment2_ = flat(allocator, dtype);
  squared_sum_ = Tensor::allocate(allocator, {1, 1}, DType::F64, backend.device());

  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (slices_[i].table != nullptr) continue;
    Parameter& parameter = *parameters_[i];
    const Tensor value = values_.reshape({size_})
                             .rows(slices_[i].begin, slices_[i].begin + parameter.count())
                             .reshape(parameter.shape());
    backend.convert(parameter.value().view(), value.view());
    parameter.set_value(value);
  }
  perturbation_ = std::make_unique<Perturbation>(backend, allocator, options.perturbation, values_);
  if (perturbation_->is_on()) make_moved_parts();
}

void Optimizer::make_slices(Allocator& allocator,
                            const std::function<int(const Parameter&)>& group_of) {
  for (Parameter* parameter : parameters_) {
    Slice slice{size_, size_, group_of(*parameter), decay_of(*parameter, options_)};
    if (parameter->is_read_by_rows() && can_owe(options_)) {
      const auto rule = options_.kind == OptimizerOptions::Kind::AdamW ? RowTable::Rule::AdamW
                                                                       : RowTable::Rule::Sgd;
      slice.table = std::make_unique<RowTable>(
          backend_, allocator, *parameter,
          RowTable::Options{rule, options_.adamw, slice.group, slice.weight_decay,
                            options_.perturbation.kind != PerturbationOptions::Kind::None});
    } else {
      slice.end += (parameter->count() + slice_alignment - 1) / slice_alignment * slice_alignment;
    }
    size_ = slice.end;
    slices_.push_back(std::move(slice));
  }
}

/// A run ends where weights follow biases and norms or the other way round: so the weights of
/// query, key and value are one, as are their biases, and none is much larger than a layer needs.
void Optimizer::make_runs(DType dtype) {
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (slices_[i].table != nullptr) continue;
    const bool is_first = i == 0 || slices_[i - 1].table != nullptr ||
                          parameters_[i - 1]->decays() != parameters_[i]->decays();
    if (is_first) runs_.emplace_back(dtype);
    runs_.back().add(parameters_[i]->gradient(), parameters_[i]->shape(),
                     slices_[i].end - slices_[i].begin);
  }
}

Tensor Optimizer::flat(Allocator& allocator, DType dtype) const {
  Tensor buffer = Tensor::allocate(allocator, {1, size_}, dtype, backend_.device());
  backend_.fill(0, buffer.view());
  return buffer;
}

void Optimizer::forget_gradients() {
  for (Parameter* parameter : parameters_) parameter->gradient().is_written = false;
  for (GradientRun& run : runs_) run.forget();
}

void Optimizer::set_bias_corrections(StepState& state) const {
  const auto count = static_cast<double>(state.step + 1);
  state.bias_correction1 = 1 - std::pow(options_.adamw.beta1, count);
  state.bias_correction2 = 1 - std::pow(options_.adamw.beta2, count);
}

std::vector<OptimizerRange> Optimizer::written_ranges() const {
  std::vector<OptimizerRange> ranges;
  std::int64_t begin = 0;
  const Gradient* first = nullptr;  // of the range; its run's others stand behind it
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    const Slice& slice = slices_[i];
    if (slice.table != nullptr || !is_written(i)) continue;
    const Gradient& gradient = parameters_[i]->gradient();
    const bool continues = !ranges.empty() && first->run == gradient.run &&
                           begin + ranges.back().value.columns == slice.begin &&
                           ranges.back().group == slice.group &&
                           ranges.back().weight_decay == slice.weight_decay;
    if (!continues) {
      begin = slice.begin;
      first = &gradient;
      ranges.push_back({{}, {}, {}, {}, slice.group, slice.weight_decay});
    }
    OptimizerRange& range = ranges.back();
    const std::int64_t count = slice.end - begin;
    range.value = part(values_, begin, slice.end);
    range.gradient = {first->tensor.bytes_begin(), first->tensor.dtype(), 1, count, count};
    range.moment1 = part(moment1_, begin, slice.end);
    if (!moment2_.is_empty()) range.moment2 = part(moment2_, begin, slice.end);
  }
  return ranges;
}

std::vector<ConstMatrixView> Optimizer::written_gradients(
    const std::vector<OptimizerRange>& ranges) const {
  std::vector<ConstMatrixView> gradients;
  for (const OptimizerRange& range : ranges) gradients.push_back(range.gradient);
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (slices_[i].table != nullptr && is_written(i)) gradients.push_back(gradient_of(i).view());
  }
  return gradients;
}

void Optimizer::step(StepState* state) {
  ensure(!is_moved_, "an update is of values that are in their own place");
  const std::vector<OptimizerRange> ranges = written_ranges();
  const std::vector<ConstMatrixView> gradients = written_gradients(ranges);
  if (gradients.empty()) return;
  backend_.squared_norm_of_all(gradients, squared_sum_.view());
  backend_.update_clip(squared_sum_.view(), options_.clip_norm, state);
  if (options_.kind == OptimizerOptions::Kind::AdamW) {
    backend_.adamw_of_all(ranges, options_.adamw, state);
  } else {
    for (const OptimizerRange& range : ranges) backend_.sgd(range, options_.sgd, state);
  }
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (!is_written(i)) continue;
    if (slices_[i].table != nullptr) slices_[i].table->step(state);
    parameters_[i]->touch();
  }
}

Tensor Optimizer::gradient_of(std::size_t i) const {
  return slices_[i].table != nullptr ? slices_[i].table->gradient()
                                     : parameters_[i]->gradient().tensor;
}

double Optimizer::squared_norm_of(const Tensor& tensor) const {
  backend_.squared_norm(tensor.view(), 0, squared_sum_.view());
  return to_host<double>(backend_, squared_sum_).front();
}

std::string Optimizer::parameter_not_finite() const {
  for (std::size_t i = 0; i < slices_.size(); ++i) {
    if (!is_written(i)) continue;
    if (!std::isfinite(squared_norm_of(gradient_of(i)))) return parameters_[i]->name();
  }
  return "the sum of all gradients";
}

ParameterSize Optimizer::largest_parameter() const {
  ParameterSize largest;
  for (const Parameter* parameter : parameters_) {
    const double mean_square =
        squared_norm_of(parameter->value()) / static_cast<double>(parameter->count());
    const ParameterSize size{parameter->name(), std::sqrt(mean_square)};
    if (!std::isfinite(size.root_mean_square)) return size;
    if (parameter == parameters_.front() || size.root_mean_square > largest.root_mean_square) {
      largest = size;
    }
  }
  return largest;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::flat_state() const {
  std::vector<std::pair<std::string, Tensor>> state{{"values", values_}, {"moment1", moment1_}};
  if (!moment2_.is_empty()) state.emplace_back("moment2", moment2_);
  return state;
}

std::vector<std::pair<std::string, Tensor>> Optimizer::state() const {
  std::vector<std::pair<std::string, Tensor>> state;
  for (const Slice& slice : slices_) {
    if (slice.table == nullptr) continue;
    for (auto& entry : slice.table->state()) state.push_back(std::move(entry));
  }
  for (auto& entry : flat_state()) state.push_back(std::move(entry));
  return state;
}

void Optimizer::load(const SafeTensors& file) {
  for (const auto& [name, tensor] : flat_state()) {
    if (!file.contains(name) || file.shape(name) != tensor.shape()) {
      throw Error(fmt::format("\"{}\" does not fit {}", name, tensor.to_string()));
    }
    copy_to_device(backend_, file.tensor(name, tensor.dtype()), tensor);
  }
  for (const Slice& slice : slices_) {
    if (slice.table != nullptr) slice.table->load(file);
  }
  for (Parameter* parameter : parameters_) parameter->touch();
}

}  // namespace basis
