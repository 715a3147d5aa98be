#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "experiments/config.h"

namespace basis {

/// Raised by hand when the same settings give other numbers than before: no finished stage of an
/// older version is then reused.
inline constexpr int results_version = 3;

enum class StageKind : std::uint8_t {
  Pretrain,
  Finetune,
  Grid,
  Choice,
  Spectrum,
  Sharing,
  Emergence,
  Surgery,
  Landscape,
  Retention,
  Robustness,
  Report
};

/// "pretrain", "finetune", "grid", "choice", "spectrum", "sharing", "emergence", "surgery",
/// "landscape", "retention", "robustness", "report".
const char* name_of(StageKind kind);

/// A part of an experiment that is computed once. Its identity is a hash of the settings that
/// matter to its numbers, the content of its input files, the identities of its input stages and
/// results_version. Seed, dtype (tf32 with it) and device count; threads, names and paths of files
/// do not.
struct Stage {
  StageKind kind = StageKind::Report;
  std::string label;                // "finetune mrpc lora seed 0"
  std::string folder;               // "finetune-mrpc-lora-0-1a2b3c4d", under RUN/stages
  std::string identity;             // 32 hexadecimal digits
  std::vector<std::size_t> inputs;  // stages before this one, by place in the plan
  std::string model;                // of [model.NAME]; all but the report
  std::int64_t pretrain_seed = 0;   // of the pretraining of that model, where it is one
  std::string task;                 // finetune and spectrum
  std::string method;               // finetune and spectrum
  std::int64_t seed = 0;            // pretrain, finetune and spectrum
  double learning_rate = 0;         // of a grid stage: the one that it tries
};

/// A config and its stages, inputs before those that need them.
struct Plan {
  Config config;
  std::vector<Stage> stages;
};

/// Content hashes of what stages read. Each throws Error where something is missing.
struct StageInputs {
  std::function<std::string(const std::string& task)> hash_of_task;  // not asked of synthetic ones
  std::function<std::string(const std::string& path)> hash_of_file;  // corpus, vocabulary
  std::function<std::string(const std::string& path)> hash_of_model_folder;
};

/// The stages of an experiment: a pretraining for each model and seed of [pretrain] (models that
/// differ in their checkpoint alone share it), then for each of these, task, method and seed a
/// finetune; where a method has several learning rates, a grid stage for each of them and each seed
/// of [grid], and a choice among them that the finetunes read; for those of [spectrum],
/// [surgery], [landscape], [retention] and [robustness] one of these; for each model with
/// fine-tunings of [sharing] a sharing; with [emergence], and `pretrained` in [landscape], one for
/// each pretraining; and one report over all.
Plan make_plan(const Config& config, const StageInputs& inputs);

/// The stages whose label contains `pattern` (`*` and `?` as in a shell), in order of the plan,
/// with all that they need. An empty pattern: every stage. Throws Error when there is none.
std::vector<std::size_t> select_stages(const Plan& plan, const std::string& pattern);

/// RUN/plan.json, from which `basis status` tells what is done and left.
void write_plan(const std::filesystem::path& path, const Plan& plan);

/// The stages of RUN/plan.json; its Config stays empty. Throws Error with the path, or where the
/// folder is not a run's.
Plan read_plan(const std::filesystem::path& run_folder);

}  // namespace basis
