#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/stage_store.h"

namespace basis {

/// What stays of a finished stage that no stage ahead needs.
enum class Keep : std::uint8_t {
  All,
  Adapters,  // full models of fine-tunings go; adapters, and the pretrained model they stand on,
             // stay
  Results    // result.json, tables, metrics, predictions and small records alone stay
};

/// "all", "adapters", "results".
Keep keep_named(const std::string& name);

/// Removes from the finished stages among `selected` what `keep` does not name, where no selected
/// stage that is unfinished, and none that another process works on, reads it. What goes is noted
/// in the stage's folder first. Only saves room: a file that cannot be removed is left.
void remove_unneeded(const Plan& plan, const std::vector<std::size_t>& selected,
                     const StageStore& store, Keep keep);

/// Has remove_unneeded taken files out of a stage's folder?
bool has_removed_files(const std::filesystem::path& stage_folder);
/// Does a stage read files of the plan's stage at `input`? The report reads results alone.
bool reads_files_of(const Stage& stage, std::size_t input);
/// To be called before a stage is computed anew.
void forget_removal(const StageStore& store, const Stage& stage);

/// Bytes of all files in a folder and below.
std::uintmax_t folder_bytes(const std::filesystem::path& folder);
/// "512 KiB", "1.4 GiB".
std::string format_bytes(std::uintmax_t bytes);

}  // namespace basis
