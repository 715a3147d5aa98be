// The `basis` program from outside: what it prints, and its exit status.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/recorder.h"
#include "experiments/stage_store.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"
#include "tests/experiments/program_run.h"

namespace basis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class Program : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    write_file_atomically(folder_ / "synthetic.toml",
                          "tasks = [\"synthetic-sentiment\"]\nmethods = [\"full\", \"lora\"]\n"
                          "[model]\npath = \"pretrain\"\n[pretrain]\nsteps = 10\n");
    write_model("model");
  }

  /// A model folder as far as `tokenize` needs one.
  void write_model(const std::string& name) {
    make_folder(folder_ / name);
    write_file_atomically(folder_ / name / "vocab.txt",
                          "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\nab\n##b\n");
    write_file_atomically(folder_ / name / "tokenizer_config.json", "{\"do_lower_case\": true}");
    write_file_atomically(folder_ / name / "config.json", "{\"max_position_embeddings\": 6}");
  }

  /// Runs `basis ARGUMENTS` in the test's folder with `input` on its standard input.
  Outcome run(const std::string& arguments, const std::string& input = "",
              const std::string& environment = "") {
    return run_program(folder_, folder_, arguments, input, environment);
  }
};

TEST_F(Program, HelpsWithEveryCommand) {
  const Outcome help = run("--help");
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"run", "status", "config", "info", "tokenize", "vocab"}) {
    EXPECT_THAT(help.out, HasSubstr(command));
    const Outcome own = run(std::string(command) + " --help");
    EXPECT_EQ(own.status, 0);
    EXPECT_THAT(own.out, HasSubstr("Example"));
  }
  EXPECT_THAT(run("--version").out, StartsWith("basis "));
}

TEST_F(Program, LearnsAVocabularyThatItThenReads) {
  write_file_atomically(folder_ / "corpus.txt", "a cat sat\n\nthe cat\n");
  const Outcome made = run("vocab corpus.txt --size 20 --out words");
  EXPECT_EQ(made.status, 0) << made.error;
  EXPECT_THAT(made.out, HasSubstr("words/vocab.txt: 15 tokens from 5 words, 4 of them different"));
  EXPECT_THAT(made.out, HasSubstr("fewer than the 20 asked for"));
  write_file_atomically(folder_ / "words" / "config.json", "{\"max_position_embeddings\": 8}");
  EXPECT_EQ(run("tokenize --model words", "cat\n").status, 0);
}

struct BadCommand {
  const char* arguments;
  const char* message;  // on standard error
};

TEST_F(Program, SaysWhatIsWrongAndGivesTwo) {
  write_file_atomically(folder_ / "typo.toml",
                        "tasks = [\"mrpc\"]\nmethods = [\"full\"]\n\n[train]\nlearning_rat = 1\n");
  write_file_atomically(folder_ / "glue.toml", "tasks = [\"mrpc\"]\nmethods = [\"full\"]\n");
  write_file_atomically(folder_ / "file", "");
  const BadCommand cases[] = {
      {"", "subcommand is required"},
      {"rnu x.toml", "no command \"rnu\"; did you mean \"run\"?"},
      {"run", "config is required"},
      {"run synthetic.toml --setting x=1", "--setting"},
      {"run none.toml", "none.toml"},
      {"run .", "basis: "},
      {"run typo.toml",
       "basis: typo.toml:5: unknown key \"learning_rat\" in [train]; did you mean "
       "\"learning_rate\"?"},
      {"run synthetic.toml --set train.epochs=0", "--set train.epochs=0: \"epochs\" in [train]"},
      {"run synthetic.toml --set device=gpu", "\"device\" must be cpu | cuda, not \"gpu\""},
      {"run synthetic.toml --only mrpc --list", "--only mrpc: no stage"},
      {"run glue.toml --dry-run", "data/weights/minilm-l6-h384-uncased: no such folder"},
      {"run synthetic.toml --jobs 0", "--jobs"},
      {"run synthetic.toml --jobs 2 --set device=cuda",
       "--jobs 2: device = \"cuda\" runs one stage at a time"},
      {"run synthetic.toml --keep some", "--keep"},
      {"run synthetic.toml --stage none", "no stage none: the files that the run reads"},
      {"status model", "not the folder of a run"},
      {"tokenize", "--model is required"},
      {"tokenize --model none", "none"},
      {"tokenize --model model --max-length 1", "--max-length"},
  };
  for (const BadCommand& bad : cases) {
    const Outcome outcome = run(bad.arguments);
    EXPECT_EQ(outcome.status, 2) << bad.arguments;
    EXPECT_THAT(outcome.error, AllOf(StartsWith("basis: "), HasSubstr(bad.message)));
    EXPECT_EQ(outcome.out, "") << bad.arguments;
  }
  EXPECT_EQ(run("info", "", "BASIS_ISA=pentium").status, 2);
}

