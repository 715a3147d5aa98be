#pragma once

// For files of tensor/cuda and its tests alone; not installed.

#include <compare>
#include <optional>
#include <string>
#include <vector>

#include <cublasLt.h>

#include "tensor/cuda/bounded_table.h"
#include "tensor/cuda/library.h"
#include "tensor/cuda/runtime.h"
#include "tensor/view.h"

namespace basis::cuda::device {

/// What a product does to its result, or beside it.
enum class Epilogue : std::uint8_t {
  None,
  Bias,          // adds a row of the output's dtype to each row
  BiasGradient,  // gives the column sums of `a`ᵀ, f32
};

/// out = alpha op(a) op(b) + beta out, row-major.
struct Product {
  double alpha = 1;
  ConstMatrixView a;
  bool transpose_a = false;
  ConstMatrixView b;
  bool transpose_b = false;
  double beta = 0;
  MatrixView out;
  Epilogue epilogue = Epilogue::None;
  void* row = nullptr;  // the epilogue's
};

/// All that the choice of an algorithm may depend on.
struct ProductKey {
  std::int64_t rows, columns, inner;
  std::int64_t a_stride, b_stride, out_stride;
  bool transpose_a, transpose_b, adds;
  DType dtype, out_dtype;
  Epilogue epilogue;
  std::uint32_t a_alignment, b_alignment, out_alignment;

  auto operator<=>(const ProductKey&) const = default;
};
ProductKey key_of(const Product& product);

/// cuBLASLt, loaded when it is first needed. An algorithm is chosen once for a shape, from the
/// library's own heuristic and never by a timing, among those that add in a fixed order.
class CublasLt {
 public:
  CublasLt(Runtime& runtime, bool is_tf32);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  /// False where the library has no algorithm for it: nothing was queued.
  bool run(const Product& product);

  std::string version() const;
  const std::string& path() const { return library_.path(); }
  /// What was chosen for each shape so far, a line each.
  std::vector<std::string> choices() const;

 private:
  struct Functions;
  struct Plan;
  Plan& plan_of(const Product& product);
  std::optional<cublasLtMatmulAlgo_t> choose(const Product& product, Plan& plan) const;

  Runtime& runtime_;
  Library library_;
  std::unique_ptr<Functions> functions_;
  cublasLtHandle_t handle_ = nullptr;
  bool is_tf32_;
  Block workspace_;
  BoundedTable<ProductKey, std::unique_ptr<Plan>> plans_;
};

}  // namespace basis::cuda::device
