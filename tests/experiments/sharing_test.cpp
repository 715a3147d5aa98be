#include "experiments/sharing.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace basis {
namespace {

using ::testing::UnorderedElementsAre;

DriftRun run(const char* task, std::int64_t seed, bool is_shuffled = false) {
  return {task, is_shuffled ? "shuffled" : "full", seed, "pretrained", is_shuffled};
}

std::vector<std::string> pairs_of(const std::vector<DriftRun>& runs, Relation relation) {
  const auto text = [&](std::size_t i) {
    return runs[i].task + std::to_string(runs[i].seed) + (runs[i].is_shuffled ? "s" : "");
  };
  std::vector<std::string> pairs;
  for (const DriftPair& pair : drift_pairs(runs)) {
    if (pair.relation == relation) pairs.push_back(text(pair.first) + "-" + text(pair.second));
  }
  return pairs;
}

TEST(DriftPairs, OfDifferentTasksAreOfDifferentSeeds) {
  const std::vector<DriftRun> runs = {run("a", 0), run("b", 0), run("a", 1), run("b", 1)};
  EXPECT_THAT(pairs_of(runs, Relation::Tasks), UnorderedElementsAre("a0-b1", "b0-a1"));
  EXPECT_THAT(pairs_of(runs, Relation::Seeds), UnorderedElementsAre("a0-a1", "b0-b1"));
  EXPECT_THAT(pairs_of(runs, Relation::SameSeed), UnorderedElementsAre("a0-b0", "a1-b1"));
  EXPECT_THAT(pairs_of(runs, Relation::Gaussian), UnorderedElementsAre("a0-b0", "a1-b1"));
}

TEST(DriftPairs, OfManySeedsAreThoseOfNeighboursInACircle) {
  const std::vector<DriftRun> runs = {run("a", 5), run("a", 0), run("a", 7), run("a", 9)};
  EXPECT_THAT(pairs_of(runs, Relation::Seeds),
              UnorderedElementsAre("a0-a5", "a5-a7", "a7-a9", "a9-a0"));
}

TEST(DriftPairs, CompareTrueLabelsWithShuffledOnesAndNeverTwoShuffled) {
  const std::vector<DriftRun> runs = {run("a", 0), run("b", 1), run("a", 0, true),
                                      run("a", 1, true), run("b", 1, true)};
  EXPECT_THAT(pairs_of(runs, Relation::Shuffled), UnorderedElementsAre("a0-a1s"));
  EXPECT_THAT(pairs_of(runs, Relation::ShuffledTasks), UnorderedElementsAre("a0-b1s", "b1-a0s"));
}

TEST(DriftPairs, LeaveOutStartsThatEverySeedDrawsAnew) {
  std::vector<DriftRun> runs = {run("a", 0), run("a", 1)};
  runs[1].start = "scrambled";
  EXPECT_TRUE(drift_pairs(runs).empty());
}

}  // namespace
}  // namespace basis
