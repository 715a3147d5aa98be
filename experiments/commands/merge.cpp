#include <cstdio>

#include <fmt/format.h>

#include "data/wordpiece.h"
#include "experiments/commands/commands.h"
#include "experiments/model_folder.h"
#include "experiments/stage_store.h"
#include "spectral/adapter_method.h"

namespace basis {

namespace {

/// A folder that is read may not be written: an adapter is no longer that of a merged model.
void expect_other_folder(const std::filesystem::path& out, const std::filesystem::path& in) {
  std::error_code missing;
  if (!std::filesystem::equivalent(out, in, missing)) return;
  throw Error(fmt::format("--out {}: this is the folder {} that is read; choose another",
                          out.string(), in.string()));
}

}  // namespace

int merge_command(const MergeOptions& options) {
  expect_other_folder(options.out, options.model);
  expect_other_folder(options.out, options.adapter);
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  Compute compute;
  const auto model = load_classifier(compute, options.model, options.adapter);
  const MergedAdapters merged(compute.backend(), compute.memory(), *model);
  make_folder(options.out);
  tokenizer.save(options.out);
  save_model(options.out, *model);
  fmt::print("{}: {} with its adapter merged\n", options.out.string(), options.model.string());
  if (model->config().head == "mean") {
    fmt::print(
        "The head stands on the mean of the tokens (basis_head in config.json); transformers' "
        "BertForSequenceClassification would use the pooler and give other logits.\n");
  }
  return 0;
}

}  // namespace basis
