#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "experiments/predictions.h"

namespace basis {

/// What was done to images before a model saw them: its kind ("clean", "pgd" or "noise") and its
/// size, ε or σ, in units of the pixels' range; 0 of clean.
using PixelChange = std::pair<std::string, double>;

/// "clean", "pgd_0.02", "noise_0.1".
std::string name_of(const PixelChange& change);

/// What one fine-tuning answered to the same rows of dev under every change.
using AttackedAnswers = std::map<PixelChange, Predictions>;

/// attacked.safetensors of a stage's folder, with a tensor (rows) of classes for every change by
/// its name, and expected and halves as in predictions.safetensors. `rows`: of dev of `data`.
void write_attacked_answers(const std::filesystem::path& folder,
                            const std::map<PixelChange, Answers>& answers,
                            const std::vector<Example>& rows, const TaskData& data);
/// Throws Error where the file is missing or holds something else.
AttackedAnswers read_attacked_answers(const std::filesystem::path& folder);

}  // namespace basis
