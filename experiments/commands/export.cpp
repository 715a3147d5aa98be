#include <filesystem>

#include <fmt/format.h>

#include "experiments/commands/commands.h"
#include "experiments/model_folder.h"
#include "spectral/peft_folder.h"

namespace basis {

int export_command(const ExportOptions& options) {
  expect_other_folder(options.out, options.model);
  expect_other_folder(options.out, options.adapter);
  Compute compute;
  const auto model = load_classifier(compute, options.model, options.adapter);
  const AdapterMethod method = read_adapter_info(options.adapter).method;
  save_peft(options.out, *model, method, options.base_name);
  fmt::print("{}: the {} adapter for PEFT{}\n", options.out.string(), name_of(method.kind),
             is_native_to_peft(method.kind) ? "" : ", as the LoRA of the same change");
  if (model->config().head == "mean") fmt::print("{}", mean_head_remark);
  return 0;
}

}  // namespace basis
