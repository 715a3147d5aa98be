#include "tensor/cpu/onednn.h"
#include "tensor/error.h"

// What stands in for onednn.cpp in a build without the library. Products (products.cpp) asks for
// version() first and calls nothing else.

namespace basis::cpu {

struct OneDnn::State {};

OneDnn::OneDnn(int) {}
OneDnn::~OneDnn() = default;

std::string OneDnn::version() {
  return "";
}
void OneDnn::limit_to(Isa) {}

void OneDnn::matmul(double, ConstMatrixView, bool, ConstMatrixView, bool, ConstMatrixView, double,
                    MatrixView) {
  throw InternalError("a product by oneDNN in a build without it");
}
void OneDnn::weight_gradient(ConstMatrixView, ConstMatrixView, MatrixView, MatrixView) {
  throw InternalError("a weight gradient by oneDNN in a build without it");
}

}  // namespace basis::cpu
