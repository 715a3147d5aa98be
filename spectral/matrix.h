#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/view.h"

namespace basis {

/// A row-major f64 matrix that owns its elements: what the spectral analyses compute with, apart
/// from tensors and tapes, because differences of singular bases drown in f32.
class Matrix {
 public:
  Matrix() = default;
  /// Zeros. Throws ShapeError for a negative size.
  Matrix(std::int64_t rows, std::int64_t columns);
  /// Takes `elements`, row by row. Throws ShapeError unless there are rows * columns of them.
  Matrix(std::int64_t rows, std::int64_t columns, std::vector<double> elements);

  std::int64_t rows() const { return rows_; }
  std::int64_t columns() const { return columns_; }
  bool is_empty() const { return elements_.empty(); }
  double* data() { return elements_.data(); }
  const double* data() const { return elements_.data(); }
  double* row(std::int64_t i) { return elements_.data() + i * columns_; }
  const double* row(std::int64_t i) const { return elements_.data() + i * columns_; }
  double& operator()(std::int64_t i, std::int64_t j) { return elements_[place(i, j)]; }
  double operator()(std::int64_t i, std::int64_t j) const { return elements_[place(i, j)]; }
  const std::vector<double>& elements() const { return elements_; }

  /// "768 x 3072".
  std::string to_string() const;

  bool operator==(const Matrix& other) const = default;

 private:
  std::size_t place(std::int64_t i, std::int64_t j) const {
    return static_cast<std::size_t>(i * columns_ + j);
  }

  std::int64_t rows_ = 0;
  std::int64_t columns_ = 0;
  std::vector<double> elements_;
};

/// Copies a view in host memory of dtype f32, f64 or bf16. Throws Error for another dtype.
Matrix to_matrix(const ConstMatrixView& view);
/// Writes `matrix` into a view of f32 (rounded) or f64. Throws ShapeError or Error.
void copy_to(const Matrix& matrix, const MatrixView& view);

enum class Operand : std::uint8_t { AsIs, Transposed };

/// op(a) op(b). Throws ShapeError when the inner sizes differ.
Matrix multiply(const Matrix& a, const Matrix& b, Operand a_is = Operand::AsIs,
                Operand b_is = Operand::AsIs);
/// aᵀ b.
inline Matrix multiply_at_b(const Matrix& a, const Matrix& b) {
  return multiply(a, b, Operand::Transposed, Operand::AsIs);
}
/// a bᵀ.
inline Matrix multiply_a_bt(const Matrix& a, const Matrix& b) {
  return multiply(a, b, Operand::AsIs, Operand::Transposed);
}

/// a - b and a + b. Throw ShapeError when the shapes differ.
Matrix subtract(const Matrix& a, const Matrix& b);
Matrix add(const Matrix& a, const Matrix& b);
Matrix transpose(const Matrix& a);
/// Columns [begin, end). Throws ShapeError out of range.
Matrix columns_of(const Matrix& a, std::int64_t begin, std::int64_t end);
/// Column j of `a` times scales[j]. Throws ShapeError unless there is a scale for every column.
Matrix scale_columns(Matrix a, const std::vector<double>& scales);
void scale(Matrix& a, double factor);

/// Sum of the products of equal places, in f64. Throws ShapeError when the shapes differ.
double inner_product(const Matrix& a, const Matrix& b);
/// √Σ a², safe from overflow and underflow.
double frobenius_norm(const Matrix& a);
/// ‖a_i‖ of each row.
std::vector<double> row_norms(const Matrix& a);
bool is_finite(const Matrix& a);

}  // namespace basis
