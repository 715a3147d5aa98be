#include <cstdio>
#include <optional>

#include <fmt/format.h>

#include "data/wordpiece.h"
#include "experiments/commands/commands.h"
#include "experiments/model_folder.h"
#include "experiments/stage_store.h"
#include "spectral/merged_adapters.h"

namespace basis {

int merge_command(const MergeOptions& options) {
  expect_other_folder(options.out, options.model);
  expect_other_folder(options.out, options.adapter);
  std::optional<WordPieceTokenizer> tokenizer;  // of text
  if (!reads_images(options.model)) tokenizer.emplace(load_tokenizer(options.model));
  Compute compute;
  const auto model = load_classifier(compute, options.model, options.adapter);
  const MergedAdapters merged(compute.backend(), compute.memory(), *model);
  make_folder(options.out);
  if (tokenizer) tokenizer->save(options.out);
  save_model(options.out, *model);
  fmt::print("{}: {} with its adapter merged\n", options.out.string(), options.model.string());
  if (tokenizer && model->config().head == "mean") fmt::print("{}", mean_head_remark);
  return 0;
}

}  // namespace basis
