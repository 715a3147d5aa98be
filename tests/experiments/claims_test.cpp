#include "experiments/claims.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/report_sections.h"

namespace basis {
namespace {

using ::testing::HasSubstr;

// ---- Rotation ratio -----------------------------------------------------------------------------

constexpr const char* stability = R"(
seeds = [0, 1, 2]
tasks = ["a", "b"]
methods = ["full", "scrambled", "scrambled-high"]
[model]
path = "x"
[task.a]
train = "t"
dev = "d"
first = "f"
label = "l"
labels = ["0", "1"]
[task.b]
train = "t"
dev = "d"
first = "f"
label = "l"
labels = ["0", "1"]
[method.scrambled]
kind = "full"
start = "scrambled"
[method.scrambled-high]
kind = "full"
start = "scrambled"
[claim.a]
text = "stable"
endpoint = "rotation-ratio"
method = "full"
control = "scrambled"
k = 2
)";

ReportSpectrum spectrum(const std::string& task, const std::string& method, std::int64_t seed,
                        double change, double ratio) {
  ReportSpectrum one;
  one.task = task;
  one.method = method;
  one.seed = seed;
  one.change = change;
  one.ratio = {9, ratio};
  one.effects = {{"u", "1 query", "Gaussian", 2, ratio}};
  return one;
}

/// Runs whose rho is about `full` on task a and `other` on b, with controls of 1 at a change of 1 %
/// and 4 at 4 %.
ReportData stability_data(double full, double other) {
  ReportData data;
  data.config = parse_config(stability, "x.toml");
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    const double noise = 1 + 0.02 * static_cast<double>(seed - 1);
    for (const auto& [task, ratio] : {std::pair{"a", full}, std::pair{"b", other}}) {
      data.spectra.push_back(spectrum(task, "full", seed, 0.02, ratio * noise));
      data.spectra.push_back(spectrum(task, "scrambled", seed, 0.01, 1));
      data.spectra.push_back(spectrum(task, "scrambled-high", seed, 0.04, 4));
    }
  }
  return data;
}

ClaimAnswer only_answer(const ReportData& data) {
  const std::vector<ClaimAnswer> answers = answer_claims(data);
  EXPECT_EQ(answers.size(), 1u);
  return answers.at(0);
}

TEST(RotationClaim, IsHeldBelowOneAndBelowTheControlAtEqualChange) {
  const ClaimAnswer answer = only_answer(stability_data(0.5, 0.6));
  EXPECT_EQ(answer.verdict, Verdict::Held) << answer.reason;
  ASSERT_EQ(answer.rows.size(), 4u);
  EXPECT_NEAR(answer.rows[0].value.estimate, 0.5, 0.001);
  // The line through (1 %, 1) and (4 %, 4) is 2 at 2 %, both axes logarithmic.
  EXPECT_NEAR(answer.rows[1].value.estimate, 0.25, 0.001);
  EXPECT_LT(answer.rows[0].value.high, 0.6);
  EXPECT_EQ(answer.specifications.size(), 6u);
}

TEST(RotationClaim, IsHeldInPartOnSomeTasksAndNotOnNone) {
  EXPECT_EQ(only_answer(stability_data(0.5, 1.4)).verdict, Verdict::InPart);
  const ClaimAnswer none = only_answer(stability_data(1.3, 1.4));
  EXPECT_EQ(none.verdict, Verdict::Not);
  EXPECT_THAT(none.reason, HasSubstr("below 1 on 0 of 2 tasks and above 1 on 2"));
}

TEST(RotationClaim, IsHeldInPartWhereTheScrambleIsAsStable) {
  ReportData data = stability_data(0.5, 0.6);
  for (ReportSpectrum& one : data.spectra) {
    if (one.method != "full") one.ratio[1] = 0.4;
  }
  EXPECT_EQ(only_answer(data).verdict, Verdict::InPart);
}

