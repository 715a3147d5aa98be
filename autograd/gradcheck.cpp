#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include "autograd/row_gradient.h"
#include "tensor/arena.h"
#include "tensor/caching_allocator.h"
#include "tensor/packed.h"

namespace basis {

namespace {

using Function = std::function<Variable(Context&, std::span<const Variable>)>;
using Numbers = std::vector<double>;

constexpr double prefill = 0.75;

bool is_loss(const Variable& output) {
  return output.shape() == Shape{1, 1};
}

Numbers rounded_to_f32(const double* values, std::int64_t count) {
  Numbers rounded;
  for (std::int64_t i = 0; i < count; ++i) {
    rounded.push_back(static_cast<double>(static_cast<float>(values[i])));
  }
  return rounded;
}

/// Where a function runs: a backend, the dtype that it computes in, and poisoned memory.
class Place {
 public:
  Place(Backend& backend, DType dtype, const Function& function, const GradcheckOptions& options)
      : backend_(backend),
        dtype_(dtype),
        memory_(backend),
        arena_(backend, std::size_t{1} << 30),
        function_(function),
        options_(options),
        state_(memory_.allocate(sizeof(StepState))) {
    arena_.set_poison(true);
    StepState state;
    state.seed = options.seed;
    backend_.copy_to_device(&state, state_.get(), sizeof state);
  }

  Context context(Tape* tape) {
    return {backend_,
            arena_,
            tape,
            options_.is_training,
            reinterpret_cast<const StepState*>(state_.get()),
            dtype_};
  }

  /// The gradient of each input, with `prefill` in it if that was there before. `cotangent` is
  /// drawn if it is empty, and zero beyond its end.
  std::vector<Numbers> gradients(const std::vector<Tensor>& inputs, bool is_prefilled,
                                 Numbers& cotangent);

  /// The same numbers here, rounded to f32. Neighbours in memory stay neighbours; rows of a packed
  /// batch there, in `bucket`s, become rows of one here.
  std::vector<Tensor> copies_of(const std::vector<Tensor>& inputs, std::int64_t bucket);

 private:
  bool has_rows(std::size_t input) const {
    return std::count(options_.row_inputs.begin(), options_.row_inputs.end(), input) > 0;
  }
  std::unique_ptr<RowGradient> as_rows(const Gradient& gradient);
  Tensor upload(const Numbers& values, const Shape& shape, DType dtype);
  Numbers download(const Tensor& tensor);

  Backend& backend_;
  DType dtype_;
  CachingAllocator memory_;
  Arena arena_;
  const Function& function_;
  const GradcheckOptions& options_;
  Block state_;
};

Tensor Place::upload(const Numbers& values, const Shape& shape, DType dtype) {
  if (dtype == DType::F64) return to_device<double>(backend_, memory_, values, shape);
  const std::vector<float> narrow(values.begin(), values.end());
  return to_device<float>(backend_, memory_, narrow, shape);
}

Numbers Place::download(const Tensor& tensor) {
  if (tensor.dtype() == DType::F64) return to_host<double>(backend_, tensor);
  const std::vector<float> narrow = to_host<float>(backend_, tensor);
  return {narrow.begin(), narrow.end()};
}

std::vector<Tensor> Place::copies_of(const std::vector<Tensor>& inputs, std::int64_t bucket) {
  std::vector<Tensor> copies;
  for (std::size_t first = 0; first < inputs.size();) {
    std::size_t last = first + 1;
    const auto end = [&](std::size_t i) { return inputs[i].bytes_begin() + inputs[i].bytes(); };
    while (last < inputs.size() && inputs[last].bytes_begin() == end(last - 1)) ++last;
    if (last == first + 1) {
      Numbers values = rounded_to_f32(inputs[first].data<double>(), inputs[first].element_count());
      Shape shape = inputs[first].shape();
      if (shape[0] % bucket == 0) {
        const std::int64_t width = shape.element_count() / shape[0];
        const std::int64_t own = backend_.row_bucket();
        shape = {(shape[0] + own - 1) / own * own, width};
        values.resize(static_cast<std::size_t>(shape.element_count()), 0);
      }
      copies.push_back(upload(values, shape, dtype_));
    } else {
      std::int64_t count = 0;
      for (std::size_t i = first; i < last; ++i) count += inputs[i].element_count();
      const Tensor all =
          upload(rounded_to_f32(inputs[first].data<double>(), count), {count}, dtype_);
      std::int64_t begin = 0;
      for (std::size_t i = first; i < last; ++i) {
        const std::int64_t next = begin + inputs[i].element_count();
        copies.push_back(all.rows(begin, next).reshape(inputs[i].shape()));
        begin = next;
      }
    }
    first = last;
  }
  return copies;
}

/// The same as rows: all of them where it is written; else none, over memory with its elements.
std::unique_ptr<RowGradient> Place::as_rows(const Gradient& gradient) {
  const Tensor& dense = gradient.tensor;
  auto rows = std::make_unique<RowGradient>(backend_, memory_, dense.shape(), dense.dtype());
  std::vector<std::int32_t> ids(static_cast<std::size_t>(dense.shape()[0]));
  std::iota(ids.begin(), ids.end(), 0);
  rows->add(context(nullptr), dense, RowSegments(backend_, memory_, ids));
  if (!gradient.is_written) rows->clear();
  return rows;
}

std::vector<Numbers> Place::gradients(const std::vector<Tensor>& inputs, bool is_prefilled,
                                      Numbers& cotangent) {
  std::vector<Gradient> gradients(inputs.size());
  std::vector<Variable> variables;
  std::vector<std::unique_ptr<RowGradient>> rows(inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto count = static_cast<std::size_t>(inputs[i].element_count());
    gradients[i].tensor = upload(Numbers(count, is_prefilled ? prefill : std::nan("")),
                                 inputs[i].shape(), inputs[i].dtype());
    gradients[i].is_written = is_prefilled;
    if (has_rows(i)) {
      rows[i] = as_rows(gradients[i]);
      gradients[i] = {{}, nullptr, rows[i].get(), is_prefilled};
    }
    variables.push_back({inputs[i], &gradients[i]});
  }
  Tape tape;
  Context recording = context(&tape);
  const Variable output = function_(recording, variables);
  if (is_loss(output)) {
    tape.backward(recording, output);
  } else {
    const auto count = static_cast<std::size_t>(output.shape().element_count());
    RandomStream random(options_.seed, 17);
    if (cotangent.empty()) {
      while (cotangent.size() < count) cotangent.push_back(random.normal());
      cotangent = rounded_to_f32(cotangent.data(), std::ssize(cotangent));
    }
    Numbers whole = cotangent;
    whole.resize(count, 0);
    tape.backward(recording, output, upload(whole, output.shape(), output.value.dtype()));
  }
  std::vector<Numbers> found;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (has_rows(i)) gradients[i].tensor = rows[i]->to_dense(memory_);
    found.push_back(gradients[i].is_written
                        ? download(gradients[i].tensor)
                        : Numbers(static_cast<std::size_t>(inputs[i].element_count()), 0));
  }
  return found;
}

/// Notes an element in the report; `allowed` is of |found - wanted|. False where it is wrong.
struct Element {
  std::size_t input;
  const Tensor& tensor;
  std::int64_t index;
  double found, wanted;
};
bool judge(GradcheckReport& report, const Element& e, double scale, double tolerance,
           const char* wanted_is, bool is_prefilled) {
  const double error = std::abs(e.found - e.wanted) / scale;
  if (error > report.worst_error) report.worst_error = error;
  if (error <= tolerance) return true;  // a NaN falls through
  report.passes = false;
  report.message = fmt::format("input {} {}, element {}: gradient {:.12g}, {} {:.12g}{}", e.input,
                               e.tensor.shape().to_string(), e.index, e.found, wanted_is, e.wanted,
                               is_prefilled ? " (added to a gradient that was there)" : "");
  return false;
}

class Checker {
 public:
  Checker(Backend& backend, const Function& function, const std::vector<Tensor>& inputs,
          const GradcheckOptions& options)
      : place_(backend, DType::F64, function, options),
        function_(function),
        inputs_(inputs),
        options_(options) {}

