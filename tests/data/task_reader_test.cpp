#include "data/task_reader.h"

#include <gtest/gtest.h>

#include "data/glue.h"
#include "tests/data/test_files.h"

namespace basis {
namespace {

/// A user's own task: one sentence, two classes.
TaskSource reviews(const std::filesystem::path& train) {
  TaskSource source;
  source.task = {"mine", false, false, {"bad", "good"}, {Metric::Accuracy}};
  source.format = table_format_of(train);
  source.first_column = "text";
  source.label_column = "label";
  source.train = {train, {}, true, {}};
  return source;
}

constexpr const char* mrpc_header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String\n";

TEST(TaskReader, ReadsTheSameRowsFromEveryFormat) {
  TestFolder folder;
  const std::pair<const char*, const char*> files[] = {
      {"t.tsv", "label\ttext\ngood\tso \"fine\"\nbad\tno\n"},
      {"t.csv", "label,text\ngood,\"so \"\"fine\"\"\"\nbad,no\n"},
      {"t.jsonl",
       "{\"label\":\"good\",\"text\":\"so \\\"fine\\\"\"}\n{\"text\":\"no\",\"label\":\"bad\"}\n"}};
  for (const auto& [name, content] : files) {
    SCOPED_TRACE(name);
    const TaskData data = read_task(reviews(folder.write(name, content)));
    ASSERT_EQ(data.train.size(), 2u);
    EXPECT_EQ(data.train[0].first, "so \"fine\"");
    EXPECT_EQ(data.train[0].label, 1);
    EXPECT_EQ(data.train[1].first, "no");
    EXPECT_EQ(data.train[1].label, 0);
  }
}

TEST(TaskReader, ReadsNumbersOfARegression) {
  TestFolder folder;
  TaskSource source = reviews(folder.write("t.tsv", "label\ttext\n3.75\ta\n 1e-1 \tb\n"));
  source.task = {"mine", false, true, {}, {Metric::Pearson}};
  const TaskData data = read_task(source);
  EXPECT_EQ(data.train[0].target, 3.75);
  EXPECT_EQ(data.train[1].target, 0.1);
}

TEST(TaskReader, StopsAtTheRowLimitOfTraining) {
  TestFolder folder;
  const auto path = folder.write("t.tsv", "label\ttext\ngood\ta\nbad\tb\ngood\tc\n");
  TaskSource source = reviews(path);
  source.dev = source.train;
  source.row_limit = 2;
  const TaskData data = read_task(source);
  EXPECT_EQ(data.train.size(), 2u);
  EXPECT_EQ(data.dev.size(), 3u);
}

TEST(TaskReader, LeavesLabelsOfATestFileUnknown) {
  TestFolder folder;
  TaskSource source = reviews(folder.write("t.tsv", "label\ttext\ngood\ta\n"));
  source.test = {folder.write("test.tsv", "text\nx\n"), {}, true, {}};
  EXPECT_EQ(read_task(source).test.at(0).label, -1);
}

struct BadRow {
  const char* what;
  const char* rows;
  const char* expected;
};

TEST(TaskReader, NamesFileAndLineOfABadRow) {
  const BadRow cases[] = {
      {"too few columns", "1\t2\t3\ta\tb\n1\t2\t3\ta\n",
       "MRPC/train.tsv:3: 4 columns, expected 5 (Quality, #1 ID, #2 ID, #1 String, #2 String)"},
      {"an unknown label", "2\t1\t1\ta\tb\n",
       "MRPC/train.tsv:2: unknown label \"2\" in column Quality, expected one of 0, 1"},
      {"no first text", "1\t1\t1\t \tb\n", "MRPC/train.tsv:2: no text in column #1 String"},
      {"no second text", "1\t1\t1\ta\t\n", "MRPC/train.tsv:2: no text in column #2 String"},
      {"invalid UTF-8", "1\t1\t1\ta\tb\xC0\n", "MRPC/train.tsv:2: invalid UTF-8"},
      {"no rows", "", "MRPC/train.tsv has no rows"},
  };
  TestFolder folder;
  for (const BadRow& one : cases) {
    SCOPED_TRACE(one.what);
    folder.write("glue/MRPC/train.tsv", std::string(mrpc_header) + one.rows);
    const std::string message = error_of([&] { read_task(glue_source("mrpc", folder.path(""))); });
    EXPECT_NE(message.find(one.expected), std::string::npos) << message;
  }
}

TEST(TaskReader, RefusesNumbersThatAreNone) {
  TestFolder folder;
  for (const char* number : {"", "three", "1.5x", "nan", "inf", "1,5"}) {
    SCOPED_TRACE(number);
    TaskSource source =
        reviews(folder.write("t.tsv", "label\ttext\n" + std::string(number) + "\ta\n"));
    source.task = {"mine", false, true, {}, {Metric::Pearson}};
    const std::string message = error_of([&] { read_task(source); });
    EXPECT_NE(
        message.find("t.tsv:2: \"" + std::string(number) + "\" in column label is not a number"),
        std::string::npos)
        << message;
  }
}

TEST(TaskReader, SaysWhereAMissingFileComesFromAndWhereItBelongs) {
  TestFolder folder;
  const std::string message =
      error_of([&] { read_task(glue_source("MRPC", folder.path("root"))); });
  EXPECT_NE(message.find("root/glue/MRPC/train.tsv is not there"), std::string::npos) << message;
  EXPECT_NE(message.find("https://gluebenchmark.com/tasks"), std::string::npos) << message;
  EXPECT_NE(message.find("xxh128sum: 01eb5c66117378a109a100f999fc2f09"), std::string::npos)
      << message;
}

TEST(TaskReader, LeavesOutTheShareOfMalformedRowsThatASourceTolerates) {
  TestFolder folder;
  std::string rows = "text\tlabel\n";
  for (int i = 0; i < 98; ++i) rows += "a\tgood\n";
  TaskSource source = reviews(folder.write("t.tsv", rows + "cut\n\tbad\n"));
  source.malformed_share = 0.02;
  const TaskData data = read_task(source);
  EXPECT_EQ(data.train.size(), 98u);
  EXPECT_EQ(data.skipped_rows, 2);
  source.malformed_share = 0.019;
  EXPECT_NE(error_of([&] { read_task(source); }).find("t.tsv:100: 1 column, expected 2"),
            std::string::npos);
}

TEST(TaskReader, RefusesATaskThatContradictsItself) {
  TestFolder folder;
  const auto path = folder.write("t.tsv", "label\ttext\n1\ta\n");
  const std::pair<Task, const char*> cases[] = {
      {{"t", false, false, {}, {Metric::Accuracy}}, "0 labels"},
      {{"t", false, true, {"a", "b"}, {Metric::Pearson}}, "a regression has no labels"},
      {{"t", false, false, {"a", "a"}, {Metric::Accuracy}}, "a label stands twice"},
      {{"t", false, false, {"a", "b"}, {}}, "no metric"},
      {{"t", false, false, {"a", "b"}, {Metric::Spearman}},
       "spearman does not fit a classification"},
      {{"t", false, true, {}, {Metric::Accuracy}}, "accuracy does not fit a regression"},
      {{"t", false, false, {"a", "b", "c"}, {Metric::F1}}, "f1 needs two labels"},
      {{"t", true, false, {"a", "b"}, {Metric::F1}}, "name the column of each text"},
  };
  for (const auto& [task, expected] : cases) {
    SCOPED_TRACE(expected);
    TaskSource source = reviews(path);
    source.task = task;
    const std::string message = error_of([&] { read_task(source); });
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
}

TEST(TaskReader, RefusesOneColumnInTwoPlaces) {
  TestFolder folder;
  TaskSource source = reviews(folder.write("t.tsv", "label\ttext\ngood\ta\n"));
  source.label_column = "text";
  EXPECT_NE(error_of([&] { read_task(source); }).find("named twice"), std::string::npos);
}

TEST(Metric, IsFoundByItsNameOrTheNamesAreTold) {
  for (Metric metric :
       {Metric::Accuracy, Metric::F1, Metric::Matthews, Metric::Pearson, Metric::Spearman}) {
    EXPECT_EQ(metric_of(name_of(metric)), metric);
  }
  EXPECT_EQ(error_of([] { metric_of("acc"); }),
            "unknown metric \"acc\"; there are accuracy, f1, matthews, pearson, spearman");
}

}  // namespace
}  // namespace basis