TEST(RotationClaim, IsNotDecidedByOneSeed) {
  ReportData data = stability_data(0.5, 0.6);
  std::erase_if(data.spectra, [](const ReportSpectrum& one) { return one.seed > 0; });
  const ClaimAnswer answer = only_answer(data);
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_FALSE(answer.rows.at(0).has_interval);
}

// ---- Co-drift -----------------------------------------------------------------------------------

ReportData sharing_data(double tasks, double seeds, double shuffled, std::int64_t replicates = 3) {
  ReportData data;
  ClaimSettings claim;
  claim.name = "b";
  claim.endpoint = "co-drift";
  data.config.claim["b"] = claim;
  for (std::int64_t replicate = 0; replicate < replicates; ++replicate) {
    const double noise = 0.01 * static_cast<double>(replicate - 1);
    for (const auto& [relation, value] :
         {std::pair{"tasks", tasks}, std::pair{"seeds", seeds}, std::pair{"shuffled", shuffled}}) {
      for (const char* side : {"u", "v"}) {
        data.co_drifts.push_back(
            {relation, replicate, "s/m/0", "t/m/1", side, "1 query", 32, value + noise, 0, "", 0});
        data.co_drifts.push_back(
            {relation, replicate, "s/m/0", "t/m/1", side, "1 query", 8, 0.9, 0, "", 0});
      }
    }
  }
  return data;
}

TEST(SharingClaim, IsHeldAboveShuffledLabelsAndHalfOfTheCeiling) {
  const ClaimAnswer held = only_answer(sharing_data(0.5, 0.8, 0.2));
  EXPECT_EQ(held.verdict, Verdict::Held) << held.reason;
  EXPECT_NEAR(held.rows.at(0).value.estimate, 0.5, 1e-12);
  EXPECT_EQ(only_answer(sharing_data(0.3, 0.8, 0.2)).verdict, Verdict::InPart);
  EXPECT_EQ(only_answer(sharing_data(0.5, 0.8, 0.5)).verdict, Verdict::Not);
  EXPECT_EQ(only_answer(sharing_data(0.5, 0.8, 0.2, 1)).verdict, Verdict::Undecided);
}

TEST(SharingClaim, IsAboutItsTasksAlone) {
  ReportData data = sharing_data(0.5, 0.8, 0.2);
  for (std::int64_t replicate = 0; replicate < 3; ++replicate) {
    data.co_drifts.push_back(
        {"tasks", replicate, "s/m/0", "other/m/1", "u", "1 query", 32, -1, 0, "", 0});
  }
  EXPECT_LT(only_answer(data).rows.at(0).value.estimate, 0.1);
  data.config.claim["b"].tasks = {"s", "t"};
  EXPECT_NEAR(only_answer(data).rows.at(0).value.estimate, 0.5, 1e-12);
}

// ---- Data ---------------------------------------------------------------------------------------

constexpr const char* data_scale = R"(
models = ["x0", "x1", "x4", "x16", "x1-best"]
tasks = ["sst2", "text"]
methods = ["full", "low"]
[model]
path = "pretrain"
[model.x0]
checkpoint = "0"
[model.x1]
data_share = 0.0625
[model.x4]
data_share = 0.25
[model.x16]
[model.x1-best]
data_share = 0.0625
checkpoint = "best"
[pretrain]
seeds = [0, 1, 2]
keeps_best = true
snapshots = [0]
[task.text]
corpus = "novels.txt"
[method.low]
kind = "full"
learning_rate = 1e-6
[claim.c]
text = "more data, more stable"
endpoint = "data-slope"
method = "full"
models = ["x1", "x4", "x16"]
k = 2
)";

ReportSpectrum spectrum_on(const std::string& model, const std::string& method,
                           std::int64_t pretrain_seed, double change, double ratio) {
  ReportSpectrum one = spectrum("sst2", method, 0, change, ratio);
  one.model = model;
  one.base_method = method;
  one.pretrain_seed = pretrain_seed;
  return one;
}

