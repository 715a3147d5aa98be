#include <cmath>

#include "spectral/adapter_file.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz_files.h"
#include "tests/fuzz/fuzz_targets.h"

namespace basis::fuzz {
namespace {

std::vector<std::string> adapter_config_seeds() {
  const std::string base = R"("head": "mean", "outputs": 2, "labels": ["no", "m\u00fcde"],
      "problem_type": "single_label_classification", "base": {"fingerprint": "00ff",
      "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2,
      "intermediate_size": 64}})";
  return {R"({"basis_adapter": 1, "kind": "lora", "rank": 2, "alpha": 4.5, "targets": ["query",
      "ffn_out"], "dropout": 0.1, "seed": 18446744073709551615, )" +
              base,
          R"({"basis_adapter": 1, "kind": "spectral", "rank": 8, "form": "band", "bandwidth": 3,
      "basis": "trailing", "targets": ["value"], "dropout": 0.0, "seed": 0, )" +
              base,
          R"({"basis_adapter": 1, "kind": "bitfit", )" + base};
}

std::vector<std::string> peft_config_seeds() {
  return {R"json({"peft_type": "LORA", "task_type": "SEQ_CLS", "r": 3, "lora_alpha": 6,
      "lora_dropout": 0.0, "target_modules": ["query", "attention.output.dense"],
      "bias": "none", "use_rslora": true, "rank_pattern": {}, "init_lora_weights": true})json",
          R"json({"peft_type": "LORA", "r": 1, "lora_alpha": 0.5, "basis_head": "mean",
      "target_modules": ".*\\.layer\\.\\d+\\.(output\\.dense|attention\\.self\\.key)",
      "init_lora_weights": "gaussian", "layers_to_transform": null})json"};
}

/// The head of a PEFT folder: its labels in the metadata, and a classifier with a row for each.
std::string peft_head(const std::string& labels, int rows) {
  const std::string bytes = std::to_string(rows * 12);
  return safetensors_text(R"({"__metadata__":{"format":"pt","basis_labels":")" + labels +
                              R"(","basis_problem_type":"single_label_classification"},)"
                              R"("base_model.model.classifier.weight":{"dtype":"F32","shape":[)" +
                              std::to_string(rows) + R"(,3],"data_offsets":[0,)" + bytes + "]}}",
                          static_cast<std::size_t>(rows) * 12);
}

std::vector<std::string> peft_tensors_seeds() {
  return {safetensors_text(R"({"base_model.model.classifier.weight":{"dtype":"F32","shape":[2,3],)"
                           R"("data_offsets":[0,24]}})",
                           24),
          peft_head(R"([\"no\",\"yes\"])", 2), peft_head(R"([\"a\"])", 1)};
}

void check(const AdapterInfo& info) {
  using Kind = AdapterMethod::Kind;
  const AdapterMethod& method = info.method;
  demand(info.head == "mean" || info.head == "pooler", "a head that there is");
  demand(info.outputs >= 1, "outputs");
  demand(info.labels.empty() || std::ssize(info.labels) == info.outputs, "a label an output");
  demand(method.kind != Kind::Full, "an adapter");
  if (method.kind != Kind::Lora && method.kind != Kind::Spectral) return;
  // Rank 0: every singular vector, and then their file is named.
  const bool is_full = method.kind == Kind::Spectral && method.rank == 0;
  demand(method.rank >= 1 || (is_full && !info.basis_file.empty()), "a rank or a basis file");
  demand(!method.targets.empty(), "what attach takes");
  demand(std::isfinite(method.alpha) && method.alpha >= 0, "a scale");
  demand(method.dropout >= 0 && method.dropout < 1, "a dropout");
  if (method.form == AdapterMethod::Form::Band) {
    demand(method.bandwidth >= 0 && (is_full || method.bandwidth < method.rank),
           "a band within the rank");
  }
}

bool run(const MemoryFolder& folder) {
  try {
    check(read_adapter_info(folder.path()));
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool run_adapter_config(std::string_view input) {
  static const MemoryFolder folder({"adapter_config.json"});
  folder.set("adapter_config.json", input);
  return run(folder);
}

bool run_peft_folder(std::string_view config, std::string_view tensors) {
  static const MemoryFolder folder({"adapter_config.json", "adapter_model.safetensors"});
  folder.set("adapter_config.json", config);
  folder.set("adapter_model.safetensors", tensors);
  return run(folder);
}

bool run_peft_config(std::string_view input) {
  return run_peft_folder(input, peft_tensors_seeds().back());
}

bool run_peft_tensors(std::string_view input) {
  return run_peft_folder(peft_config_seeds().front(), input);
}

}  // namespace

const Target adapter_config_target{"adapter_config", adapter_config_seeds, run_adapter_config};
const Target peft_config_target{"peft_config", peft_config_seeds, run_peft_config};
const Target peft_tensors_target{"peft_tensors", peft_tensors_seeds, run_peft_tensors};

}  // namespace basis::fuzz
