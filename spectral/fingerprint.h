#pragma once

#include <string>

#include "nn/sequence_classifier.h"

namespace basis {

/// The identity of the encoder that an adapter stands on: XXH3-128 over the names, shapes, dtypes
/// and bytes of its parameters, 32 hexadecimal digits. Left out are the head, the adapter and the
/// pooler, which an adapter does not touch and a pooler head trains: the same weights have the same
/// fingerprint under every head. Merged adapters count as other weights: unmerge first.
std::string fingerprint_of_encoder(const SequenceClassifier& model);

/// The same without the biases: what BitFit, which replaces them all, stands on.
std::string fingerprint_without_biases(const SequenceClassifier& model);

}  // namespace basis
