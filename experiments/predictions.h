#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "data/metrics.h"

namespace basis {

/// What a fine-tuning answered to every row of dev, and what is right: predictions.safetensors of
/// its stage, with the tensors logits (rows, outputs), expected (rows), class ids or numbers, and
/// halves (rows), and the primary metric in the metadata.
struct Predictions {
  Answers predicted;
  Answers expected;
  std::vector<std::uint8_t> halves;  // of dev, for cross-fitting; empty in files of older versions
  Metric metric = Metric::Accuracy;
};

/// The metric on some of the rows.
double score_on(const Predictions& all, const std::vector<std::int64_t>& rows);

/// `rows`: of dev of `data`, in order.
void write_predictions(const std::filesystem::path& folder, const std::vector<float>& logits,
                       const std::vector<Example>& rows, const TaskData& data);
/// Throws Error where the file is missing or holds something else.
Predictions read_predictions(const std::filesystem::path& folder);

}  // namespace basis
