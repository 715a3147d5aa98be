#include "experiments/work.h"

#include <gtest/gtest.h>

#include "experiments/stage_store.h"
#include "nn/bert_config.h"
#include "tensor/file.h"
#include "tests/experiments/fixture.h"

namespace basis {
namespace {

class Work : public FolderTest {};

// MiniLM's sizes; 22,713,216 parameters by METHODS.md 1, 10.6 M of them outside the embeddings and
// the pooler, and 3 x 2 x 10.6 M = 63.7 MFLOP a token in products of full fine-tuning.
TEST_F(Work, AgreesWithTheKnownCountsOfMiniLm) {
  const std::filesystem::path model = folder_ / "weights/minilm";
  make_folder(model);
  BertConfig bert;
  bert.hidden_size = 384;
  bert.intermediate_size = 1536;
  bert.num_hidden_layers = 6;
  write_file_atomically(model / "config.json", bert.to_json());
  const std::string config =
      "tasks = [\"mine\"]\nmethods = [\"full\", \"lora\", \"head\"]\n"
      "[model]\npath = \"weights/minilm\"\n[train]\nepochs = 2\n"
      "[task.mine]\ntrain = \"t.tsv\"\ndev = \"t.tsv\"\nfirst = \"a\"\nlabel = \"b\"\n"
      "labels = [\"0\", \"1\"]\n";
  // 10 rows of 90 bytes: 20 tokens each.
  std::string rows;
  for (int i = 0; i < 10; ++i) rows += std::string(89, 'x') + "\n";
  write_file_atomically(folder_ / "t.tsv", rows);
  const DataRoot data(folder_);
  const Plan plan = make_plan(parse_config(config, "x.toml"), named_inputs());
  const WorkEstimate work(plan, data);
  EXPECT_EQ(work.parameters(""), 22713216);
  const double full = work.flop(plan.stages[place_of(plan, "finetune mine full seed 0")]);
  const double products = 63.7e6 * 2 * 10 * 20;
  const double attention = 3.0 * 6 * 4 * 20 * 384 * 2 * 10 * 20;
  EXPECT_NEAR(full, products + attention, 1e-3 * full);
  EXPECT_NEAR(work.flop(plan.stages[place_of(plan, "finetune mine lora seed 0")]), full * 2 / 3, 1);
  EXPECT_NEAR(work.flop(plan.stages[place_of(plan, "finetune mine head seed 0")]), full / 3, 1);
  EXPECT_EQ(work.flop(plan.stages.back()), 0);
}

}  // namespace
}  // namespace basis
