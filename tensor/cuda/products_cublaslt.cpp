#include <cmath>
#include <vector>

#include <fmt/format.h>

#include "tensor/cuda/cublaslt.h"
#include "tensor/cuda/kernels/elementwise.h"
#include "tensor/cuda/kernels/matmul.h"
#include "tensor/cuda/plain.h"
#include "tensor/cuda/products.h"

namespace basis::cuda::device {

namespace {

/// Widest row that a bias may have to be converted for.
constexpr std::int64_t most_bias_columns = 1 << 16;

}  // namespace

struct Products::State {
  State(Runtime& of, bool with_tf32)
      : runtime(of),
        library(of, with_tf32),
        bias_row(of.reserve(most_bias_columns * sizeof(BFloat16))),
        is_tf32(with_tf32) {}

  Runtime& runtime;
  CublasLt library;
  Block bias_row;  // a bias in bf16
  bool is_tf32;
  bool has_bias_epilogue = false, has_bias_gradient = false;

  void plain(const Product& p) const {
    plain_matmul(runtime.stream(), p.alpha, p.a, p.transpose_a, p.b, p.transpose_b, p.beta, p.out);
  }
  void run(const Product& product) {
    if (is_plain("matmul") || !library.run(product)) plain(product);
  }
  bool run_with_bias(const Product& product, ConstMatrixView bias);
  bool check_bias_epilogue();
  bool check_bias_gradient();
};

/// The library wants a bias of the output's dtype.
bool Products::State::run_with_bias(const Product& product, ConstMatrixView bias) {
  if (bias.columns > most_bias_columns) return false;
  Product with_bias = product;
  with_bias.epilogue = Epilogue::Bias;
  if (product.out.dtype == bias.dtype) {
    with_bias.row = const_cast<void*>(bias.data);
  } else {
    with_bias.row = bias_row.get();
    convert(runtime.stream(), bias,
            {bias_row.get(), product.out.dtype, 1, bias.columns, bias.columns});
  }
  return library.run(with_bias);
}

namespace {

/// Small matrices on the device, for the checks at the start.
class Sample {
 public:
  Sample(Runtime& runtime, DType dtype, std::int64_t rows, std::int64_t columns)
      : runtime_(runtime),
        memory_(runtime.reserve(static_cast<std::size_t>(rows * columns) * size_of(dtype))),
        view_{memory_.get(), dtype, rows, columns, columns} {
    // Sixteenths between -1 and 1, which bf16 has too: products and sums of 64 are exact.
    std::vector<float> values(static_cast<std::size_t>(rows * columns));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = (static_cast<float>(i * 7 % 33) - 16) / 16;
    }
    const Block floats = runtime.reserve(values.size() * sizeof(float));
    runtime.copy_to_device(values.data(), floats.get(), values.size() * sizeof(float));
    convert(runtime.stream(), {floats.get(), DType::F32, rows, columns, columns}, view_);
    numbers();  // waits: `floats` goes
  }
  MatrixView view() const { return view_; }
  std::vector<float> numbers() const {
    const auto count = static_cast<std::size_t>(view_.element_count());
    const Block floats = runtime_.reserve(count * sizeof(float));
    convert(runtime_.stream(), view_,
            {floats.get(), DType::F32, view_.rows, view_.columns, view_.columns});
    std::vector<float> values(count);
    runtime_.copy_to_host(floats.get(), values.data(), count * sizeof(float));
    return values;
  }

 private:
  Runtime& runtime_;
  Block memory_;
  MatrixView view_;
};

/// Within the last bit of bf16.
bool agree(const Sample& a, const Sample& b) {
  const std::vector<float> x = a.numbers(), y = b.numbers();
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!(std::fabs(x[i] - y[i]) <= std::fabs(y[i]) / 128)) return false;
  }
  return true;
}

constexpr std::int64_t sample_size = 64;

}  // namespace

