#include <cstdio>

#include <fmt/format.h>

#include "data/wordpiece.h"
#include "experiments/commands/commands.h"
#include "experiments/model_folder.h"
#include "experiments/stage_store.h"
#include "spectral/adapter_method.h"

namespace basis {

int merge_command(const MergeOptions& options) {
  const WordPieceTokenizer tokenizer = load_tokenizer(options.model);
  Compute compute;
  const auto model = load_classifier(compute, options.model, options.adapter);
  const MergedAdapters merged(compute.backend(), compute.memory(), *model);
  make_folder(options.out);
  save_model(options.out, *model);
  tokenizer.save(options.out);
  fmt::print("{}: {} with its adapter merged\n", options.out.string(), options.model.string());
  if (model->config().head == "mean") {
    fmt::print(
        "The head stands on the mean of the tokens (basis_head in config.json); transformers' "
        "BertForSequenceClassification would use the pooler and give other logits.\n");
  }
  return 0;
}

}  // namespace basis