/// rho = data^slope at a change of 2 %, and twice as much at four times the change; the model of
/// more data changes more.
ReportData data_scale_data(double slope) {
  ReportData data;
  data.config = parse_config(data_scale, "x.toml");
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    const double noise = 1 + 0.01 * static_cast<double>(seed - 1);
    for (const auto& [model, share, more] :
         {std::tuple{"x1", 1.0 / 16, 0.5}, std::tuple{"x4", 1.0 / 4, 1.0},
          std::tuple{"x16", 1.0, 2.0}, std::tuple{"x1-best", 1.0 / 16, 1.0}}) {
      const auto at = [&, share = share](double change) {
        return std::pow(share, slope * noise) * std::sqrt(change / 0.02);
      };
      const double change = 0.02 * more;
      data.spectra.push_back(spectrum_on(model, "full", seed, change, at(change)));
      for (const double other : {0.005, 0.08}) {
        data.spectra.push_back(spectrum_on(model, "low", seed, other, at(other)));
      }
    }
    data.spectra.push_back(spectrum_on("x0", "full", seed, 0.02, 3));
  }
  return data;
}

TEST(DataClaim, IsASlopeAtEqualChangeOverPretrainingSeeds) {
  const ClaimAnswer answer = only_answer(data_scale_data(-0.3));
  EXPECT_EQ(answer.verdict, Verdict::Held) << answer.reason;
  EXPECT_NEAR(answer.rows.back().value.estimate, -0.3, 1e-9);
  EXPECT_NEAR(answer.rows.back().value.high - answer.rows.back().value.low,
              2 * 4.30265 * 0.003 / std::sqrt(3), 1e-5)
      << "three seeds: a t-interval with two degrees of freedom";
  // x0, x1, x4, x16, x1-best, the task and all tasks.
  ASSERT_EQ(answer.rows.size(), 7u);
  EXPECT_NEAR(answer.rows[3].value.estimate, 1, 1e-9) << "x16 at the matched change of 2 %";
  EXPECT_NEAR(answer.rows[0].value.estimate, 3, 1e-9);
  EXPECT_EQ(answer.specifications.size(), 3u);
}

TEST(DataClaim, IsNotHeldWhereDataChangeNothingOrTooFewSeedsTell) {
  EXPECT_EQ(only_answer(data_scale_data(0)).verdict, Verdict::Not);
  EXPECT_EQ(only_answer(data_scale_data(0.3)).verdict, Verdict::Not);
  ReportData data = data_scale_data(-0.3);
  std::erase_if(data.spectra, [](const ReportSpectrum& one) { return one.pretrain_seed > 0; });
  EXPECT_EQ(only_answer(data).verdict, Verdict::Undecided);
  data = data_scale_data(-0.3);
  std::erase_if(data.spectra, [](const ReportSpectrum& one) { return one.model == "x4"; });
  EXPECT_EQ(only_answer(data).verdict, Verdict::Undecided) << "every model is asked for";
}

// ---- Surgery ------------------------------------------------------------------------------------

ReportData surgery_data(double leading, double random) {
  ReportData data;
  ClaimSettings claim;
  claim.name = "surgery";
  claim.endpoint = "surgery";
  claim.method = "full";
  data.config.claim["surgery"] = claim;
  for (std::int64_t seed = 0; seed < 3; ++seed) {
    const double noise = 0.01 * static_cast<double>(seed - 1);
    // From 0.5 to 0.9: a score of 0.7 is half of the way.
    for (const ReportCut& cut :
         {ReportCut{"t", "full", seed, "", "nothing", 0, 0, 0.5},
          ReportCut{"t", "full", seed, "", "everything", 0, 1, 0.9},
          ReportCut{"t", "full", seed, "leading", "core", 32, 0.1, leading + noise},
          ReportCut{"t", "full", seed, "random", "core", 32, 0.01, random},
          ReportCut{"t", "other", seed, "leading", "core", 32, 0.1, 0.1}}) {
      data.cuts.push_back(cut);
    }
  }
  return data;
}

