#include "experiments/choice.h"

#include <functional>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class Choice : public FolderTest {
 protected:
  /// Runs a choice among rates with their scores by seed; the remark goes to remark_.
  StageResult choose(const std::vector<std::pair<double, std::vector<double>>>& scores) {
    std::vector<Stage> stages;
    std::vector<StageInput> inputs;
    stages.reserve(100);
    for (const auto& [rate, of_seeds] : scores) {
      for (std::size_t seed = 0; seed < of_seeds.size(); ++seed) {
        Stage stage;
        stage.seed = static_cast<std::int64_t>(seed);
        stage.kind = StageKind::Grid;
        stage.learning_rate = rate;
        stages.push_back(stage);
        StageResult result;
        result.metrics = {{"accuracy", of_seeds[seed]}};
        inputs.push_back({&stages.back(), folder_, result});
      }
    }
    const Plan plan;
    const Stage stage;
    const StageStore store(folder_);
    StageContext context{plan, stage, store, folder_, inputs};
    context.report_remark = [this](const std::string& text) { remark_ = text; };
    return run_choice(context, [this](StageContext& tried) {
      EXPECT_EQ(tried.stage.kind, StageKind::Grid);
      EXPECT_TRUE(std::filesystem::is_directory(tried.folder));
      ++trainings_;
      StageResult tried_result;
      tried_result.metrics = {{"accuracy", beyond_(tried.stage.learning_rate)}};
      return tried_result;
    });
  }
  std::string remark_;
  int trainings_ = 0;
  std::function<double(double)> beyond_ = [](double) { return 0.0; };  // scores of further rates
};

TEST_F(Choice, TakesTheBestMeanOverSeeds) {
  const StageResult result = choose({{0.1, {0.9, 0.1}}, {0.01, {0.6, 0.6}}, {0.001, {0.2, 0.5}}});
  EXPECT_EQ(chosen_rate(result), 0.01);
  EXPECT_THAT(remark_, IsEmpty());
  EXPECT_THAT(read_file(folder_ / "choice.csv"), HasSubstr("0.01,0,accuracy,0.6\n"));
}

TEST_F(Choice, OfEqualOnesTakesTheLowerRate) {
  EXPECT_EQ(chosen_rate(choose({{0.1, {0.5}}, {0.01, {0.5}}, {0.001, {0.4}}})), 0.01);
}

TEST_F(Choice, OnTheEdgeExtendsTheGridWithEverySeed) {
  beyond_ = [](double rate) { return rate < 0.4 ? 0.95 : 0.3; };
  const StageResult result = choose({{0.1, {0.9, 0.9}}, {0.03, {0.5, 0.5}}, {0.01, {0.5, 0.5}}});
  EXPECT_EQ(chosen_rate(result), 0.3);
  EXPECT_EQ(trainings_, 4) << "0.3 and 1, two seeds each";
  EXPECT_THAT(result.metrics, Contains(Pair("is_on_edge", 0)));
  EXPECT_THAT(remark_, HasSubstr("0.3, stands on the edge: 1 is tried too"));
  EXPECT_THAT(read_file(folder_ / "choice.csv"), HasSubstr("1,0,accuracy,0.3\n"));
  // Interrupted behind a rate it goes on from there: what is trained is not trained again.
  choose({{0.1, {0.9, 0.9}}, {0.03, {0.5, 0.5}}, {0.01, {0.5, 0.5}}});
  EXPECT_EQ(trainings_, 4);
}

TEST_F(Choice, ExtendsDownwardsToo) {
  beyond_ = [](double rate) { return rate > 2e-3 ? 0.7 : 0.1; };
  EXPECT_EQ(chosen_rate(choose({{0.1, {0.2}}, {0.03, {0.3}}, {0.01, {0.5}}})), 0.003);
}

TEST_F(Choice, ThatStaysOnTheEdgeSaysSo) {
  beyond_ = [](double rate) { return rate; };
  const StageResult result = choose({{0.1, {0.9}}, {0.01, {0.5}}});
  EXPECT_EQ(chosen_rate(result), 1000);
  EXPECT_EQ(trainings_, most_extensions);
  EXPECT_THAT(result.metrics, Contains(Pair("is_on_edge", 1)));
  EXPECT_THAT(remark_, HasSubstr("add higher ones"));
}

TEST(NextRate, ContinuesTheGridsSteps) {
  EXPECT_EQ(next_rate({1e-3, 3e-3, 1e-2}), 3e-2);
  EXPECT_EQ(next_rate({1e-2, 3e-2, 1e-1, 3e-1}), 1);
  EXPECT_EQ(next_rate({1e-2, 3e-3, 1e-3}), 3e-4);
  EXPECT_EQ(next_rate({1e-2, 5e-3}), 2.5e-3);
}

TEST_F(Choice, CountsAnUndefinedScoreAsNone) {
  const double undefined = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(chosen_rate(choose({{0.1, {undefined}}, {0.01, {0.2}}, {0.001, {0.1}}})), 0.01);
}

}  // namespace
}  // namespace basis