bool Products::State::check_bias_epilogue() {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const Sample x(runtime, dtype, sample_size, sample_size);
    const Sample weight(runtime, dtype, sample_size, sample_size);
    const Sample bias(runtime, DType::F32, 1, sample_size);
    const Sample fused(runtime, dtype, sample_size, sample_size);
    const Sample plain(runtime, dtype, sample_size, sample_size);
    const Product product{1, x.view(), false, weight.view(), true, 0, fused.view()};
    if (!run_with_bias(product, bias.view())) return false;
    plain_matmul(runtime.stream(), 1, x.view(), false, weight.view(), true, 0, plain.view(),
                 bias.view());
    if (!agree(fused, plain)) return false;
  }
  return true;
}

bool Products::State::check_bias_gradient() {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    const Sample g(runtime, dtype, sample_size, sample_size);
    const Sample x(runtime, dtype, sample_size, 2 * sample_size);
    const Sample fused(runtime, DType::F32, sample_size, 2 * sample_size);
    const Sample plain(runtime, DType::F32, sample_size, 2 * sample_size);
    const Sample fused_row(runtime, DType::F32, 1, sample_size);
    const Sample plain_row(runtime, DType::F32, 1, sample_size);
    Product product{1, g.view(), true, x.view(), false, 0, fused.view()};
    product.epilogue = Epilogue::BiasGradient;
    product.row = fused_row.view().data;
    if (!library.run(product)) return false;
    plain_matmul(runtime.stream(), 1, g.view(), true, x.view(), false, 0, plain.view());
    const std::vector<float> numbers = g.numbers();
    std::vector<float> sums(sample_size);
    for (std::size_t i = 0; i < numbers.size(); ++i) sums[i % sample_size] += numbers[i];
    runtime.copy_to_device(sums.data(), plain_row.view().data, sums.size() * sizeof(float));
    if (!agree(fused, plain) || !agree(fused_row, plain_row)) return false;
  }
  return true;
}

Products::Products(Runtime& runtime, bool is_tf32)
    : state_(std::make_unique<State>(runtime, is_tf32)) {
  if (is_plain("matmul")) return;
  state_->has_bias_epilogue = !is_plain("bias_epilogue") && state_->check_bias_epilogue();
  state_->has_bias_gradient = !is_plain("bias_gradient") && state_->check_bias_gradient();
}

Products::~Products() = default;

void Products::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                      bool transpose_b, double beta, MatrixView out) {
  state_->run({alpha, a, transpose_a, b, transpose_b, beta, out});
}

void Products::linear(ConstMatrixView x, ConstMatrixView weight, ConstMatrixView bias,
                      MatrixView out) {
  const Product product{1, x, false, weight, true, 0, out};
  if (bias.is_absent()) return state_->run(product);
  if (state_->has_bias_epilogue && state_->run_with_bias(product, bias)) return;
  if (is_plain("matmul")) {
    return plain_matmul(state_->runtime.stream(), 1, x, false, weight, true, 0, out, bias);
  }
  // The bias first and the product added to it: the sum is rounded once, as in an epilogue.
  fill(state_->runtime.stream(), 0, out);
  add_bias(state_->runtime.stream(), bias, out);
  Product added = product;
  added.beta = 1;
  state_->run(added);
}

bool Products::weight_gradient(ConstMatrixView g, ConstMatrixView x, double beta,
                               MatrixView dweight, double beta_bias, MatrixView dbias) {
  if (!state_->has_bias_gradient || beta_bias != 0) return false;
  Product product{1, g, true, x, false, beta, dweight};
  product.epilogue = Epilogue::BiasGradient;
  product.row = dbias.data;
  return state_->library.run(product);
}

std::vector<std::string> Products::choices() const {
  return state_->library.choices();
}

std::vector<std::pair<std::string, std::string>> Products::description() const {
  const auto yes = [](bool is_so) { return is_so ? "fused" : "a kernel of its own"; };
  return {{"cublaslt", fmt::format("{} ({})", state_->library.version(), state_->library.path())},
          {"f32 products", state_->is_tf32 ? "tf32" : "f32"},
          {"bf16 products", "cublaslt"},
          {"bias of a product", yes(state_->has_bias_epilogue)},
          {"bias gradient", yes(state_->has_bias_gradient)}};
}

}  // namespace basis::cuda::device
