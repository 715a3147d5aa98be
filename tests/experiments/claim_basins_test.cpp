#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/claims.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

/// Three draws at each σ of 0.1, 0.2, 0.4; noise costs a lot from `radius` on.
ReportLandscape landscape(const std::string& method, std::int64_t seed, double radius) {
  ReportLandscape one;
  one.task = "t";
  one.method = one.base_method = method;
  one.seed = seed;
  one.centre = 0.9;
  one.chance = 0.5;
  for (const double sigma : {0.1, 0.2, 0.4}) {
    const double score = sigma > radius ? 0.6 : 0.9;
    one.kinds["noise-relative"][{sigma, 0}] = {score, score, score};
  }
  return one;
}

ClaimSettings claim_of(const std::string& endpoint) {
  ClaimSettings claim;
  claim.endpoint = endpoint;
  claim.method = "go";
  claim.control = "full";
  return claim;
}

TEST(BasinClaim, IsTheGeometricMeanOfRatiosOfTheSameSeed) {
  ReportData data;
  for (const auto& [seed, of_go] : {std::pair{0, 0.2}, std::pair{1, 0.4}, std::pair{2, 0.2}}) {
    data.landscapes.push_back(landscape("go", seed, of_go));
    data.landscapes.push_back(landscape("full", seed, 0.1));
  }
  const ClaimAnswer answer = answer_basin_ratio(data, claim_of("basin-ratio"));
  ASSERT_EQ(answer.rows.size(), 2u);
  EXPECT_NEAR(answer.rows.back().value.estimate, std::cbrt(2.0 * 4 * 2), 1e-12);
  EXPECT_EQ(answer.verdict, answer.rows.back().value.low > 1 ? Verdict::Held : Verdict::Undecided);
  EXPECT_THAT(answer.reason, HasSubstr("count as its end: 1 of go, 0 of full"));
}

TEST(BasinClaim, IsHeldAboveOneNotBelowAndOpenBetween) {
  const auto verdict = [](double of_go, double of_full) {
    ReportData data;
    for (std::int64_t seed = 0; seed < 3; ++seed) {
      data.landscapes.push_back(landscape("go", seed, of_go));
      data.landscapes.push_back(landscape("full", seed, of_full));
    }
    return answer_basin_ratio(data, claim_of("basin-ratio")).verdict;
  };
  EXPECT_EQ(verdict(0.2, 0.1), Verdict::Held);
  EXPECT_EQ(verdict(0.1, 0.2), Verdict::Not);
  EXPECT_EQ(verdict(0.2, 0.2), Verdict::Undecided);
}

TEST(BasinClaim, IsNotDecidedWhereABasinEndsBeforeTheGrid) {
  ReportData data;
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    data.landscapes.push_back(landscape("go", seed, 0.2));
    data.landscapes.push_back(landscape("full", seed, 0.05));
  }
  const ClaimAnswer answer = answer_basin_ratio(data, claim_of("basin-ratio"));
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_THAT(answer.reason, HasSubstr("A basin of full on t ends before the smallest σ"));
}

TEST(BasinClaim, IsNotDecidedByScoresOfChance) {
  ReportData data;
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    data.landscapes.push_back(landscape("go", seed, 0.2));
    data.landscapes.push_back(landscape("full", seed, 0.1));
    data.landscapes.back().chance = data.landscapes.back().centre;
  }
  const ClaimAnswer answer = answer_basin_ratio(data, claim_of("basin-ratio"));
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_TRUE(answer.rows.empty());
}

TEST(BasinClaim, ComparesTwoModelsPretrainingsWithTheSameSeed) {
  ReportData data;
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    for (const auto& [model, radius] : {std::pair{"go", 0.4}, std::pair{"adamw", 0.1}}) {
      ReportLandscape one = landscape("", seed, radius);
      one.task = "pretraining";
      one.method = one.model = model;
      one.pretrain_seed = seed;
      data.landscapes.push_back(one);
    }
    // A fine-tuning's says nothing of the pretraining's.
    data.landscapes.push_back(landscape("full", seed, 0.1));
    data.landscapes.back().model = "go";
  }
  ClaimSettings claim = claim_of("basin-ratio");
  claim.method = claim.control = "";
  claim.models = {"go", "adamw"};
  const ClaimAnswer answer = answer_basin_ratio(data, claim);
  EXPECT_EQ(answer.verdict, Verdict::Held);
  ASSERT_EQ(answer.rows.size(), 2u);
  EXPECT_NEAR(answer.rows.back().value.estimate, 4, 1e-12);
}

TEST(KeptClaim, IsTheDifferenceInPointsOfTheSameSeed) {
  ReportData data;
  data.config.retention.task = "other";
  for (const auto& [seed, gain] : {std::pair{0, 0.1}, std::pair{1, 0.2}, std::pair{2, 0.15}}) {
    for (const auto& [method, kept] : {std::pair{"go", 0.5 + gain}, std::pair{"full", 0.5}}) {
      ReportRun run;
      run.task = "t";
      run.method = run.base_method = method;
      run.seed = seed;
      run.result.metrics = {{"kept", kept}};
      data.retentions.push_back(run);
    }
  }
  const ClaimAnswer answer = answer_kept_difference(data, claim_of("kept-difference"));
  EXPECT_EQ(answer.verdict, Verdict::Held);
  EXPECT_NEAR(answer.rows.back().value.estimate, 15, 1e-12);
  EXPECT_THAT(answer.reason, HasSubstr("go keeps after other more than full by 15"));
}

}  // namespace
}  // namespace basis
