#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/model_folder.h"
#include "nn/sequence_classifier.h"

namespace basis {

// The encoder that a fine-tuning starts from, by `start` of its method: "pretrained" weights,
// "random" ones (drawn anew), or "scrambled" ones: every matrix of the layers becomes Q₁ Σ Q₂ᵀ with
// its own singular values in random directions, all else stays (METHODS 2, controls 3 and 4).

/// Scrambles the matrices of a model in place; the same seed gives the same ones.
void scramble(Backend& backend, Allocator& allocator, SequenceClassifier& model,
              std::uint64_t seed);

/// The encoder's matrices before the first step of a fine-tuning on the model folder.
std::vector<EncoderMatrix> start_matrices(const std::filesystem::path& model,
                                          const std::string& start, std::uint64_t seed);

}  // namespace basis
