#include "experiments/cross_fitted.h"

#include <gmock/gmock.h>

#include "experiments/claims.h"
#include "tensor/error.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

/// Rows 0 and 1 are one half, 2 and 3 the other; all of class 1.
ReportRun run_of(const std::string& method, std::vector<std::int32_t> predicted,
                 std::int64_t seed = 0) {
  ReportRun run;
  run.task = "sst2";
  run.method = method;
  run.seed = seed;
  run.predictions.emplace();
  run.predictions->predicted.classes = std::move(predicted);
  run.predictions->expected.classes = {1, 1, 1, 1};
  run.predictions->halves = {0, 0, 1, 1};
  return run;
}

Config config_of(const std::string& claimed) {
  return parse_config(
      "tasks = [\"sst2\"]\nmethods = [\"head\", \"a\", \"b\"]\n"
      "[method.a]\nkind = \"head\"\nfamily = \"steered\"\ncurvature = \"steered\"\n"
      "curvature_beta = 0.5\n"
      "[method.b]\nkind = \"head\"\nfamily = \"steered\"\ncurvature = \"steered\"\n"
      "curvature_beta = 1\n"
      "[claim.x]\ntext = \"t\"\nendpoint = \"score-difference\"\ncontrol = \"head\"\nmethod = \"" +
          claimed + "\"\n",
      "a.toml");
}

TEST(CrossFitted, GivesEachHalfTheAnswersOfWhatWasBestOnTheOther) {
  // a is right on the first half alone, b on the second.
  const std::vector<ReportRun> runs = {run_of("a", {1, 1, 0, 0}), run_of("b", {0, 0, 1, 1}),
                                       run_of("head", {1, 1, 1, 1})};
  const auto fits = cross_fitted(config_of("steered"), runs);
  ASSERT_EQ(fits.size(), 1u);
  EXPECT_EQ(fits[0].family, "steered");
  EXPECT_THAT(fits[0].chosen, testing::ElementsAre("a", "b"));
  // Which answers for the other half: all wrong, where choosing and scoring on one set would say
  // that all are right.
  EXPECT_THAT(fits[0].predictions.predicted.classes, testing::ElementsAre(0, 0, 0, 0));
}

TEST(CrossFitted, TakesWholeFamiliesThatAClaimNames) {
  const std::vector<ReportRun> runs = {run_of("a", {1, 1, 0, 0}), run_of("b", {0, 0, 1, 1}),
                                       run_of("a", {1, 1, 0, 0}, 1)};
  EXPECT_EQ(cross_fitted(config_of("steered"), runs).size(), 1u) << "seed 1 has no b";
  EXPECT_TRUE(cross_fitted(config_of("a"), runs).empty());
}

TEST(CrossFitted, NeedsTheSameHalves) {
  std::vector<ReportRun> runs = {run_of("a", {1, 1, 0, 0}), run_of("b", {0, 0, 1, 1})};
  runs[1].predictions->halves = {0, 1, 0, 1};
  EXPECT_THROW(cross_fitted(config_of("steered"), runs), Error);
  for (ReportRun& run : runs) run.predictions->halves.clear();  // of an older version
  EXPECT_TRUE(cross_fitted(config_of("steered"), runs).empty());
}

TEST(CrossFitted, IsWhatAClaimOnAFamilyComparesAndNames) {
  ReportData data;
  data.config = config_of("steered");
  for (const std::int64_t seed : {0, 1}) {
    data.runs.push_back(run_of("a", {1, 1, 1, 0}, seed));
    data.runs.push_back(run_of("b", {0, 0, 1, 0}, seed));
    data.runs.push_back(run_of("head", {1, 0, 0, 0}, seed));
  }
  data.cross_fitted = cross_fitted(data.config, data.runs);
  const ClaimAnswer answer = answer_claims(data).at(0);
  ASSERT_FALSE(answer.rows.empty());
  EXPECT_EQ(answer.rows.back().value.estimate, 50);
  EXPECT_THAT(answer.reason, testing::HasSubstr("Chosen of steered: a (4 of 4 halves)."));
}

TEST(CrossFitted, AClaimNamesAMethodOrAFamily) {
  EXPECT_NO_THROW(config_of("steered"));
  EXPECT_THROW(config_of("other"), Error);
}

}  // namespace
}  // namespace basis
