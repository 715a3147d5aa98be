#include "experiments/choice.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Choice : public FolderTest {
 protected:
  /// Runs a choice among rates with their scores by seed; the remark goes to remark_.
  StageResult choose(const std::vector<std::pair<double, std::vector<double>>>& scores) {
    std::vector<Stage> stages;
    std::vector<StageInput> inputs;
    stages.reserve(100);
    for (const auto& [rate, of_seeds] : scores) {
      for (const double score : of_seeds) {
        Stage stage;
        stage.learning_rate = rate;
        stages.push_back(stage);
        StageResult result;
        result.metrics = {{"accuracy", score}};
        inputs.push_back({&stages.back(), folder_, result});
      }
    }
    const Plan plan;
    const Stage stage;
    const StageStore store(folder_);
    StageContext context{plan, stage, store, folder_, inputs};
    context.report_remark = [this](const std::string& text) { remark_ = text; };
    return run_choice(context);
  }
  std::string remark_;
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

TEST_F(Choice, OnTheEdgeAsksForAWiderGrid) {
  EXPECT_EQ(chosen_rate(choose({{0.1, {0.9}}, {0.01, {0.5}}})), 0.1);
  EXPECT_THAT(remark_, HasSubstr("add higher ones"));
  EXPECT_EQ(chosen_rate(choose({{0.1, {0.1}}, {0.01, {0.5}}})), 0.01);
  EXPECT_THAT(remark_, HasSubstr("add lower ones"));
}

TEST_F(Choice, CountsAnUndefinedScoreAsNone) {
  const double undefined = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(chosen_rate(choose({{0.1, {undefined}}, {0.01, {0.2}}, {0.001, {0.1}}})), 0.01);
}

}  // namespace
}  // namespace basis