TEST(SurgeryClaim, ComparesSharesOfTheWay) {
  const ClaimAnswer held = only_answer(surgery_data(0.7, 0.5));
  EXPECT_EQ(held.verdict, Verdict::Held);
  EXPECT_NEAR(held.rows.at(0).value.estimate, 0.5, 1e-12);
  EXPECT_NEAR(held.rows.back().value.estimate, 0.5, 1e-12);
  EXPECT_EQ(only_answer(surgery_data(0.5, 0.5)).verdict, Verdict::Not);
}

TEST(SurgeryClaim, HasNoShareWhereTheWholeChangeScoresAsNone) {
  ReportData data = surgery_data(0.7, 0.5);
  for (ReportCut& cut : data.cuts) {
    if (cut.part == "everything") cut.score = 0.5;
  }
  const ClaimAnswer answer = only_answer(data);
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_TRUE(answer.rows.empty());
}

// ---- Scores -------------------------------------------------------------------------------------

/// Runs of 400 rows whose accuracies are near the given ones; the rows that are wrong differ from
/// seed to seed.
ReportRun scored_run(const std::string& method, std::int64_t seed, double accuracy) {
  ReportRun run;
  run.task = "t";
  run.method = method;
  run.seed = seed;
  constexpr std::int64_t rows = 400;
  Predictions predictions;
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto expected = static_cast<std::int32_t>(row % 2);
    const bool is_right = (row * 7 + seed * 31) % rows < static_cast<std::int64_t>(accuracy * rows);
    predictions.expected.classes.push_back(expected);
    predictions.predicted.classes.push_back(is_right ? expected : 1 - expected);
  }
  run.result.metrics = {{"accuracy", accuracy}, {"majority_accuracy", 0.5}, {"dev_rows", 400}};
  run.predictions = std::move(predictions);
  return run;
}

ReportData scored(const std::map<std::string, double>& accuracies, const std::string& endpoint,
                  double margin = 0) {
  ReportData data;
  data.config.tasks = {"t"};
  ClaimSettings claim;
  claim.name = "e";
  claim.endpoint = endpoint;
  claim.method = "method";
  claim.control = "control";
  claim.ceiling = "full";
  claim.floor = "head";
  claim.margin = margin;
  data.config.claim["e"] = claim;
  for (const auto& [method, accuracy] : accuracies) {
    data.config.methods.push_back(method);
    data.config.method[method].kind = method == "full" ? "full" : "lora";
    for (std::int64_t seed = 0; seed < 3; ++seed) {
      data.runs.push_back(scored_run(method, seed, accuracy));
    }
  }
  return data;
}

TEST(ScoreClaim, OfAShareIsTheWayFromFloorToCeiling) {
  const ClaimAnswer answer = only_answer(
      scored({{"full", 0.9}, {"head", 0.6}, {"method", 0.85}, {"control", 0.7}}, "score-share"));
  EXPECT_EQ(answer.verdict, Verdict::Held) << answer.reason;
  ASSERT_EQ(answer.rows.size(), 2u) << "the task, and all tasks";
  EXPECT_NEAR(answer.rows.back().value.estimate, 0.5, 1e-12);
  EXPECT_GT(answer.rows.back().value.low, 0.2);
  EXPECT_LT(answer.rows.back().value.high, 0.8);
  const ClaimAnswer none = only_answer(
      scored({{"full", 0.9}, {"head", 0.6}, {"method", 0.7}, {"control", 0.7}}, "score-share"));
  EXPECT_EQ(none.verdict, Verdict::Not);
}

