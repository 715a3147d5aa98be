// Products without a library.
#include "tensor/cuda/products.h"

#include "tensor/cuda/kernels/matmul.h"

namespace basis::cuda::emulated {

struct Products::State {};

Products::Products(Runtime&, bool) : state_(std::make_unique<State>()) {}
Products::~Products() = default;

void Products::matmul(double alpha, ConstMatrixView a, bool transpose_a, ConstMatrixView b,
                      bool transpose_b, double beta, MatrixView out) {
  plain_matmul({}, alpha, a, transpose_a, b, transpose_b, beta, out);
}

void Products::linear(ConstMatrixView x, ConstMatrixView weight, ConstMatrixView bias,
                      MatrixView out) {
  plain_matmul({}, 1, x, false, weight, true, 0, out, bias);
}

bool Products::weight_gradient(ConstMatrixView, ConstMatrixView, double, MatrixView, double,
                               MatrixView) {
  return false;
}

std::vector<std::string> Products::choices() const {
  return {};
}

std::vector<std::pair<std::string, std::string>> Products::description() const {
  return {{"products", "plain kernels"}};
}

}  // namespace basis::cuda::emulated
