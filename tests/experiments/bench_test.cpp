// `basis bench step` from outside: its JSON line, which scripts read.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/bench_step.h"
#include "tensor/json.h"
#include "tests/experiments/fixture.h"
#include "tests/experiments/program_run.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Runs on one sequence layout: 2 steps of 2 sentences, made by the test.
class BenchStep : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    const std::string batch =
        "{\"input_ids\": [[2, 5, 6, 3], [2, 7, 3]], \"token_type_ids\": [[0, 0, 0, 0], [0, 0, 0]], "
        "\"labels\": [1, 0]}\n";
    write_file_atomically(folder_ / "batches.jsonl", batch + batch);
  }
  Outcome run(const std::string& arguments) {
    return run_program(folder_, folder_, "bench step " + arguments);
  }
  Json json_of(const std::string& arguments) {
    const Outcome outcome = run(arguments + " --warmup 1 --threads 1");
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_EQ(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 1) << outcome.out;
    return Json::parse(outcome.out, "standard output");
  }
  static double number(const Json& json, const char* key) {
    const Json* const value = json.find(key);
    EXPECT_NE(value, nullptr) << key;
    return value == nullptr || !value->is_number() ? 0 : value->number();
  }

  const std::string common_ = "--batches batches.jsonl --steps 2 ";
};

TEST_F(BenchStep, PrintsOneLineWithWhatScriptsRead) {
  const Json json = json_of(common_ + "--model " BASIS_ORACLE_FOLDER
                                      "/folders/classifier --task mnli --head pooler");
  for (const char* key :
       {"step_s", "tokens_per_s", "floor_s", "step_over_floor", "peak_mib", "arena_mib", "gflop",
        "gbyte", "roof_f32_gflops", "roof_copy_gbs", "trained", "parameters"}) {
    EXPECT_GT(number(json, key), 0) << key;
  }
  for (const char* key : {"minflt_per_step", "system_s", "user_s", "roof_bf16_gflops"}) {
    EXPECT_GE(number(json, key), 0) << key;
  }
  for (const char* key : {"isa", "processor", "commit", "version"}) {
    ASSERT_NE(json.find(key), nullptr) << key;
    EXPECT_NE(json.find(key)->text(), "") << key;
  }
  EXPECT_EQ(json.find("dtype")->text(), "f32");
  EXPECT_EQ(json.find("head")->text(), "pooler");
  EXPECT_EQ(json.find("method")->text(), "full");
  EXPECT_EQ(number(json, "threads"), 1);
  EXPECT_EQ(number(json, "steps"), 1);
  EXPECT_EQ(number(json, "tokens"), 7);
  EXPECT_EQ(json.find("losses")->items().size(), 2U);
}

TEST_F(BenchStep, EvaluatesWithoutLossesAndWithoutAFloor) {
  const Json json = json_of(common_ + "--size tiny --eval --no-floor");
  EXPECT_GT(number(json, "tokens_per_s"), 0);
  EXPECT_GT(number(json, "gflop"), 0);
  EXPECT_TRUE(json.find("floor_s")->is_null());
  EXPECT_TRUE(json.find("losses")->items().empty());
}

TEST_F(BenchStep, WritesItsBatchesAndReadsTheSameBack) {
  const std::string drawn = "--size tiny --steps 3 --batch 4 --no-floor ";
  EXPECT_EQ(run(drawn + "--warmup 1 --write-batches kept.jsonl").out, "");
  const Json made = json_of(drawn), read = json_of(drawn + "--batches kept.jsonl");
  EXPECT_EQ(made.find("losses")->dump(), read.find("losses")->dump());
  const std::vector<HostBatch> batches = read_batches(folder_ / "kept.jsonl", false, 0);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].ids, draw_batches({3, 4, 128, 30522, 2, false})[0].ids);
}

TEST_F(BenchStep, DrawsItsBatchesWhereNoneAreNamed) {
  const std::string two = "--size tiny --batch 2 --steps 2 --max-length 30 --no-floor ";
  const Json json = json_of(two);
  EXPECT_GE(number(json, "tokens"), 2 * 25);
  EXPECT_LE(number(json, "tokens"), 2 * 30);
  EXPECT_EQ(json_of(two).find("losses")->dump(), json.find("losses")->dump());
}

TEST_F(BenchStep, TrainsTheMethodOfThisRank) {
  const std::string tiny = common_ + "--size tiny --no-floor --method ";
  constexpr double classifier = 2 * 128 + 2;
  EXPECT_EQ(number(json_of(tiny + "head"), "trained"), classifier);
  // Query and value of two layers, A and B.
  EXPECT_EQ(number(json_of(tiny + "lora --rank 5"), "trained"), 2 * 2 * 2 * 5 * 128 + classifier);
  // Six matrices of two layers.
  EXPECT_EQ(number(json_of(tiny + "spectral-core --rank 3"), "trained"),
            2 * 6 * 3 * 3 + classifier);
  EXPECT_EQ(number(json_of(tiny + "spectral-diagonal --rank 0"), "trained"),
            2 * 6 * 128 + classifier);
}

TEST_F(BenchStep, SaysWhatIsWrong) {
  const struct {
    const char* arguments;
    const char* message;
  } cases[] = {
      {"--size huge", "no size \"huge\"; there are tiny, mini"},
      {"", "--model, or sizes with --size"},
      {"--size tiny --model x", "--model excludes --size"},
      {"--size tiny --method lroa", "did you mean \"lora\""},
      {"--size tiny --dtype f16", "f16"},
      {"--size tiny --device cuda", "cuda"},
      {"--size tiny --steps 3", "3 steps, of which 3 are not counted"},
      {"--size tiny --glue none/glue", "none"},
  };
  for (const auto& bad : cases) {
    const Outcome outcome = run(bad.arguments);
    EXPECT_EQ(outcome.status, 2) << bad.arguments;
    EXPECT_THAT(outcome.error, AllOf(HasSubstr("basis: "), HasSubstr(bad.message)));
    EXPECT_EQ(outcome.out, "") << bad.arguments;
  }
}

}  // namespace
}  // namespace basis
