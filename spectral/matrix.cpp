#include "spectral/matrix.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <cblas.h>
#include <fmt/format.h>

#include "tensor/error.h"

namespace basis {
namespace {

int blas_size(std::int64_t size) {
  if (size > std::numeric_limits<int>::max()) {
    throw ShapeError(fmt::format("multiply: a side of {} is more than BLAS can count", size));
  }
  return static_cast<int>(size);
}

void require_equal_shapes(const char* operation, const Matrix& a, const Matrix& b) {
  if (a.rows() == b.rows() && a.columns() == b.columns()) return;
  throw ShapeError(
      fmt::format("{}: {} and {} differ in shape", operation, a.to_string(), b.to_string()));
}

template <class T>
void copy_rows(const ConstMatrixView& view, Matrix& matrix) {
  for (std::int64_t i = 0; i < view.rows; ++i) {
    const T* source = view.as<T>() + i * view.row_stride;
    double* target = matrix.row(i);
    for (std::int64_t j = 0; j < view.columns; ++j) {
      if constexpr (std::is_same_v<T, BFloat16>) {
        target[j] = std::bit_cast<float>(static_cast<std::uint32_t>(source[j].bits) << 16);
      } else {
        target[j] = source[j];
      }
    }
  }
}

template <class T>
void write_rows(const Matrix& matrix, const MatrixView& view) {
  for (std::int64_t i = 0; i < view.rows; ++i) {
    T* target = view.as<T>() + i * view.row_stride;
    const double* source = matrix.row(i);
    for (std::int64_t j = 0; j < view.columns; ++j) target[j] = static_cast<T>(source[j]);
  }
}

}  // namespace

Matrix::Matrix(std::int64_t rows, std::int64_t columns) : rows_(rows), columns_(columns) {
  if (rows < 0 || columns < 0) {
    throw ShapeError(fmt::format("Matrix: {} x {} has a negative size", rows, columns));
  }
  elements_.resize(static_cast<std::size_t>(rows * columns));
}

Matrix::Matrix(std::int64_t rows, std::int64_t columns, std::vector<double> elements)
    : rows_(rows), columns_(columns), elements_(std::move(elements)) {
  if (rows < 0 || columns < 0 || elements_.size() != static_cast<std::size_t>(rows * columns)) {
    throw ShapeError(
        fmt::format("Matrix: {} elements do not fill {} x {}", elements_.size(), rows, columns));
  }
}

std::string Matrix::to_string() const {
  return fmt::format("{} x {}", rows_, columns_);
}

Matrix to_matrix(const ConstMatrixView& view) {
  Matrix matrix(view.rows, view.columns);
  switch (view.dtype) {
    case DType::F32:
      copy_rows<float>(view, matrix);
      return matrix;
    case DType::F64:
      copy_rows<double>(view, matrix);
      return matrix;
    case DType::BF16:
      copy_rows<BFloat16>(view, matrix);
      return matrix;
    default:
      throw Error(fmt::format("to_matrix: a spectral analysis needs f32, f64 or bf16, not {}",
                              name_of(view.dtype)));
  }
}

void copy_to(const Matrix& matrix, const MatrixView& view) {
  if (matrix.rows() != view.rows || matrix.columns() != view.columns) {
    throw ShapeError(fmt::format("copy_to: {} does not fit a view of {} x {}", matrix.to_string(),
                                 view.rows, view.columns));
  }
  if (view.dtype == DType::F32) return write_rows<float>(matrix, view);
  if (view.dtype == DType::F64) return write_rows<double>(matrix, view);
  throw Error(
      fmt::format("copy_to: the view is {}; f32 or f64 can be written", name_of(view.dtype)));
}

Matrix multiply(const Matrix& a, const Matrix& b, Operand a_is, Operand b_is) {
  const bool a_turned = a_is == Operand::Transposed;
  const bool b_turned = b_is == Operand::Transposed;
  const std::int64_t m = a_turned ? a.columns() : a.rows();
  const std::int64_t inner = a_turned ? a.rows() : a.columns();
  const std::int64_t n = b_turned ? b.rows() : b.columns();
  if (inner != (b_turned ? b.columns() : b.rows())) {
    throw ShapeError(fmt::format("multiply: {}{} does not fit {}{}", a.to_string(),
                                 a_turned ? " transposed" : "", b.to_string(),
                                 b_turned ? " transposed" : ""));
  }
  Matrix product(m, n);
  if (m == 0 || n == 0 || inner == 0) return product;
  cblas_dgemm(CblasRowMajor, a_turned ? CblasTrans : CblasNoTrans,
              b_turned ? CblasTrans : CblasNoTrans, blas_size(m), blas_size(n), blas_size(inner),
              1.0, a.data(), blas_size(a.columns()), b.data(), blas_size(b.columns()), 0.0,
              product.data(), blas_size(n));
  return product;
}

Matrix subtract(const Matrix& a, const Matrix& b) {
  require_equal_shapes("subtract", a, b);
  Matrix difference(a.rows(), a.columns());
  const std::size_t count = a.elements().size();
  for (std::size_t i = 0; i < count; ++i) difference.data()[i] = a.data()[i] - b.data()[i];
  return difference;
}

Matrix add(const Matrix& a, const Matrix& b) {
  require_equal_shapes("add", a, b);
  Matrix sum(a.rows(), a.columns());
  const std::size_t count = a.elements().size();
  for (std::size_t i = 0; i < count; ++i) sum.data()[i] = a.data()[i] + b.data()[i];
  return sum;
}

Matrix transpose(const Matrix& a) {
  constexpr std::int64_t tile = 32;  // a tile of both matrices stays in the first cache
  Matrix turned(a.columns(), a.rows());
  for (std::int64_t i0 = 0; i0 < a.rows(); i0 += tile) {
    for (std::int64_t j0 = 0; j0 < a.columns(); j0 += tile) {
      for (std::int64_t i = i0; i < std::min(i0 + tile, a.rows()); ++i) {
        for (std::int64_t j = j0; j < std::min(j0 + tile, a.columns()); ++j) turned(j, i) = a(i, j);
      }
    }
  }
  return turned;
}

Matrix columns_of(const Matrix& a, std::int64_t begin, std::int64_t end) {
  if (begin < 0 || begin > end || end > a.columns()) {
    throw ShapeError(
        fmt::format("columns_of: [{}, {}) is not within {}", begin, end, a.to_string()));
  }
  Matrix part(a.rows(), end - begin);
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    std::copy(a.row(i) + begin, a.row(i) + end, part.row(i));
  }
  return part;
}

