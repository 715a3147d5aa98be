#include "spectral/matrix.h"

#include <array>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"

namespace basis {
namespace {

Matrix plain_product(const Matrix& a, const Matrix& b) {
  Matrix product(a.rows(), b.columns());
  for (std::int64_t i = 0; i < a.rows(); ++i) {
    for (std::int64_t j = 0; j < b.columns(); ++j) {
      for (std::int64_t k = 0; k < a.columns(); ++k) product(i, j) += a(i, k) * b(k, j);
    }
  }
  return product;
}

TEST(Matrix, MultipliesEveryCombinationOfTranspositions) {
  for (const auto& [m, inner, n] : {std::array{1, 1, 1}, {3, 5, 2}, {17, 33, 9}, {2, 70, 70}}) {
    const Matrix a = random_gaussian(m, inner, 1, 1), b = random_gaussian(inner, n, 1, 2);
    const Matrix expected = plain_product(a, b);
    const Matrix at = transpose(a), bt = transpose(b);
    const std::array products = {multiply(a, b), multiply_at_b(at, b), multiply_a_bt(a, bt),
                                 multiply(at, bt, Operand::Transposed, Operand::Transposed)};
    for (const Matrix& product : products) {
      ASSERT_EQ(product.rows(), m);
      ASSERT_EQ(product.columns(), n);
      for (std::int64_t i = 0; i < m; ++i) {
        // A sum of `inner` products of normal numbers in another order.
        for (std::int64_t j = 0; j < n; ++j) EXPECT_NEAR(product(i, j), expected(i, j), 1e-13);
      }
    }
  }
}

TEST(Matrix, RefusesShapesThatDoNotFit) {
  EXPECT_THROW(Matrix(-1, 2), ShapeError);
  EXPECT_THROW(Matrix(2, 2, {1, 2, 3}), ShapeError);
  EXPECT_THROW(multiply(Matrix(2, 3), Matrix(2, 3)), ShapeError);
  EXPECT_THROW(subtract(Matrix(2, 3), Matrix(3, 2)), ShapeError);
  EXPECT_THROW(inner_product(Matrix(2, 3), Matrix(3, 2)), ShapeError);
  EXPECT_THROW(columns_of(Matrix(2, 3), 1, 4), ShapeError);
  EXPECT_THROW(scale_columns(Matrix(2, 3), {1, 2}), ShapeError);
}

TEST(Matrix, IsCopiedFromAndToViewsWithARowStride) {
  const std::array<float, 6> floats = {1, 2, 3, 4, 5, 6};
  const Matrix matrix = to_matrix({floats.data() + 1, DType::F32, 2, 2, 3});
  EXPECT_EQ(matrix, Matrix(2, 2, {2, 3, 5, 6}));
  std::array<double, 6> doubles = {};
  copy_to(matrix, {doubles.data(), DType::F64, 2, 2, 3});
  EXPECT_EQ(doubles, (std::array<double, 6>{2, 3, 0, 5, 6, 0}));
  const std::array<BFloat16, 2> halves = {BFloat16{0x3f80}, BFloat16{0xc000}};
  EXPECT_EQ(to_matrix({halves.data(), DType::BF16, 1, 2, 2}), Matrix(1, 2, {1, -2}));
  EXPECT_THROW(to_matrix({doubles.data(), DType::I32, 1, 1, 1}), Error);
  EXPECT_THROW(copy_to(matrix, {doubles.data(), DType::F64, 1, 2, 2}), ShapeError);
}

TEST(Matrix, HasANormWhereSquaresOverflowOrVanish) {
  for (const double size : {1.0, 1e200, 1e-200}) {
    EXPECT_NEAR(frobenius_norm(Matrix(2, 2, {3 * size, 0, 0, 4 * size})) / size, 5, 1e-14) << size;
  }
  EXPECT_EQ(frobenius_norm(Matrix(2, 2)), 0);
}

TEST(Matrix, KnowsWhetherItIsFinite) {
  EXPECT_TRUE(is_finite(Matrix(2, 2)));
  EXPECT_FALSE(is_finite(Matrix(1, 2, {0, std::numeric_limits<double>::infinity()})));
  EXPECT_FALSE(is_finite(Matrix(1, 2, {std::nan(""), 0})));
}

}  // namespace
}  // namespace basis
