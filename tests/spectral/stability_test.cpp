#include "spectral/stability.h"

#include <array>
#include <cmath>

#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/spectral/reference.h"

namespace basis {
namespace {

TEST(Stability, AgreesWithNumPy) {
  for (const std::string& name : reference_cases()) {
    const Reference reference(name);
    const Matrix before = reference.matrix("before"), after = reference.matrix("after");
    const Svd a = svd(before), b = svd(after);
    const BasisProducts u = basis_products(a.u, b.u), v = basis_products(a.v, b.v);
    const JointStability joint = joint_stability(u, v);
    expect_near(joint.diagonal, reference.values("stability_diagonal"), 1e-12, name);
    expect_near(joint.matched, reference.values("stability_matched"), 1e-12, name);
    expect_near({intruder_share(u)}, reference.values("intruders_u"), 1e-15, name);
    expect_near({intruder_share(v)}, reference.values("intruders_v"), 1e-15, name);
    const EnergyInBasis energy = energy_in_basis(a, subtract(after, before));
    expect_near(energy.core, reference.values("energy_core"), 1e-12, name);
    expect_near(energy.diagonal, reference.values("energy_diagonal"), 1e-12, name);
    expect_near(energy.coefficient_shift, reference.values("coefficient_shift"), 1e-12, name);
    expect_near(functional_spectrum(a, reference.matrix("moment")), reference.values("functional"),
                1e-12, name);
    expect_near(wedin_bound(a.sigma, b.sigma, reference.values("change")[2]),
                reference.values("wedin"), 1e-11, name);
    expect_near({spectral_norm(subtract(after, before))}, {reference.values("change")[2]}, 1e-12,
                name);
  }
}

TEST(JointStability, IsOneForTheSameBasisAndDoesNotSeeSigns) {
  const Svd whole = svd(random_gaussian(12, 9, 1, 1));
  const std::vector<double> signs = {1, -1, 1, -1, -1, 1, 1, -1, 1};
  const JointStability joint =
      joint_stability(basis_products(whole.u, scale_columns(whole.u, signs)),
                      basis_products(whole.v, scale_columns(whole.v, signs)));
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_NEAR(joint.diagonal[i], 1, 1e-13);
    EXPECT_NEAR(joint.matched[i], 1, 1e-13);
    EXPECT_EQ(joint.matched_with[i], static_cast<std::int64_t>(i));
  }
}

TEST(JointStability, FindsAPairThatMovedWithinTwiceItsPlaceOnly) {
  // Pair 2 (from 1) goes to place 4 = 2 · 2, pair 1 to place 3 > 2 · 1.
  const Matrix u = random_orthonormal(7, 4, 1), v = random_orthonormal(8, 4, 2);
  const std::array order = {2, 3, 0, 1};  // place -> pair
  Matrix u_after(7, 4), v_after(8, 4);
  for (std::int64_t place = 0; place < 4; ++place) {
    for (std::int64_t i = 0; i < 7; ++i)
      u_after(i, place) = u(i, order[static_cast<std::size_t>(place)]);
    for (std::int64_t i = 0; i < 8; ++i)
      v_after(i, place) = v(i, order[static_cast<std::size_t>(place)]);
  }
  const JointStability joint =
      joint_stability(basis_products(u, u_after), basis_products(v, v_after));
  EXPECT_NEAR(joint.matched[1], 1, 1e-14);
  EXPECT_EQ(joint.matched_with[1], 3);
  EXPECT_NEAR(joint.diagonal[1], 0, 1e-14);
  EXPECT_NEAR(joint.matched[0], 0, 1e-14);
}

TEST(MatchedStabilityChance, IsWhatRandomBasesGive) {
  constexpr std::int64_t out = 40, in = 60;
  const std::vector<double> chance = matched_stability_chance(out, in, 4000, 1);
  std::vector<double> mean(out);
  constexpr int draws = 60;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    const JointStability joint = joint_stability(
        basis_products(random_orthonormal(out, out, draw, 1),
                       random_orthonormal(out, out, draw, 2)),
        basis_products(random_orthonormal(in, out, draw, 3), random_orthonormal(in, out, draw, 4)));
    for (std::size_t i = 0; i < out; ++i) mean[i] += joint.matched[i] / draws;
  }
  // One value has a standard deviation of about 1/√(out in) = 0.02: over 60 draws 0.0026; 5 of
  // them.
  expect_near(mean, chance, 0.013, "matched");
  EXPECT_GT(chance[30], 2 * chance[0]) << "the best of 40 is above the best of 2";
}

TEST(CosineChance, IsTheMeanMagnitudeOfARandomCosine) {
  // Standard deviation of the magnitude 0.6/√d: 400² dependent values; 1 % is enough for d = 400,
  // where the next term of the expansion, 1/(4d), is 0.06 %.
  const BasisProducts products =
      basis_products(random_orthonormal(400, 400, 1, 1), random_orthonormal(400, 400, 1, 2));
  double mean = 0;
  for (const double cosine : products.cosines.elements()) mean += std::abs(cosine) / 160000;
  EXPECT_NEAR(mean / cosine_chance(400), 1, 0.01);
}

