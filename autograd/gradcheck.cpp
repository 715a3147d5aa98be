#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autograd/row_gradient.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"

namespace basis {

namespace {

using Function = std::function<Variable(Context&, std::span<const Variable>)>;

class Checker {
 public:
  Checker(Backend& backend, const Function& function, const std::vector<Tensor>& inputs,
          const GradcheckOptions& options)
      : backend_(backend),
        memory_(backend),
        arena_(backend, std::size_t{1} << 30),
        function_(function),
        inputs_(inputs),
        options_(options) {
    arena_.set_poison(true);
    state_.seed = options.seed;
  }

  GradcheckReport run() {
    for (const bool is_prefilled : {false, true}) {
      const std::vector<Gradient> gradients = analytic(is_prefilled);
      for (std::size_t i = 0; i < inputs_.size() && report_.passes; ++i) {
        compare(i, gradients[i], is_prefilled);
      }
    }
    return report_;
  }

 private:
  static constexpr double prefill = 0.75;

  Context context(Tape* tape) {
    return {backend_, arena_, tape, options_.is_training, &state_, DType::F64};
  }

  std::vector<Gradient> analytic(bool is_prefilled) {
    std::vector<Gradient> gradients(inputs_.size());
    std::vector<Variable> variables;
    std::vector<std::unique_ptr<RowGradient>> rows(inputs_.size());
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      gradients[i].tensor = Tensor::allocate(memory_, inputs_[i].shape(), DType::F64);
      backend_.fill(is_prefilled ? prefill : std::nan(""), gradients[i].tensor.view());
      gradients[i].is_written = is_prefilled;
      if (has_rows(i)) {
        rows[i] = as_rows(gradients[i]);
        gradients[i] = {{}, nullptr, rows[i].get(), is_prefilled};
      }
      variables.push_back({inputs_[i], &gradients[i]});
    }
    Tape tape;
    Context recording = context(&tape);
    const Variable output = function_(recording, variables);
    if (is_loss(output)) {
      tape.backward(recording, output);
    } else {
      draw_cotangent(output.shape());
      const Tensor copy = Tensor::allocate(memory_, output.shape(), DType::F64);
      backend_.convert(cotangent_.view(), copy.view());
      tape.backward(recording, output, copy);
    }
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (has_rows(i)) gradients[i].tensor = rows[i]->to_dense(memory_);
    }
    return gradients;
  }

  bool has_rows(std::size_t input) const {
    return std::count(options_.row_inputs.begin(), options_.row_inputs.end(), input) > 0;
  }

  /// The same as rows: all of them where it is written; else none, over memory with its elements.
  std::unique_ptr<RowGradient> as_rows(const Gradient& gradient) {
    const Tensor& dense = gradient.tensor;
    auto rows = std::make_unique<RowGradient>(backend_, memory_, dense.shape(), dense.dtype());
    std::vector<std::int32_t> ids(static_cast<std::size_t>(dense.shape()[0]));
    std::iota(ids.begin(), ids.end(), 0);
    rows->add(context(nullptr), dense, RowSegments(backend_, memory_, ids));
    if (!gradient.is_written) rows->clear();
    return rows;
  }

  static bool is_loss(const Variable& output) { return output.shape() == Shape{1, 1}; }

  void draw_cotangent(const Shape& shape) {
    RandomStream random(options_.seed, 17);
    cotangent_ = Tensor::allocate(memory_, shape, DType::F64);
    double* values = cotangent_.data<double>();
    for (std::int64_t i = 0; i < shape.element_count(); ++i) values[i] = random.normal();
  }

  double weighted_output() {
    Context plain = context(nullptr);
    const Variable output = function_(plain, variables_without_gradients());
    const double* values = output.value.data<double>();
    if (is_loss(output)) return values[0];
    double sum = 0;
    for (std::int64_t i = 0; i < output.value.element_count(); ++i) {
      sum += values[i] * cotangent_.data<double>()[i];
    }
    return sum;
  }

  std::vector<Variable> variables_without_gradients() const {
    std::vector<Variable> variables;
    for (const Tensor& input : inputs_) variables.push_back(constant(input));
    return variables;
  }

  void compare(std::size_t input, const Gradient& gradient, bool is_prefilled) {
    double* x = inputs_[input].data<double>();
    for (std::int64_t i = 0; i < inputs_[input].element_count(); ++i) {
      const double kept = x[i];
      x[i] = kept + options_.step;
      const double above = weighted_output();
      x[i] = kept - options_.step;
      const double below = weighted_output();
      x[i] = kept;
      const double numeric = (above - below) / (2 * options_.step);
      const double written = gradient.is_written ? gradient.tensor.data<double>()[i] : 0;
      const double found = written - (is_prefilled ? prefill : 0);
      const double error = std::abs(found - numeric) / std::max(1.0, std::abs(numeric));
      if (error > report_.worst_error) report_.worst_error = error;
      if (error <= options_.tolerance) continue;  // a NaN falls through
      report_.passes = false;
      report_.message =
          fmt::format("input {} {}, element {}: gradient {:.12g}, central difference {:.12g}{}",
                      input, inputs_[input].shape().to_string(), i, found, numeric,
                      is_prefilled ? " (added to a gradient that was there)" : "");
      return;
    }
  }

  Backend& backend_;
  CachingAllocator memory_;
  Arena arena_;
  const Function& function_;
  const std::vector<Tensor>& inputs_;
  GradcheckOptions options_;
  StepState state_;
  Tensor cotangent_;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(Backend& backend, const Function& function,
                          const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  return Checker(backend, function, inputs, options).run();
}

}  // namespace basis
