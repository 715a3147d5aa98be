#pragma once

#include <string>

#include "spectral/adapter_method.h"

namespace basis {

/// The identity of the encoder that an adapter stands on: XXH3-128 over the names, shapes, dtypes
/// and bytes of its parameters, 32 hexadecimal digits. Left out are the head, the adapter and the
/// pooler, which an adapter does not touch and a pooler head trains: the same weights have the same
/// fingerprint under every head. Merged adapters count as other weights: unmerge first.
std::string fingerprint_of_encoder(const SequenceClassifier& model);

/// The same without what a method trains of the encoder itself, which its adapter replaces: what
/// BitFit and Norms stand on.
std::string fingerprint_under(const SequenceClassifier& model, AdapterMethod::Kind kind);

}  // namespace basis
