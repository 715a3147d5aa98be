#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "experiments/config.h"
#include "experiments/model_folder.h"
#include "nn/sequence_classifier.h"

namespace basis {

// The encoder that a fine-tuning starts from, by `start` of its method: "pretrained" weights or
// "random" ones (drawn anew); for "pixels-linear" and "pixels-perceptron" there is no encoder, and
// a classifier of the same pixels stands in its place, drawn anew, the second with a layer of 256;
// or every matrix of the layers is altered and all else stays:
// "scrambled", Q₁ Σ Q₂ᵀ with its own singular values in random directions, or "lesion-leading",
// "-trailing", "-random" without components of `lesion_energy` (METHODS 2, controls and surgery).

/// Sizes of what is trained, by those of the model: its own, or a classifier of pixels.
BertConfig start_config(const BertConfig& model, const MethodSettings& method);

/// Alters the matrices of a pretrained model in place, where the method's start asks for it; the
/// same seed gives the same ones.
void alter_start(Backend& backend, Allocator& allocator, SequenceClassifier& model,
                 const MethodSettings& method, std::uint64_t seed);

/// The encoder's matrices before the first step of a fine-tuning on the model folder.
std::vector<EncoderMatrix> start_matrices(const std::filesystem::path& model,
                                          const MethodSettings& method, std::uint64_t seed);

}  // namespace basis