TEST(IntruderShare, CountsNewDirectionsAmongTheLeadingOnes) {
  const Matrix u = random_orthonormal(30, 30, 1);
  EXPECT_EQ(intruder_share(basis_products(u, u)), 0);
  const Matrix known = columns_of(u, 0, 12);
  Matrix mixed = known;
  for (std::int64_t i = 0; i < 30; ++i) {
    mixed(i, 0) = u(i, 20);  // outside all of `known`
    mixed(i, 9) = u(i, 21);
    mixed(i, 11) = u(i, 22);  // not among the leading 10
  }
  EXPECT_NEAR(intruder_share(basis_products(known, mixed)), 0.2, 1e-15);
}

TEST(EnergyInBasis, IsAllInsideForAChangeMadeThere) {
  const Svd whole = svd(random_gaussian(20, 15, 1, 1));
  const Matrix core = random_gaussian(4, 4, 1, 2);
  const Matrix change =
      multiply_a_bt(multiply(columns_of(whole.u, 0, 4), core), columns_of(whole.v, 0, 4));
  const EnergyInBasis energy = energy_in_basis(whole, change);
  EXPECT_NEAR(energy.core[3], 1, 1e-13);
  EXPECT_NEAR(energy.core[14], 1, 1e-13);
  EXPECT_LT(energy.core[2], 0.999);
  double diagonal = 0;
  for (std::int64_t i = 0; i < 4; ++i) diagonal += core(i, i) * core(i, i);
  EXPECT_NEAR(energy.diagonal[3], diagonal / inner_product(core, core), 1e-13);
}

TEST(EnergyInBasis, OfAGaussianChangeIsChance) {
  const Svd whole = svd(random_gaussian(60, 90, 1, 1));
  const EnergyInBasis energy = energy_in_basis(whole, random_gaussian(60, 90, 2, 2));
  // 5400 squares: the share of n of them has standard deviation √(2n)/5400, at most 0.02 for n =
  // 3600. Each k has its own bound of 5 of them.
  for (std::size_t k = 1; k <= 60; ++k) {
    const auto n = static_cast<double>(k);
    EXPECT_NEAR(energy.core[k - 1], energy.core_chance[k - 1], 5 * std::sqrt(2 * n * n) / 5400);
    EXPECT_NEAR(energy.diagonal[k - 1], energy.diagonal_chance[k - 1], 5 * std::sqrt(2 * n) / 5400);
  }
  EXPECT_EQ(energy.core_chance[59], 3600.0 / 5400);
  EXPECT_EQ(energy.diagonal_chance[59], 60.0 / 5400);
  for (const double share : energy_in_basis(whole, Matrix(60, 90)).core) EXPECT_EQ(share, 0);
}

TEST(FunctionalSpectrum, IsThePlainSpectrumForWhiteInputs) {
  const Svd whole = svd(random_gaussian(5, 7, 1, 1));
  expect_near(functional_spectrum(whole, identity(7)), whole.sigma, 1e-13, "white");
  EXPECT_THROW(functional_spectrum(whole, identity(5)), ShapeError);
}

TEST(WedinBound, HoldsForEveryRankAndSide) {
  for (const double share : {1e-3, 1e-2, 1e-1}) {
    const Matrix before = random_gaussian(20, 26, 3, 1);
    const Matrix after = with_noise(before, share, 5);
    const Svd a = svd(before), b = svd(after);
    const Curve bound = wedin_bound(a.sigma, b.sigma, spectral_norm(subtract(after, before)));
    for (std::int64_t k = 1; k <= 20; ++k) {
      // Rounding of the sine: 1e-14.
      const double limit = bound[static_cast<std::size_t>(k - 1)] + 1e-13;
      EXPECT_LE(std::sin(principal_angles(a.u, b.u, k).front()), limit) << k;
      EXPECT_LE(std::sin(principal_angles(a.v, b.v, k).front()), limit) << k;
    }
  }
}

TEST(GapGroups, JoinNeighboursCloserThanTwiceTheChange) {
  const Matrix u = random_orthonormal(9, 5, 1);
  const BasisProducts same = basis_products(u, u);
  const std::vector<GapGroup> groups = gap_groups({10, 9.9, 9.7, 5, 1}, 0.15, same, same);
  ASSERT_EQ(groups.size(), 3u);
  EXPECT_EQ(groups[0].begin, 0);
  EXPECT_EQ(groups[0].end, 3);
  EXPECT_EQ(groups[1].end, 4);
  EXPECT_EQ(groups[2].end, 5);
  for (const GapGroup& group : groups) EXPECT_NEAR(group.overlap_u, 1, 1e-14);
  EXPECT_EQ(gap_groups({3, 3, 3}, 0, same, same).size(), 3u) << "without a change nothing mixes";
}

TEST(GapGroups, ReportTheSubspaceThatMixesInsideAndWhatLeavesIt) {
  BasisProducts mixed{9, identity(3), std::vector<double>(3)};
  mixed.cosines = Matrix(3, 3, {0.6, 0.8, 0, -0.8, 0.6, 0, 0, 0, 0.5});
  const std::vector<GapGroup> groups = gap_groups({5, 4.9, 1}, 0.1, mixed, mixed);
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_NEAR(groups[0].overlap_u, 1, 1e-15);
  EXPECT_NEAR(groups[0].overlap_v, 1, 1e-15);
  EXPECT_NEAR(groups[1].overlap_u, 0.25, 1e-15);
}

TEST(SpectrumShift, IsRelative) {
  const std::vector<double> shift = spectrum_shift({4, 2, 0}, {5, 1, 0});
  EXPECT_EQ(shift[0], 0.25);
  EXPECT_EQ(shift[1], -0.5);
  EXPECT_TRUE(std::isnan(shift[2]));
}

}  // namespace
}  // namespace basis