TEST(ScoreClaim, OfAMarginTakesTheOneSidedBound) {
  const std::map<std::string, double> accuracies = {
      {"full", 0.9}, {"method", 0.89}, {"control", 0.9}};
  const ClaimAnswer near = only_answer(scored(accuracies, "score-margin", -5));
  EXPECT_EQ(near.verdict, Verdict::Held) << near.reason;
  EXPECT_NEAR(near.rows.back().value.estimate, -1, 1e-9);
  EXPECT_EQ(near.confidence, 0.9);
  EXPECT_THAT(claims_section(scored(accuracies, "score-margin", -5)).blocks.at(1).html,
              HasSubstr("points<small>90 % interval</small>"));
  EXPECT_EQ(only_answer(scored(accuracies, "score-margin", -0.5)).verdict, Verdict::Not);
}

TEST(ScoreClaim, OfADifferenceIsTwoSided) {
  const auto answer_at = [](double method) {
    return only_answer(
        scored({{"full", 0.9}, {"method", method}, {"control", 0.8}}, "score-difference"));
  };
  EXPECT_EQ(answer_at(0.9).verdict, Verdict::Held);
  EXPECT_EQ(answer_at(0.7).verdict, Verdict::Not);
  const ClaimAnswer same = answer_at(0.8);
  EXPECT_EQ(same.verdict, Verdict::Undecided);
  EXPECT_THAT(same.reason, HasSubstr("no difference is known"));
}

TEST(ScoreClaim, HasEveryChoiceThatMightHaveBeenMade) {
  ReportData data = scored({{"full", 0.9},
                            {"head", 0.6},
                            {"method", 0.85},
                            {"control", 0.7},
                            {"like", 0.8},
                            {"method-small", 0.75},
                            {"control-small", 0.65}},
                           "score-share");
  const std::map<std::string, std::int64_t> sizes = {
      {"full", 9000}, {"head", 0},          {"method", 100},      {"control", 100},
      {"like", 95},   {"method-small", 10}, {"control-small", 10}};
  for (ReportRun& run : data.runs) run.result.trainable = sizes.at(run.method);
  for (const char* one : {"method", "control"}) {
    data.config.method[one].family = one;
    data.config.method[std::string(one) + "-small"].family = one;
  }
  const ClaimAnswer answer = only_answer(data);
  std::map<std::string, int> groups;
  double largest = 0;
  for (const Specification& one : answer.specifications) {
    ++groups[one.group];
    if (one.group == "method − control") largest = std::max(largest, one.effect);
  }
  // Three seeds, on all of dev and on its two halves.
  EXPECT_EQ(groups, (std::map<std::string, int>{{"method − control", 9},
                                                {"method − like", 9},
                                                {"method-small − control-small", 9}}));
  EXPECT_GE(largest, 15);
  // Against what is of another size: all methods of the claimed one's size.
  data.config.claim["e"].endpoint = "score-margin";
  data.config.claim["e"].control = "full";
  groups.clear();
  for (const Specification& one : only_answer(data).specifications) ++groups[one.group];
  EXPECT_EQ(groups, (std::map<std::string, int>{
                        {"control − full", 9}, {"like − full", 9}, {"method − full", 9}}));
}

TEST(ScoreClaim, IsNotDecidedByATaskThatFullDoesNotLearn) {
  const ClaimAnswer answer = only_answer(
      scored({{"full", 0.52}, {"head", 0.5}, {"method", 0.9}, {"control", 0.5}}, "score-share"));
  EXPECT_EQ(answer.verdict, Verdict::Undecided);
  EXPECT_THAT(answer.reason, HasSubstr("On t full fine-tuning is not known to beat"));
}

TEST(ScoreClaim, NeedsThePredictionsOfEveryMethod) {
  ReportData data = scored({{"full", 0.9}, {"method", 0.89}, {"control", 0.9}}, "score-margin");
  for (ReportRun& run : data.runs) {
    if (run.method == "control" && run.seed > 0) run.predictions.reset();
  }
  EXPECT_EQ(only_answer(data).verdict, Verdict::Undecided);
}

}  // namespace
}  // namespace basis
