#include "spectral/rotation.h"

#include <array>
#include <cmath>
#include <limits>
#include <tuple>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/spectral/reference.h"

namespace basis {
namespace {

double at(const Curve& curve, std::int64_t k) {
  return curve.at(static_cast<std::size_t>(k - 1));
}

TEST(Rotation, AgreesWithNumPy) {
  for (const std::string& name : reference_cases()) {
    const Reference reference(name);
    const Svd before = svd(reference.matrix("before")), after = svd(reference.matrix("after"));
    const double norm = reference.values("change")[1];
    const BasisProducts u = basis_products(before.u, after.u);
    const BasisProducts v = basis_products(before.v, after.v);
    expect_near(overlap_curve(u), reference.values("overlap_u"), 1e-12, name);
    expect_near(overlap_curve(v), reference.values("overlap_v"), 1e-12, name);
    expect_near(rotation_curve(u), reference.values("rotation_u"), 1e-12, name);
    expect_near(rotation_curve(v), reference.values("rotation_v"), 1e-12, name);
    const std::int64_t out = before.out(), in = before.in();
    // Sums of 1 / gap², gaps above 1e-2 known to 1e-14.
    expect_near(expected_gaussian_rotation(before.sigma, out, out, in, norm),
                reference.values("expected_u"), 1e-10, name);
    expect_near(expected_gaussian_rotation(before.sigma, in, out, in, norm),
                reference.values("expected_v"), 1e-10, name);
    const std::int64_t k = std::min<std::int64_t>(3, before.rank());
    // An angle of 0 is found as rounding of 1e-16, well below the tolerance.
    expect_near(principal_angles(before.u, after.u, k), reference.values("angles_u"), 1e-11, name);
    expect_near(principal_angles(before.v, after.v, k), reference.values("angles_v"), 1e-11, name);
  }
}

TEST(CoDrift, AgreesWithNumPyWhereBothDrifted) {
  for (const std::string& name : reference_cases()) {
    const Reference reference(name);
    const Svd before = svd(reference.matrix("before"));
    const SidedCurves found =
        co_drift(before, svd(reference.matrix("after")), svd(reference.matrix("other")));
    const std::vector<double> u = reference.values("co_drift_u");
    const std::vector<double> v = reference.values("co_drift_v");
    for (std::int64_t k = 1; k <= before.rank(); ++k) {
      const auto place = static_cast<std::size_t>(k - 1);
      for (const auto& [curve, expected, d] :
           {std::tuple{found.u, u, before.out()}, std::tuple{found.v, v, before.in()}}) {
        if (k == d) {
          EXPECT_TRUE(std::isnan(curve[place])) << name << ": the whole space cannot drift";
        } else {
          EXPECT_NEAR(curve[place], expected[place], 1e-11) << name << ", k = " << k;
        }
      }
    }
  }
}

TEST(Rotation, IsNothingWithoutAChange) {
  for (const auto& [out, in] : {std::array{24, 24}, {10, 40}, {40, 10}}) {
    const Svd whole = svd(random_gaussian(out, in, 1, 1));
    for (const double rotation : rotation_curve(basis_products(whole.u, whole.u))) {
      EXPECT_LT(rotation, 1e-28);
    }
    for (const double overlap : overlap_curve(basis_products(whole.v, whole.v))) {
      EXPECT_NEAR(overlap, 1, 1e-13);
    }
  }
}

TEST(Rotation, IsNothingInsideTheSubspaceAndAllOfItAcrossTheBoundary) {
  const Matrix u = random_orthonormal(20, 6, 1);
  const double c = std::cos(0.3), s = std::sin(0.3);
  const auto turn = [&](std::int64_t a, std::int64_t b) {
    Matrix turned = u;
    for (std::int64_t i = 0; i < 20; ++i) {
      turned(i, a) = c * u(i, a) + s * u(i, b);
      turned(i, b) = c * u(i, b) - s * u(i, a);
    }
    return turned;
  };
  const Curve rotation = rotation_curve(basis_products(u, turn(1, 3)));  // vectors 2 and 4
  for (const std::int64_t k : {1, 4, 5, 6}) EXPECT_LT(at(rotation, k), 1e-30) << k;
  EXPECT_NEAR(at(rotation, 2), s * s / 2, 1e-15);
  EXPECT_NEAR(at(rotation, 3), s * s / 3, 1e-15);
  const std::vector<double> angles = principal_angles(u, turn(1, 3), 3);
  EXPECT_NEAR(angles[0], 0.3, 1e-14);
  EXPECT_LT(angles[1], 1e-14);
}

// 1 - overlap would answer 1e-10 with an error of 1e-16 at best after a large rotation inside the
// subspace; sums of the outside parts keep it to 1e-16 / 1e-5.
TEST(Rotation, KeepsTenDigitsOfATinyRotationBesideALargeOneInside) {
  const Matrix u = random_orthonormal(30, 8, 2);
  constexpr double tiny = 1e-5;
  Matrix turned = u;
  for (std::int64_t i = 0; i < 30; ++i) {
    turned(i, 0) = u(i, 1);  // a swap inside
    turned(i, 1) = std::cos(tiny) * u(i, 0) + std::sin(tiny) * u(i, 5);
    turned(i, 5) = std::cos(tiny) * u(i, 5) - std::sin(tiny) * u(i, 0);
  }
  const Curve rotation = rotation_curve(basis_products(u, turned));
  const double expected = std::sin(tiny) * std::sin(tiny) / 3;
  EXPECT_NEAR(at(rotation, 3) / expected, 1, 1e-10);
  EXPECT_NEAR(at(rotation, 1), 1, 1e-14);
  // Outside the span of U altogether: a direction that no column of U reaches.
  const Matrix wide = random_orthonormal(30, 9, 3);
  Matrix left = columns_of(wide, 0, 8);
  for (std::int64_t i = 0; i < 30; ++i) {
    left(i, 0) = std::cos(tiny) * wide(i, 0) + std::sin(tiny) * wide(i, 8);
  }
  EXPECT_NEAR(at(rotation_curve(basis_products(columns_of(wide, 0, 8), left)), 4) /
                  (std::sin(tiny) * std::sin(tiny) / 4),
              1, 1e-10);
}

TEST(Rotation, AndOverlapAreOneTogetherForEveryShapeAndRank) {
  for (const auto& [out, in] : {std::array{25, 25}, {9, 31}, {31, 9}, {1, 1}, {5, 1}}) {
    const Matrix before = random_gaussian(out, in, 4, 1);
    const Svd a = svd(before), b = svd(with_noise(before, 0.2, 9));
    for (const auto& [x, y] : {std::pair{a.u, b.u}, std::pair{a.v, b.v}}) {
      const BasisProducts products = basis_products(x, y);
      const Curve overlap = overlap_curve(products), rotation = rotation_curve(products);
      for (std::size_t k = 0; k < overlap.size(); ++k) {
        EXPECT_NEAR(overlap[k] + rotation[k], 1, 1e-13);
      }
    }
  }
  EXPECT_THROW(basis_products(Matrix(3, 2), Matrix(2, 2)), ShapeError);
}

TEST(Overlap, OfRandomSubspacesIsChance) {
  // ‖U_kᵀU'_k‖² has mean k²/d and variance below 2k²/d² · (1 + ...): its standard deviation is
  // about √2 k/d, of the overlap √2/d. d = 200: 0.007, over 5 draws 0.003; 5 of them.
  constexpr std::int64_t d = 200, r = 60;
  Curve mean(r), corrected(r);
  for (std::uint64_t draw = 0; draw < 5; ++draw) {
    const Curve overlap = overlap_curve(
        basis_products(random_orthonormal(d, r, draw, 1), random_orthonormal(d, r, draw, 2)));
    for (std::size_t k = 0; k < r; ++k) mean[k] += overlap[k] / 5;
  }
  const Curve chance = overlap_chance(d, r);
  expect_near(mean, chance, 0.016, "overlap");
  for (const double value : corrected_overlap(mean, d)) EXPECT_NEAR(value, 0, 0.025);
}

TEST(CorrectedOverlap, IsNotDefinedForTheWholeSpace) {
  const Curve corrected = corrected_overlap({0.5, 1}, 2);
  EXPECT_EQ(corrected[0], 0);
  EXPECT_TRUE(std::isnan(corrected[1]));
}

TEST(ExpectedGaussianRotation, IsWhatSmallGaussianChangesCause) {
  // Spectrum with gaps of 1 at norm ratio 1e-3: second order is 1e-4 of the first. The simulation's
  // relative error: rot_k k sums at least 9 squares of independent normal numbers, so √(2/9)/√200 =
  // 0.033 at worst; 5 of them over 2 x 8 values of k.
  for (const auto& [out, in] : {std::array{9, 9}, {9, 14}, {14, 9}}) {
    std::vector<double> sigma(9);
    for (std::size_t i = 0; i < 9; ++i) sigma[i] = 10.0 - static_cast<double>(i);
    const Matrix before = random_with_spectrum(sigma, out, in, 5);
    const Svd whole = svd(before);
    const double norm = 1e-3 * frobenius_norm(before);
    const SidedCurves simulated = simulate_gaussian_rotation(before, whole, norm, 200, 17);
    const Curve u = expected_gaussian_rotation(sigma, out, out, in, norm);
    const Curve v = expected_gaussian_rotation(sigma, in, out, in, norm);
    for (std::int64_t k = 1; k <= 8; ++k) {
      EXPECT_NEAR(at(simulated.u, k) / at(u, k), 1, 0.17) << out << " x " << in << ", k = " << k;
      EXPECT_NEAR(at(simulated.v, k) / at(v, k), 1, 0.17) << out << " x " << in << ", k = " << k;
    }
    if (out > 9) {
      EXPECT_NEAR(at(simulated.u, 9) / at(u, 9), 1, 0.17);
    } else {
      EXPECT_EQ(at(u, 9), 0);
    }
  }
}

TEST(ExpectedGaussianRotation, IsInfiniteOnlyWhereTheBoundaryPartsEqualSingularValues) {
  const Curve square = expected_gaussian_rotation({3, 2, 2, 1, 0, 0}, 6, 6, 6, 0.1);
  EXPECT_TRUE(std::isfinite(square[0]));
  EXPECT_TRUE(std::isinf(square[1]));
  EXPECT_TRUE(std::isfinite(square[2]));
  EXPECT_TRUE(std::isfinite(square[3]));
  EXPECT_TRUE(std::isinf(square[4]));
  EXPECT_EQ(square[5], 0);
  const Curve tall = expected_gaussian_rotation({3, 2, 2, 1, 0, 0}, 8, 8, 6, 0.1);
  EXPECT_TRUE(std::isfinite(tall[3]));
  EXPECT_TRUE(std::isinf(tall[5])) << "1/σ² of a zero";
  for (const double value : expected_gaussian_rotation({2, 2, 0}, 5, 5, 3, 0)) EXPECT_EQ(value, 0);
}

TEST(GaussianRotation, IsAFunctionOfSeedAndPurpose) {
  const Matrix before = random_gaussian(8, 11, 1, 1);
  const Svd whole = svd(before);
  const auto draw = [&](std::uint64_t seed, std::uint64_t purpose) {
    return simulate_gaussian_rotation(before, whole, 0.5, 2, seed, purpose).u;
  };
  EXPECT_EQ(draw(1, 2), draw(1, 2));
  EXPECT_NE(draw(1, 2), draw(2, 2));
  EXPECT_NE(draw(1, 2), draw(1, 3));
  EXPECT_NE(simulate_gaussian_rotation(before, whole, 0.5, 1, 1, 2).u, draw(1, 2))
      << "the second draw is another one";
  EXPECT_THROW(simulate_gaussian_rotation(before, whole, 0.5, 0, 1), Error);
  for (const double value : simulate_gaussian_rotation(before, whole, 0, 1, 1).v) {
    EXPECT_EQ(value, 0);
  }
}

// Every product of a turned change with a pair of directions has the variance of a Gaussian one, so
// the first order is the same, whatever the singular values: here one alone.
TEST(HaarRotation, HasTheFirstOrderOfAGaussianChangeOfItsNorm) {
  const Matrix before = random_gaussian(8, 11, 1, 1);
  const Svd whole = svd(before);
  constexpr double norm = 1e-3;
  const SidedCurves simulated =
      simulate_haar_rotation(before, whole, {norm, 0, 0, 0, 0, 0, 0, 0}, 2000, 3);
  const Curve expected = expected_gaussian_rotation(whole.sigma, 11, 8, 11, norm);
  // The square of a product of two unit vectors' elements scatters by twice its mean or so: 2000
  // draws leave 5 %; 4 standard deviations are allowed.
  for (std::size_t k = 0; k < 8; ++k) {
    EXPECT_NEAR(simulated.v[k] / expected[k], 1, 0.2) << k;
  }
  EXPECT_EQ(simulate_haar_rotation(before, whole, {1, 0, 0, 0, 0, 0, 0, 0}, 1, 3).u,
            simulate_haar_rotation(before, whole, {1, 0, 0, 0, 0, 0, 0, 0}, 1, 3).u);
  EXPECT_NE(simulate_haar_rotation(before, whole, {1, 0, 0, 0, 0, 0, 0, 0}, 1, 3).u,
            simulate_haar_rotation(before, whole, {1, 0, 0, 0, 0, 0, 0, 0}, 1, 4).u);
}

TEST(RotationRatio, IsNotDefinedAgainstNothingOrInfinity) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Curve ratio = rotation_ratio({0.2, 0, 0.2}, {0.4, 0, infinity});
  EXPECT_EQ(ratio[0], 0.5);
  EXPECT_TRUE(std::isnan(ratio[1]));
  EXPECT_TRUE(std::isnan(ratio[2]));
}

TEST(CoDrift, IsNothingForIndependentDriftsAndOneForTheSame) {
  const std::vector<double> sigma = [] {
    std::vector<double> values(80);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 100.0 - static_cast<double>(i);
    return values;
  }();
  const Matrix before = random_with_spectrum(sigma, 80, 100, 1);
  const Svd start = svd(before);
  const Svd s = svd(with_noise(before, 1e-3, 1)), t = svd(with_noise(before, 1e-3, 2));
  const SidedCurves independent = co_drift(start, s, t), same = co_drift(start, s, s);
  // The mean over k of a correlation of at least 80 independent parts each, the neighbours at the
  // boundary weighing most (about 10 that count): 1/√10/√60 = 0.04; 4 of them.
  double mean = 0;
  for (std::int64_t k = 10; k < 70; ++k)
    mean += (at(independent.u, k) + at(independent.v, k)) / 120;
  EXPECT_NEAR(mean, 0, 0.16);
  for (std::int64_t k = 1; k < 80; ++k) {
    EXPECT_NEAR(at(same.u, k), 1, 1e-9);
    EXPECT_NEAR(at(same.v, k), 1, 1e-9);
  }
  for (const double value : co_drift(start, start, s).u) EXPECT_TRUE(std::isnan(value));
}

TEST(PrincipalAngles, AreRightAnglesToTheComplementAndSumToTheRotation) {
  const Matrix u = random_orthonormal(10, 8, 1);
  for (const double angle : principal_angles(columns_of(u, 0, 4), columns_of(u, 4, 8), 3)) {
    EXPECT_NEAR(angle, std::acos(-1.0) / 2, 1e-7);  // asin near 1 resolves √eps
  }
  const Matrix other = random_orthonormal(10, 8, 2);
  double sum = 0;
  for (const double angle : principal_angles(u, other, 4)) sum += std::pow(std::sin(angle), 2);
  EXPECT_NEAR(sum / 4, at(rotation_curve(basis_products(u, other)), 4), 1e-13);
  EXPECT_THROW(principal_angles(u, u, 0), Error);
  EXPECT_THROW(principal_angles(u, u, 9), Error);
}

TEST(Cosine, IsThatOfTheFlattenedChanges) {
  EXPECT_NEAR(cosine(Matrix(2, 2, {1, 0, 0, 1}), Matrix(2, 2, {1, 0, 0, 0})), std::sqrt(0.5),
              1e-15);
  EXPECT_TRUE(std::isnan(cosine(Matrix(2, 2), identity(2))));
}

}  // namespace
}  // namespace basis