Matrix scale_columns(Matrix a, const std::vector<double>& scales) {
  if (static_cast<std::int64_t>(scales.size()) != a.columns()) {
    throw ShapeError(fmt::format("scale_columns: {} scales for {}", scales.size(), a.to_string()));
  }
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    double* row = a.row(i);
    for (std::int64_t j = 0; j < a.columns(); ++j) row[j] *= scales[static_cast<std::size_t>(j)];
  }
  return a;
}

void scale(Matrix& a, double factor) {
  const std::size_t count = a.elements().size();
  for (std::size_t i = 0; i < count; ++i) a.data()[i] *= factor;
}

double inner_product(const Matrix& a, const Matrix& b) {
  require_equal_shapes("inner_product", a, b);
  double sum = 0;
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    sum += cblas_ddot(blas_size(a.columns()), a.row(i), 1, b.row(i), 1);
  }
  return sum;
}

double frobenius_norm(const Matrix& a) {
  double norm = 0;
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    norm = std::hypot(norm, cblas_dnrm2(blas_size(a.columns()), a.row(i), 1));
  }
  return norm;
}

std::vector<double> row_norms(const Matrix& a) {
  std::vector<double> norms;
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    double sum = 0;
    for (std::int64_t j = 0; j < a.columns(); ++j) sum += a(i, j) * a(i, j);
    norms.push_back(std::sqrt(sum));
  }
  return norms;
}

bool is_finite(const Matrix& a) {
  for (const double element : a.elements()) {
    if (!std::isfinite(element)) return false;
  }
  return true;
}

}  // namespace basis
