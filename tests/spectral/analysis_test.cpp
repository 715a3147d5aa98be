#include "spectral/analysis.h"

#include <cmath>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "spectral/svd_basis.h"
#include "tensor/error.h"
#include "tests/spectral/reference.h"
#include "tests/tensor/file_fixture.h"

namespace basis {
namespace {

using testing::HasSubstr;

MatrixPair noisy_pair(const std::string& name, std::int64_t out, std::int64_t in, double share,
                      std::uint64_t seed) {
  const Matrix before = random_gaussian(out, in, seed, 1);
  return {name, before, with_noise(before, share, seed + 1)};
}

PairSource source_of(std::vector<MatrixPair> pairs) {
  return [pairs = std::move(pairs), next = std::size_t{0}]() mutable -> std::optional<MatrixPair> {
    if (next == pairs.size()) return std::nullopt;
    return pairs[next++];
  };
}

std::vector<MatrixReport> reports_of(std::vector<MatrixPair> pairs,
                                     const AnalysisOptions& options) {
  std::vector<MatrixReport> reports;
  analyse(source_of(std::move(pairs)), options,
          [&](MatrixReport report) { reports.push_back(std::move(report)); });
  return reports;
}

TEST(Analysis, AgreesWithNumPy) {
  for (const std::string& name : reference_cases()) {
    const Reference reference(name);
    const MatrixReport report = analyse_matrix(
        {name, reference.matrix("before"), reference.matrix("after")}, {.angle_ranks = {1, 99}});
    expect_near(report.u.rotation, reference.values("rotation_u"), 1e-12, name);
    expect_near(report.v.rotation, reference.values("rotation_v"), 1e-12, name);
    expect_near(report.u.rotation_expected, reference.values("expected_u"), 1e-10, name);
    expect_near(report.v.rotation_expected, reference.values("expected_v"), 1e-10, name);
    expect_near(report.energy.core, reference.values("energy_core"), 1e-12, name);
    expect_near(report.sigma_after, reference.values("sigma_after"), 1e-12, name);
    expect_near({report.change, report.change_norm, report.change_spectral_norm},
                reference.values("change"), 1e-12, name);
    EXPECT_EQ(report.u.angles.size(), 1u) << "k = 99 is above every rank";
  }
}

TEST(Analysis, OfNoChangeIsNothingButNumbers) {
  for (const auto& [out, in] : {std::pair{8, 8}, {5, 9}, {9, 5}, {1, 1}}) {
    const Matrix weight = random_gaussian(out, in, 1, 1);
    const MatrixReport report = analyse_matrix({"w", weight, weight}, {.gaussian_draws = 1});
    EXPECT_EQ(report.change, 0);
    for (std::size_t k = 0; k < report.u.rotation.size(); ++k) {
      EXPECT_LT(report.u.rotation[k], 1e-28);
      EXPECT_LT(report.v.rotation[k], 1e-28);
      EXPECT_EQ(report.energy.core[k], 0);
      EXPECT_TRUE(std::isnan(report.u.ratio[k])) << "nothing over nothing";
      EXPECT_NEAR(report.stability.diagonal[k], 1, 1e-13);
    }
  }
}

// Zeros, equal singular values and low rank: every quantity that is defined is a number.
TEST(Analysis, OfDegenerateMatricesHasNoSurprisingNaN) {
  const Matrix low = multiply(random_gaussian(9, 2, 1, 1), random_gaussian(2, 12, 1, 2));
  const Matrix change = random_gaussian(9, 12, 2, 1);
  const std::vector<MatrixPair> pairs = {
      {"low", low, add(low, change)},
      {"zero", Matrix(9, 12), change},
      {"to zero", change, Matrix(9, 12)},
      {"identity", identity(9), with_noise(identity(9), 0.1, 1)}};
  for (const MatrixPair& pair : pairs) {
    const MatrixReport report = analyse_matrix(pair, {.gaussian_draws = 1});
    const auto r = report.u.rotation.size();
    for (const SideReport* side : {&report.u, &report.v}) {
      for (std::size_t k = 0; k < r; ++k) {
        EXPECT_GE(side->rotation[k], 0) << pair.name;
        EXPECT_LE(side->rotation[k], 1 + 1e-13) << pair.name;
        EXPECT_GE(side->rotation_expected[k], 0) << pair.name << " (infinite is allowed)";
        EXPECT_GE(side->rotation_gaussian[k], 0) << pair.name;
        const bool is_whole = side->chance[k] == 1;
        EXPECT_EQ(std::isnan(side->overlap_corrected[k]), is_whole) << pair.name;
      }
    }
    for (std::size_t k = 0; k < r; ++k) {
      EXPECT_TRUE(std::isfinite(report.energy.core[k])) << pair.name;
      EXPECT_TRUE(std::isfinite(report.wedin[k])) << pair.name;
      EXPECT_TRUE(std::isfinite(report.stability.matched[k])) << pair.name;
    }
    EXPECT_TRUE(std::isfinite(report.change)) << pair.name;
  }
}

TEST(Analysis, OfAGaussianChangeHasARatioOfOne) {
  const MatrixReport report =
      analyse_matrix(noisy_pair("w", 60, 80, 0.02, 1), {.gaussian_draws = 8, .seed = 5});
  // Single k scatter by the few pairs at the boundary; their mean logarithm over 59 k and 9 changes
  // scatters by about √(2/10)/√6 = 0.18 where neighbouring k share most pairs.
  double mean = 0;
  for (std::size_t k = 0; k < 59; ++k) mean += std::log(report.u.ratio[k]) / 59;
  EXPECT_NEAR(mean, 0, 0.5);
  // A change along the basis itself, of the same norm, turns nothing.
  MatrixPair still = noisy_pair("w", 60, 80, 0.02, 1);
  still.after = still.before;
  scale(still.after, 1.02);
  for (const double ratio : analyse_matrix(still, {.gaussian_draws = 2}).v.ratio) {
    EXPECT_LT(ratio, 1e-15);
  }
}

TEST(Analysis, BoundsTheFirstOrderControlByChance) {
  const MatrixReport report = analyse_matrix(noisy_pair("w", 40, 40, 2, 1), {});
  EXPECT_TRUE(report.u.rotation_gaussian.empty());
  for (std::size_t k = 0; k < 39; ++k) {
    const double control = std::min(report.u.rotation_expected[k], 1 - report.u.chance[k]);
    EXPECT_NEAR(report.u.ratio[k], report.u.rotation[k] / control, 1e-12);
  }
}

TEST(Analysis, StreamsInOrderWithTheSameBitsForAnyNumberOfThreads) {
  std::vector<MatrixPair> pairs;
  for (int i = 0; i < 9; ++i) {
    // The first is the slowest, so that the others must wait for it.
    pairs.push_back(noisy_pair("matrix " + std::to_string(i), i == 0 ? 120 : 10 + i, 30, 0.1, 3));
  }
  AnalysisOptions options{.gaussian_draws = 1, .concurrent = 1};
  const std::vector<MatrixReport> alone = reports_of(pairs, options);
  options.concurrent = 0;
  const std::vector<MatrixReport> together = reports_of(pairs, options);
  ASSERT_EQ(alone.size(), 9u);
  ASSERT_EQ(together.size(), 9u);
  for (std::size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(alone[i].name, "matrix " + std::to_string(i));
    EXPECT_EQ(together[i].name, alone[i].name);
    EXPECT_EQ(together[i].u.rotation, alone[i].u.rotation);
    EXPECT_EQ(together[i].v.rotation_gaussian, alone[i].v.rotation_gaussian);
    EXPECT_EQ(together[i].energy.core, alone[i].energy.core);
    EXPECT_EQ(together[i].matched_chance, alone[i].matched_chance);
  }
}

TEST(Analysis, DrawsAnotherControlForEveryName) {
  MatrixPair pair = noisy_pair("a", 12, 12, 0.1, 1);
  const Curve first = analyse_matrix(pair, {.gaussian_draws = 1}).u.rotation_gaussian;
  pair.name = "b";
  EXPECT_NE(analyse_matrix(pair, {.gaussian_draws = 1}).u.rotation_gaussian, first);
}

TEST(Analysis, TakesAKnownDecomposition) {
  const MatrixPair pair = noisy_pair("w", 14, 9, 0.1, 1);
  const Svd known = svd(pair.before);
  EXPECT_EQ(analyse_matrix(pair, {}, &known).u.rotation, analyse_matrix(pair, {}).u.rotation);
}

// A change of 1 % leaves the raw overlap of pretrained weights near 1 where chance is 0.02, so that
// stability must be judged by the ratio (METHODS 2).
TEST(Analysis, OfAOnePercentNoiseOnMiniLmHasAnOverlapNearOneAndARatioNearOne) {
  const auto model = real_data("weights/minilm-l6-h384-uncased/model.safetensors");
  if (!std::filesystem::exists(model)) GTEST_SKIP() << "set BASIS_DATA; no " << model;
  const std::string name = "encoder.layer.2.attention.self.value.weight";
  const Matrix before = to_matrix(SafeTensors::open(model).tensor(name).view());
  const MatrixReport report =
      analyse_matrix({name, before, with_noise(before, 0.01, 1)}, {.gaussian_draws = 3});
  EXPECT_NEAR(report.change, 0.01, 1e-12);
  EXPECT_NEAR(report.u.chance[7], 0.0208, 1e-4);
  double ratio = 0;
  for (std::size_t k = 8; k <= 64; ++k) {
    EXPECT_GT(report.u.overlap[k - 1], 0.998) << k;
    EXPECT_GT(report.v.overlap[k - 1], 0.998) << k;
    ratio += (std::log(report.u.ratio[k - 1]) + std::log(report.v.ratio[k - 1])) / 114;
  }
  // As OfAGaussianChangeHasARatioOfOne, with 3 draws: a scatter of about 0.2 in the logarithm.
  EXPECT_NEAR(ratio, 0, 0.6);
}

TEST(Analysis, NamesTheMatrixThatCannotBeCompared) {
  MatrixPair bad = noisy_pair("encoder.layer.3.weight", 6, 6, 0.1, 1);
  bad.after(2, 2) = std::nan("");
  EXPECT_THAT(error_of([&] { analyse_matrix(bad, {}); }),
              testing::AllOf(HasSubstr("encoder.layer.3.weight"), HasSubstr("after")));
  bad.after = Matrix(5, 6);
  EXPECT_THAT(
      error_of([&] { analyse_matrix(bad, {}); }),
      testing::AllOf(HasSubstr("encoder.layer.3.weight"), HasSubstr("6 x 6"), HasSubstr("5 x 6")));
}

TEST(Analysis, RethrowsWhatSourceSinkOrAMatrixThrows) {
  std::vector<MatrixPair> pairs(4, noisy_pair("fine", 6, 6, 0.1, 1));
  pairs[2].after = Matrix(5, 6);
  EXPECT_THROW(reports_of(pairs, {}), ShapeError);
  EXPECT_THROW(analyse(source_of({pairs[0]}), {}, [](MatrixReport) { throw Error("full disk"); }),
               Error);
  EXPECT_THROW(analyse([]() -> std::optional<MatrixPair> { throw Error("unreadable"); }, {},
                       [](MatrixReport) {}),
               Error);
  EXPECT_TRUE(reports_of({}, {}).empty());
}

}  // namespace
}  // namespace basis
