#include "data/glue.h"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>

#include "tests/data/test_files.h"

namespace basis {
namespace {

using Counts = std::vector<std::int64_t>;

Counts label_counts(const TaskData& data, const std::vector<Example>& rows) {
  Counts counts(data.task.labels.size());
  for (const Example& row : rows) {
    if (row.label >= 0) ++counts[static_cast<std::size_t>(row.label)];
  }
  return counts;
}

TEST(Glue, KnowsItsTenSets) {
  EXPECT_EQ(glue_names(), (std::vector<std::string>{"cola", "sst2", "mrpc", "stsb", "qqp", "mnli",
                                                    "qnli", "rte", "wnli", "ax"}));
  EXPECT_EQ(glue_source("SST-2", "").task.name, "sst2");
  EXPECT_EQ(error_of([] { glue_source("sst3", ""); }),
            "unknown GLUE task \"sst3\"; there are cola, sst2, mrpc, stsb, qqp, mnli, qnli, rte, "
            "wnli, ax");
}

TEST(Glue, DescribesTasksThatDoNotContradictThemselves) {
  for (const std::string& name : glue_names()) {
    const TaskSource source = glue_source(name, "");
    EXPECT_NO_THROW(check_task(source.task)) << name;
    EXPECT_EQ(source.task.is_pair, name != "cola" && name != "sst2") << name;
    EXPECT_EQ(source.task.is_regression, name == "stsb") << name;
  }
}

struct OfficialCounts {
  const char* name;
  std::int64_t train, dev, dev_mismatched, test;
  Counts train_labels, dev_labels;
};

// Row counts of the official files (arXiv 1804.07461 and Hugging Face's dataset card of GLUE); the
// class counts of the published files. QQP, MNLI and QNLI train are the subsets that the shared
// data hold (shared/data/README.md), QQP and MNLI without their test files.
TEST(Glue, GivesTheKnownCountsOfTheRealFiles) {
  const auto root = real_data();
  if (root.empty()) GTEST_SKIP() << "no real data; set BASIS_DATA";
  const OfficialCounts cases[] = {
      {"cola", 8551, 1043, 0, 1063, {2528, 6023}, {322, 721}},
      {"sst2", 67349, 872, 0, 1821, {29780, 37569}, {428, 444}},
      {"mrpc", 3668, 408, 0, 1725, {1194, 2474}, {129, 279}},
      {"stsb", 5749, 1500, 0, 1379, {}, {}},
      {"rte", 2490, 277, 0, 3000, {1249, 1241}, {146, 131}},
      {"wnli", 635, 71, 0, 146, {323, 312}, {40, 31}},
      {"qqp", 19833, 1000, 0, 0, {}, {}},
      {"mnli", 24739, 9815, 1000, 0, {}, {3479, 3123, 3213}},
      {"qnli", 20534, 5463, 0, 5463, {}, {2702, 2761}},
      {"ax", 0, 0, 0, 1104, {0, 0, 0}, {0, 0, 0}},
  };
  for (const OfficialCounts& known : cases) {
    SCOPED_TRACE(known.name);
    const TaskData data = read_task(glue_source(known.name, root));
    EXPECT_EQ(std::ssize(data.train), known.train);
    EXPECT_EQ(std::ssize(data.dev), known.dev);
    EXPECT_EQ(std::ssize(data.dev_mismatched), known.dev_mismatched);
    EXPECT_EQ(std::ssize(data.test), known.test);
    EXPECT_EQ(data.skipped_rows, 0);
    if (!known.train_labels.empty()) {
      EXPECT_EQ(label_counts(data, data.train), known.train_labels);
    }
    if (!known.dev_labels.empty()) {
      EXPECT_EQ(label_counts(data, data.dev), known.dev_labels);
    }
    const Counts train = label_counts(data, data.train);
    const auto labelled = std::accumulate(train.begin(), train.end(), std::int64_t{0});
    EXPECT_EQ(labelled, data.task.is_regression ? 0 : known.train);
  }
}

TEST(Glue, ReadsTheRightColumnsOfTheRealFiles) {
  const auto root = real_data();
  if (root.empty()) GTEST_SKIP() << "no real data; set BASIS_DATA";
  const TaskData cola = read_task(glue_source("cola", root));
  EXPECT_TRUE(cola.train[0].first.starts_with("Our friends won't buy"));
  EXPECT_EQ(cola.train[0].label, 1);
  const TaskData mrpc = read_task(glue_source("mrpc", root));
  EXPECT_TRUE(mrpc.train[0].first.starts_with("Amrozi accused"));
  EXPECT_TRUE(mrpc.train[0].second.starts_with("Referring to him as only \" the witness"));
  EXPECT_EQ(mrpc.train[0].label, 1);
  const TaskData stsb = read_task(glue_source("stsb", root));
  EXPECT_EQ(stsb.train[0].first, "A plane is taking off.");
  EXPECT_EQ(stsb.train[0].target, 5.0);
  for (const Example& row : stsb.train) EXPECT_TRUE(row.target >= 0 && row.target <= 5);
  const TaskData mnli = read_task(glue_source("mnli", root));  // two layouts of columns
  EXPECT_EQ(mnli.dev[0].first, "The new rights are nice enough");
  EXPECT_EQ(mnli.dev[0].label, 1);
  EXPECT_TRUE(mnli.dev_mismatched[0].first.find("( (") == std::string::npos);
}

}  // namespace
}  // namespace basis