  GradcheckReport run() {
    for (const bool is_prefilled : {false, true}) {
      const std::vector<Numbers> gradients = place_.gradients(inputs_, is_prefilled, cotangent_);
      for (std::size_t i = 0; i < inputs_.size() && report_.passes; ++i) {
        compare(i, gradients[i], is_prefilled);
      }
    }
    return report_;
  }

 private:
  double weighted_output() {
    Context plain = place_.context(nullptr);
    std::vector<Variable> variables;
    for (const Tensor& input : inputs_) variables.push_back(constant(input));
    const Variable output = function_(plain, variables);
    const double* values = output.value.data<double>();
    if (is_loss(output)) return values[0];
    return std::inner_product(cotangent_.begin(), cotangent_.end(), values, 0.0);
  }

  void compare(std::size_t input, const Numbers& gradient, bool is_prefilled) {
    double* x = inputs_[input].data<double>();
    for (std::int64_t i = 0; i < inputs_[input].element_count(); ++i) {
      const double kept = x[i];
      x[i] = kept + options_.step;
      const double above = weighted_output();
      x[i] = kept - options_.step;
      const double below = weighted_output();
      x[i] = kept;
      const double numeric = (above - below) / (2 * options_.step);
      const double found = gradient[static_cast<std::size_t>(i)] - (is_prefilled ? prefill : 0);
      if (!judge(report_, {input, inputs_[input], i, found, numeric},
                 std::max(1.0, std::abs(numeric)), options_.tolerance, "central difference",
                 is_prefilled)) {
        return;
      }
    }
  }

  Place place_;
  const Function& function_;
  const std::vector<Tensor>& inputs_;
  const GradcheckOptions& options_;
  Numbers cotangent_;
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(Backend& backend, const Function& function,
                          const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  return Checker(backend, function, inputs, options).run();
}

GradcheckReport compare_gradients(Backend& device, Backend& cpu, const Function& function,
                                  const std::vector<Tensor>& inputs,
                                  const GradcheckOptions& options) {
  Place exact(cpu, DType::F64, function, options), rounded(device, DType::F32, function, options);
  const std::vector<Tensor> exact_inputs = exact.copies_of(inputs, cpu.row_bucket());
  const std::vector<Tensor> rounded_inputs = rounded.copies_of(inputs, cpu.row_bucket());
  GradcheckReport report;
  Numbers cotangent;
  for (const bool is_prefilled : {false, true}) {
    std::vector<Numbers> wanted = exact.gradients(exact_inputs, is_prefilled, cotangent);
    const std::vector<Numbers> found = rounded.gradients(rounded_inputs, is_prefilled, cotangent);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      wanted[i].resize(found[i].size(), is_prefilled ? prefill : 0);
      double scale = 1;
      for (const double value : wanted[i]) scale = std::max(scale, std::abs(value));
      for (std::size_t j = 0; j < found[i].size(); ++j) {
        const Element element{i, rounded_inputs[i], static_cast<std::int64_t>(j), found[i][j],
                              wanted[i][j]};
        if (!judge(report, element, scale, options.tolerance, "on the CPU in f64", is_prefilled)) {
          return report;
        }
      }
    }
  }
  return report;
}

}  // namespace basis
