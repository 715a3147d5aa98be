#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/config.h"

namespace basis {

/// A model that a pretraining keeps: at its end, of its lowest held-out loss, or on its way.
struct Snapshot {
  std::string name;  // "final", "best", or a number of tokens
  std::int64_t tokens = 0;
  double held_out_loss = 0;

  /// Under the stage's folder: "model", "model-best", "model-1000000".
  std::string folder() const;
};

/// What `snapshots.json` of a pretrain stage lists, in order of tokens; nothing where it is absent.
/// Throws Error where it is damaged.
std::vector<Snapshot> read_snapshots(const std::filesystem::path& stage_folder);

/// Adds one, or puts it in the place of one of its name. Its folder must be whole.
void add_snapshot(const std::filesystem::path& stage_folder, const Snapshot& snapshot);

/// The model folder of a finished pretrain stage that `checkpoint` of [model] asks for. `matched`:
/// the folder of the stage whose final held-out loss is to be met, for "matching NAME": the nearest
/// of this stage's snapshots, its end among them. Throws Error where there is no such snapshot,
/// with those that there are.
std::filesystem::path model_of_pretraining(const std::filesystem::path& stage_folder,
                                           const ModelSettings& model,
                                           const std::filesystem::path& matched = {});

}  // namespace basis
