#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "spectral/matrix.h"
#include "spectral/svd.h"
#include "spectral/svd_basis.h"

namespace basis {

/// `relative` where the expected value is above 1, else absolute.
inline void expect_near(const std::vector<double>& found, const std::vector<double>& expected,
                        double tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], expected[i], tolerance * std::max(1.0, std::abs(expected[i])))
        << what << ", element " << i;
  }
}

inline double largest_difference(const Matrix& a, const Matrix& b) {
  double largest = 0;
  const Matrix difference = subtract(a, b);
  for (const double element : difference.elements()) {
    largest = std::max(largest, std::abs(element));
  }
  return largest;
}

inline Matrix identity(std::int64_t n) {
  Matrix matrix(n, n);
  for (std::int64_t i = 0; i < n; ++i) matrix(i, i) = 1;
  return matrix;
}

/// A change with independent Gaussian elements of Frobenius norm `share` times that of `before`.
inline Matrix with_noise(const Matrix& before, double share, std::uint64_t seed) {
  Matrix noise = random_gaussian(before.rows(), before.columns(), seed, 77);
  scale(noise, share * frobenius_norm(before) / frobenius_norm(noise));
  return add(before, noise);
}

}  // namespace basis
