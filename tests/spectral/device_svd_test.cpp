#include <array>
#include <cmath>
#include <limits>

#include <gmock/gmock.h>

#include "spectral/leading_svd.h"
#include "spectral/svd_basis.h"
#include "tensor/decompositions.h"
#include "tests/spectral/matrices.h"

namespace basis {
namespace {

/// A device that refuses, and counts how often.
class Refusing final : public Decompositions {
 public:
  std::string name() const override { return "none"; }
  std::optional<WideSvd> svd(std::int64_t n, std::int64_t m, const double*) override {
    EXPECT_LE(n, m) << "a device gets wide matrices";
    ++asked;
    return std::nullopt;
  }
  std::string remark() const override { return ""; }

  int asked = 0;
};

TEST(DeviceSvd, IsLapacksWhereTheDeviceRefuses) {
  Refusing device;
  for (const Matrix& matrix : {random_gaussian(20, 30, 1, 1), random_gaussian(30, 20, 1, 1)}) {
    const Svd wanted = svd(matrix), found = svd(matrix, &device);
    EXPECT_EQ(found.u, wanted.u);
    EXPECT_EQ(found.sigma, wanted.sigma);
    EXPECT_EQ(found.v, wanted.v);
    EXPECT_EQ(leading_svd(matrix, 3, &device).u, columns_of(wanted.u, 0, 3));
  }
  EXPECT_EQ(device.asked, 4);
}

/// LAPACK's decomposition as a device would give it.
WideSvd decompose(const Matrix& wide) {
  const Svd found = svd(wide);
  return {found.sigma, transpose(found.u).elements(), transpose(found.v).elements()};
}

bool is_right(const WideSvd& found, const Matrix& wide) {
  return is_decomposition(found, wide.rows(), wide.columns(), wide.data());
}

TEST(IsDecomposition, TakesLapacks) {
  for (const auto& [n, m] : {std::array{1, 1}, {1, 9}, {31, 31}, {40, 170}}) {
    Matrix wide = random_gaussian(n, m, 5, 1);
    EXPECT_TRUE(is_right(decompose(wide), wide)) << wide.to_string();
    scale(wide, 1e-100);
    EXPECT_TRUE(is_right(decompose(wide), wide)) << wide.to_string();
  }
  EXPECT_TRUE(is_right(decompose(Matrix(4, 6)), Matrix(4, 6)));
}

TEST(IsDecomposition, TakesNoOther) {
  const Matrix wide = random_gaussian(20, 30, 5, 1);
  const WideSvd right = decompose(wide);
  ASSERT_TRUE(is_right(right, wide));
  const auto refuses = [&](const char* what, auto&& spoil) {
    WideSvd wrong = right;
    spoil(wrong);
    EXPECT_FALSE(is_right(wrong, wide)) << what;
  };
  constexpr double error = 1e-9, not_a_number = std::numeric_limits<double>::quiet_NaN();
  refuses("u", [&](WideSvd& of) { of.u[7] += error; });
  refuses("v", [&](WideSvd& of) { of.v[7] += error; });
  refuses("the last v", [&](WideSvd& of) { of.v.back() += error; });
  refuses("σ", [&](WideSvd& of) { of.sigma[0] *= 1 + error; });
  refuses("all of σ", [&](WideSvd& of) {
    for (double& value : of.sigma) value += error;
  });
  refuses("another sign of one", [&](WideSvd& of) {
    for (std::size_t j = 0; j < 20; ++j) of.u[j] = -of.u[j];
  });
  refuses("Uᵀ", [&](WideSvd& of) { of.u = transpose(Matrix(20, 20, of.u)).elements(); });
  refuses("σ that ascends", [&](WideSvd& of) { std::reverse(of.sigma.begin(), of.sigma.end()); });
  refuses("NaN in σ", [&](WideSvd& of) { of.sigma[3] = not_a_number; });
  refuses("NaN in u", [&](WideSvd& of) { of.u[3] = not_a_number; });
  refuses("NaN in v", [&](WideSvd& of) { of.v[3] = not_a_number; });
  refuses("infinity", [&](WideSvd& of) { of.sigma[0] = std::numeric_limits<double>::infinity(); });
  refuses("a scaled pair", [&](WideSvd& of) {
    for (double& value : of.u) value *= 2;
    for (double& value : of.v) value /= 2;
  });
}

// Vectors of a zero singular value are not in W: only orthonormality tells. It is what a polar
// decomposition has trouble with.
TEST(IsDecomposition, TakesNoVectorTwice) {
  const Matrix low = multiply(random_gaussian(20, 3, 1, 1), random_gaussian(3, 30, 1, 2));
  const WideSvd right = decompose(low);
  ASSERT_TRUE(is_right(right, low));
  WideSvd same_u = right, same_v = right;
  std::copy_n(right.u.begin(), 20, same_u.u.end() - 20);
  EXPECT_FALSE(is_right(same_u, low));
  std::copy_n(right.v.begin(), 30, same_v.v.end() - 30);
  EXPECT_FALSE(is_right(same_v, low));
}

}  // namespace
}  // namespace basis