TEST_F(Program, DryRunPrintsThePlanAndWritesNothing) {
  const Outcome outcome = run("run synthetic.toml --set 'seeds=[0, 1]' --dry-run");
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("synthetic: tasks 1 x methods 2 x seeds 2; 8 stages"),
                    HasSubstr("waiting      finetune synthetic-sentiment lora seed 1 "),
                    HasSubstr(" parameters in the encoder"), HasSubstr(" TFLOP of training left"),
                    HasSubstr("runs/synthetic")));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "runs"));
}

TEST_F(Program, ListsTheStagesThatWereAskedFor) {
  EXPECT_EQ(
      run("run synthetic.toml --only 'sentiment lora' --list").out,
      "waiting      pretrain seed 0\nwaiting      finetune synthetic-sentiment lora seed 0\n");
}

TEST_F(Program, TellsTheStatusOfARun) {
  const Plan plan = example_plan();
  const StageStore store(folder_ / "run");
  record_run(store, plan, {});
  const Outcome outcome = run("status run");
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_THAT(outcome.out, StartsWith("example: 0 of 14 stages finished, 0 running, 14 left"));
}

TEST_F(Program, ListsTheKeysOfAConfig) {
  const Outcome outcome = run("config");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("learning_rate = 2e-05"), HasSubstr("synthetic-entailment")));
}

TEST_F(Program, TellsOfItselfAndTheMachine) {
  const Outcome outcome = run("info");
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("version"), HasSubstr("threads"), HasSubstr("cache")));
}

// The variable is set for the second start and gone after it.
TEST_F(Program, StartsAnewAtMostOnce) {
  EXPECT_EQ(run("config", "", "BASIS_RESTARTED=1 OPENBLAS_CORETYPE=").status, 0);
  EXPECT_EQ(run("config", "", "env -u OPENBLAS_CORETYPE").status, 0);
}

TEST_F(Program, TokenizesLinesAndPairs) {
  EXPECT_EQ(run("tokenize --model model", "a AB c\n\nabb").out,
            "{\"input_ids\": [2, 5, 7, 1, 3], \"token_type_ids\": [0, 0, 0, 0, 0]}\n"
            "{\"input_ids\": [2, 3], \"token_type_ids\": [0, 0]}\n"
            "{\"input_ids\": [2, 7, 8, 3], \"token_type_ids\": [0, 0, 0, 0]}\n");
  EXPECT_EQ(run("tokenize --model model --pairs --max-length 5", "a b a b\tb\n").out,
            "{\"input_ids\": [2, 5, 3, 6, 3], \"token_type_ids\": [0, 0, 0, 1, 1]}\n");
  // config.json says 6.
  EXPECT_THAT(run("tokenize --model model", "a b a b a b a b\n").out,
              StartsWith("{\"input_ids\": [2, 5, 6, 5, 6, 3]"));
}

TEST_F(Program, TokenizesMoreThanOneBatchInOrder) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    input += i % 3 == 0 ? "a\n" : "b\n";
    expected += i % 3 == 0 ? "{\"input_ids\": [2, 5, 3], \"token_type_ids\": [0, 0, 0]}\n"
                           : "{\"input_ids\": [2, 6, 3], \"token_type_ids\": [0, 0, 0]}\n";
  }
  EXPECT_EQ(run("tokenize --model model", input).out, expected);
}

TEST_F(Program, NamesTheLineThatItCannotTokenize) {
  std::string input;
  for (int i = 0; i < 2000; ++i) input += "a\n";
  const Outcome outcome = run("tokenize --model model", input + "\xff\n");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.error, HasSubstr("standard input:2001: "));
  const Outcome pairs = run("tokenize --model model --pairs", "a\tb\na b\n");
  EXPECT_EQ(pairs.status, 2);
  EXPECT_THAT(pairs.error, HasSubstr("standard input:2: expected two texts with one tab"));
}

TEST_F(Program, RefusesAVocabularyWithoutItsSpecialTokens) {
  write_file_atomically(folder_ / "model" / "vocab.txt", "a\nb\n");
  const Outcome outcome = run("tokenize --model model", "a\n");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.error, HasSubstr("vocab.txt"));
}

// ---- The configs that come with the program -----------------------------------------------------

TEST_F(Program, PlansEveryConfigOfTheRepository) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BASIS_CONFIGS)) {
    if (entry.path().extension() != ".toml") continue;
    ++count;
    const Config config = load_config(entry.path());
    EXPECT_FALSE(config.question.empty()) << entry.path();
    const bool reads_images =
        std::any_of(config.task.begin(), config.task.end(), [](const auto& task) {
          return task.second.is_images() && task.second.images != "synthetic";
        });
    const bool needs_data =
        !config.model.is_pretrained_here() || config.pretrain.corpus != "synthetic" || reads_images;
    if (needs_data && config.reduced.empty()) continue;
    const std::string form = needs_data ? " --reduced" : "";
    const Outcome outcome = run("run '" + entry.path().string() + "' --dry-run" + form);
    EXPECT_EQ(outcome.status, 0) << outcome.error;
  }
  EXPECT_GE(count, 2);
}

}  // namespace
}  // namespace basis
