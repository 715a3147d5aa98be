#include "spectral/leading_svd.h"

#include <array>
#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/spectral/reference.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

/// A matrix whose i-th singular value is `ratio` to the power of i.
Matrix falling(std::int64_t out, std::int64_t in, double ratio) {
  std::vector<double> sigma;
  for (std::int64_t i = 0; i < std::min(out, in); ++i) sigma.push_back(std::pow(ratio, i));
  return random_with_spectrum(sigma, out, in, 7);
}

TEST(LeadingSvd, AgreesWithTheWholeDecomposition) {
  for (const auto& [out, in, k] : {std::array{40, 40, 10}, {40, 90, 10}, {90, 40, 7}, {8, 64, 1}}) {
    const Matrix matrix = falling(out, in, 0.9);
    const Svd whole = svd(matrix), leading = leading_svd(matrix, k);
    const std::string what = matrix.to_string();
    ASSERT_EQ(leading.rank(), k) << what;
    // Both are known to eps σ₁² / gap(σ²), with a gap of 0.9^20 (1 - 0.9²) at the tenth: 1e-14 /
    // 0.02.
    EXPECT_LT(largest_difference(leading.u, columns_of(whole.u, 0, k)), 1e-12) << what;
    EXPECT_LT(largest_difference(leading.v, columns_of(whole.v, 0, k)), 1e-12) << what;
    expect_near(leading.sigma, {whole.sigma.begin(), whole.sigma.begin() + k}, 1e-13, what);
  }
}

TEST(LeadingSvd, KeepsItsAccuracyWhereSingularValuesCluster) {
  // Vectors of equal values are anyone's, but pairs must satisfy their equations.
  std::vector<double> sigma(60, 1.0);
  for (std::size_t i = 10; i < sigma.size(); ++i) sigma[i] = 1 - 1e-9 * static_cast<double>(i);
  const Matrix matrix = random_with_spectrum(sigma, 60, 80, 3);
  const Svd found = leading_svd(matrix, 12);
  const Matrix forward = subtract(multiply(matrix, found.v), scale_columns(found.u, found.sigma));
  const Matrix backward =
      subtract(multiply_at_b(matrix, found.u), scale_columns(found.v, found.sigma));
  EXPECT_LT(largest_difference(forward, Matrix(60, 12)), leading_svd_accuracy);
  EXPECT_LT(largest_difference(backward, Matrix(80, 12)), leading_svd_accuracy);
  EXPECT_LT(largest_difference(multiply_at_b(found.u, found.u), identity(12)), 1e-12);
  EXPECT_LT(largest_difference(multiply_at_b(found.v, found.v), identity(12)), 1e-12);
}

TEST(LeadingSvd, TakesTheWholeDecompositionWhereSquaringLosesTooMuch) {
  // The fifth value is 1e-5 of the first: its square is 1e-10 of the first's.
  const Matrix steep = falling(40, 50, 0.05);
  const Svd whole = svd(steep), leading = leading_svd(steep, 5);
  EXPECT_EQ(leading.u, columns_of(whole.u, 0, 5));
  EXPECT_EQ(leading.v, columns_of(whole.v, 0, 5));
}

TEST(LeadingSvd, GivesTheSameBitsForAnyNumberOfThreads) {
  const Matrix matrix = random_gaussian(120, 150, 5, 1);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const Svd alone = leading_svd(matrix, 20);
  omp_set_num_threads(4);
  const Svd together = leading_svd(matrix, 20);
  omp_set_num_threads(threads);
  EXPECT_EQ(alone.u, together.u);
  EXPECT_EQ(alone.v, together.v);
}

TEST(LeadingSvd, RefusesWhatHasNoDecomposition) {
  EXPECT_THAT(error_of([] { leading_svd(Matrix(6, 9), 7); }), testing::HasSubstr("7 leading"));
  EXPECT_THROW(leading_svd(Matrix(6, 9), 0), Error);
  EXPECT_THROW(leading_svd(Matrix(), 1), Error);
  Matrix bad = random_gaussian(40, 60, 1, 1);
  bad(2, 5) = std::nan("");
  EXPECT_THAT(error_of([&] { leading_svd(bad, 3); }), testing::HasSubstr("(2, 5)"));
}

}  // namespace
}  // namespace basis
